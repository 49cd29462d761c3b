-- render_ask(tenant, digest, formula, model, weight, seconds, most): enters a file that workers make because a client waits for it,
-- and counts its images as ordered.
-- Returns `waiting` or `!` and the error of an image that was entered before; else `asked`, or `full` if
-- more than `most` images of the tenant would wait. An image that no worker has taken in time keeps its place, and counts once.
local _, tenant, digest, formula, model, weight, seconds, most = unpack(ARGV)
local state = redis.call('GET', key('render', tenant, digest))
if state then return state end
local waiting, entry = key('renders', tenant), digest .. ' ' .. model .. ' ' .. formula
if redis.call('LPOS', waiting, entry) then
  redis.call('HDEL', key('admitted', tenant), digest)
  redis.call('SET', key('render', tenant, digest), 'waiting', 'EX', seconds)
  return 'asked'
end
local images = images_in(entry)
local all = images
for _, other in ipairs(redis.call('LRANGE', waiting, 0, -1)) do all = all + images_in(other) end
if all > tonumber(most) then return 'full' end
redis.call('SET', key('render', tenant, digest), 'waiting', 'EX', seconds)
redis.call('RPUSH', waiting, entry)
redis.call('HSET', key('line', 'renders', 'weights'), tenant, weight)
join(key('line', 'renders'), tenant)
count_owed({queue = 'interactive', model = model}, images)
count_order(tenant, digest, images, now() / 1000000)
return 'asked'
