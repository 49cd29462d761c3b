-- recovery_begin(recovery, seconds): returns 1 if this recovery may restore the ledger, 0 while another one runs.
return redis.call('SET', key('recovering'), ARGV[2], 'NX', 'EX', ARGV[3]) and 1 or 0
