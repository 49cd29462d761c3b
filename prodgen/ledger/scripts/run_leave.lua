-- run_leave(node): nobody is to count on the node any more; what it is a member of, it ends itself.
redis.call('ZREM', key('nodes'), ARGV[2])
return 1
