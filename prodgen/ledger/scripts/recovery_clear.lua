-- recovery_clear(recovery, cursor): deletes keys that a lost ledger left. Returns the next cursor.
local _, recovery, cursor = unpack(ARGV)
local open = redis.call('EXISTS', KEYS[1]) == 1
if open or redis.call('GET', key('recovering')) ~= recovery then return redis.error_reply('LOST') end
local found = redis.call('SCAN', cursor, 'MATCH', key('*'), 'COUNT', 1000)
for _, name in ipairs(found[2]) do
  if name ~= key('recovering') then redis.call('UNLINK', name) end
end
return found[1]
