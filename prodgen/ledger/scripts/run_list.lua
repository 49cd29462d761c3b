-- run_list(tenant, before, limit): the ids of a page of a tenant's runs, newest first, after the run `before`.
local _, tenant, before, limit = unpack(ARGV)
return page(key('runs', 'of', tenant), before, limit)
