-- render_drop(tenant, digest, formula, model): its client has gone, so a file that no worker has taken is not made, and not counted.
-- Other clients that wait for it ask again.
local _, tenant, digest, formula, model = unpack(ARGV)
local waiting, entry = key('renders', tenant), digest .. ' ' .. model .. ' ' .. formula
if redis.call('LREM', waiting, 1, entry) == 0 then return 0 end
local images = images_in(entry)
redis.call('DEL', key('render', tenant, digest))
count_owed({queue = 'interactive', model = model}, -images)
count_order(tenant, digest, -images, now() / 1000000)
if redis.call('LLEN', waiting) == 0 then redis.call('ZREM', key('line', 'renders'), tenant) end
publish('render:' .. tenant .. ':' .. digest)
return 1
