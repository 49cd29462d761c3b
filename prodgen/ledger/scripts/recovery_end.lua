-- recovery_end(recovery, epoch, server): ends a recovery, which has restored the losses of a restart of the server.
-- With an epoch, opens the rebuilt ledger under it.
local _, recovery, epoch, server = unpack(ARGV)
if redis.call('GET', key('recovering')) ~= recovery then return redis.error_reply('LOST') end
redis.call('DEL', key('recovering'))
redis.call('SET', key('server'), server)
if epoch ~= '' then redis.call('SET', KEYS[1], epoch) end
return 1
