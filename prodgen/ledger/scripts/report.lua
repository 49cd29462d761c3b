-- report(worker, microseconds, model, rate...): a generating worker lives, and makes so many images of each model a
-- second. The rate kept of a model is a mean over about the last two reports of each living worker.
-- Returns 0, and counts nothing, if an audit has shut the worker's machine out.
if is_shut_out(ARGV[2]) then return 0 end
local MODELS = 256  -- models whose rates are kept: those reported last
redis.call('ZADD', key('workers'), now() + ARGV[3], ARGV[2])
redis.call('ZREMRANGEBYSCORE', key('workers'), '-inf', now())
local weight = 1 / (1 + redis.call('ZCARD', key('workers')))
for i = 4, #ARGV, 2 do
  local rate, known = tonumber(ARGV[i + 1]), tonumber(redis.call('HGET', key('rates'), ARGV[i]) or '')
  if known then rate = known + (rate - known) * weight end
  redis.call('HSET', key('rates'), ARGV[i], string.format('%.9g', rate))
  redis.call('ZADD', key('rates', 'reported'), now(), ARGV[i])
end
for _, model in ipairs(redis.call('ZRANGE', key('rates', 'reported'), 0, -MODELS - 1)) do
  redis.call('ZREM', key('rates', 'reported'), model)
  redis.call('HDEL', key('rates'), model)
end
return 1
