-- run_list(tenant, before, limit): ids of a tenant's runs, newest first, after the run `before` in that order.
local _, tenant, before, limit = unpack(ARGV)
return page(key('runs', 'of', tenant), before, limit)
