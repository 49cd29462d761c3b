-- view(kind, id...): the id, the record, and the dead cells or the members of each known `job` or `run`.
local views = {}
for i = 3, #ARGV do
  local record = redis.call('HGETALL', key(ARGV[2], ARGV[i]))
  local dead, members = key('job', ARGV[i], 'dead'), key('run', ARGV[i], 'members')
  local names = ARGV[2] == 'job' and redis.call('SMEMBERS', dead) or redis.call('HKEYS', members)
  if #record > 0 then views[#views + 1] = {ARGV[i], record, names} end
end
return views
