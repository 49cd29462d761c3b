-- begin(recovery, seconds): 1 if this recovery may rebuild the ledger, 0 if it is open or another is at it.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
return redis.call('SET', key('recovering'), ARGV[2], 'NX', 'EX', ARGV[3]) and 1 or 0
