-- rate(tenant, per_second): counts a request of a tenant that may send so many a second, and as many at once.
-- Returns 0, or the microseconds after which the request is allowed.
local at, step = key('rate', ARGV[2]), 1000000 / ARGV[3]
local slack = math.max(0, ARGV[3] - 1) * step
local next = math.max(tonumber(redis.call('GET', at) or 0), now())
local wait = next - now() - slack
if wait > 0 then return math.ceil(wait) end
redis.call('SET', at, string.format('%.0f', next + step), 'PX', math.ceil((next + step - now()) / 1000))
return 0
