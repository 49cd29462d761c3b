-- recovery_begin(recovery, seconds): returns 1 if this recovery may rebuild the ledger, 0 if the ledger is open
-- or another recovery runs.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
return redis.call('SET', key('recovering'), ARGV[2], 'NX', 'EX', ARGV[3]) and 1 or 0
