-- audit_add(most, piece...): queues pieces of audits, and drops the oldest if there are more than `most`.
for i = 3, #ARGV do redis.call('LPUSH', key('audits'), ARGV[i]) end
redis.call('LTRIM', key('audits'), 0, ARGV[2] - 1)
return redis.call('LLEN', key('audits'))
