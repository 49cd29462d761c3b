-- list(tenant, before, limit): returns ids of a tenant's jobs, newest first, that come after the job `before`.
local _, tenant, before, limit = unpack(ARGV)
return page(key('jobs', tenant), before, limit)
