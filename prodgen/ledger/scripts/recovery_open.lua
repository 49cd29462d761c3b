-- recovery_open(recovery, epoch, server): opens the restored ledger under a new epoch.
local _, recovery, epoch, server = unpack(ARGV)
if redis.call('GET', key('recovering')) ~= recovery then return redis.error_reply('LOST') end
redis.call('DEL', key('recovering'))
redis.call('SET', key('server'), server)
redis.call('SET', KEYS[1], epoch)
return 1
