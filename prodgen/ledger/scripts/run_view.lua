-- run_view(run...): the id, the record and the members of each run that is known.
local views = {}
for i = 2, #ARGV do
  local record = redis.call('HGETALL', key('run', ARGV[i]))
  if #record > 0 then
    views[#views + 1] = {ARGV[i], record, redis.call('HKEYS', key('run', ARGV[i], 'members'))}
  end
end
return views
