-- keep(recovery, seconds): the recovery is still at it; refuses if another took over, or Redis was wiped again.
if redis.call('GET', key('recovering')) ~= ARGV[2] then return redis.error_reply('LOST') end
return redis.call('EXPIRE', key('recovering'), ARGV[3])
