-- shut_out(machine...): workers of these machines, and of no other, get no lease, and no images by their addresses.
redis.call('DEL', key('shut_out'))
for i = 2, #ARGV do redis.call('SADD', key('shut_out'), ARGV[i]) end
return 1
