-- view(job...): returns the record and the dead cells of each known job.
local views = {}
for i = 2, #ARGV do
  local record = redis.call('HGETALL', key('job', ARGV[i]))
  if #record > 0 then
    views[#views + 1] = {ARGV[i], record, redis.call('SMEMBERS', key('job', ARGV[i], 'dead'))}
  end
end
return views
