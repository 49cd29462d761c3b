-- run_leave(node): remove a node, so that no run is given to it. Its processes stop the run they work on.
redis.call('ZREM', key('nodes'), ARGV[2])
return 1
