-- recovery_renew(recovery, seconds): keeps the right to rebuild. Refuses if another recovery took it.
if redis.call('GET', key('recovering')) ~= ARGV[2] then return redis.error_reply('LOST') end
return redis.call('EXPIRE', key('recovering'), ARGV[3])
