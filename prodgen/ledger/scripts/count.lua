-- count(recovery, tenant, job, total, created): counts a deleted order in the quota of the day on which it was placed.
local _, recovery, tenant, id, total, created = unpack(ARGV)
if not may_restore(recovery) then return redis.error_reply('LOST') end
count_order(tenant, id, total, created)
return 1
