-- render_end(tenant, digest, error): an image is in the store, or with an error cannot be made.
local _, tenant, digest, message = unpack(ARGV)
local state = key('render', tenant, digest)
if message == '' then return redis.call('DEL', state) end
redis.call('SET', state, '!' .. message, 'EX', 10)
return 1
