-- renew(microseconds, token...): extends deadlines. Returns held, lost or cancelled for each token.
local answers = {}
for i = 3, #ARGV do
  local id = redis.call('HGET', key('lease', ARGV[i]), 'job')
  local state = id and redis.call('HGET', key('job', id), 'state')
  if state == 'running' then
    redis.call('ZADD', key('leases'), now() + ARGV[2], ARGV[i])
    answers[#answers + 1] = 'held'
  else
    answers[#answers + 1] = state == 'cancelled' and 'cancelled' or 'lost'
  end
end
return answers
