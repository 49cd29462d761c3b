-- view(kind, id...): the id, the record, and the members of each known `job` or `run`. Only a running run has members.
local views = {}
for i = 3, #ARGV do
  local record = redis.call('HGETALL', key(ARGV[2], ARGV[i]))
  local members = redis.call('HKEYS', key(ARGV[2], ARGV[i], 'members'))
  if #record > 0 then views[#views + 1] = {ARGV[i], record, members} end
end
return views
