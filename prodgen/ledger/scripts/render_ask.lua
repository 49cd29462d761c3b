-- render_ask(tenant, digest, formula, model, weight, seconds, most): enters an image that workers make because a client
-- waits for it. Returns `waiting` or `!` and the error of an image that was entered before; else `asked`, or `full` if
-- `most` images of the tenant wait.
local _, tenant, digest, formula, model, weight, seconds, most = unpack(ARGV)
local state = redis.call('GET', key('render', tenant, digest))
if state then return state end
local waiting = key('renders', tenant)
if redis.call('LLEN', waiting) >= tonumber(most) then return 'full' end
redis.call('SET', key('render', tenant, digest), 'waiting', 'EX', seconds)
redis.call('RPUSH', waiting, digest .. ' ' .. model .. ' ' .. formula)
redis.call('HSET', key('renders', 'weights'), tenant, weight)
join(key('line', 'renders'), tenant)
count_owed({queue = 'interactive', model = model}, 1)
count_order(tenant, digest, 1, now() / 1000000)
return 'asked'
