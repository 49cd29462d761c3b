-- list(tenant, before, limit): ids of a tenant's jobs, newest first, after the job `before` in that order.
local _, tenant, before, limit = unpack(ARGV)
return page(key('jobs', tenant), before, limit)
