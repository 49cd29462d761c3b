-- restore(recovery, job, tenant, queue, total, weight, created, lease_cells, model, paused, retries, finish_by, made,
-- taken, state, done, dead, error, updated, cell...): enters a job as the store knows it; updated '' is now. Returns 0 if
-- the job is known with as many retries; a retry replaces what is known of the job.
local _, recovery, id, tenant, queue, total, weight, created, lease_cells, model, paused = unpack(ARGV, 1, 11)
local retries, finish_by, made, taken, state, done, dead, message, updated = unpack(ARGV, 12, 20)
if not may_restore(recovery) then return redis.error_reply('LOST') end
local known = find(id)
if known and (known.retries or 0) >= tonumber(retries) then return 0 end
if known then
  for _, token in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
    if redis.call('HGET', key('lease', token), 'job') == id then take_back(token) end
  end
  remove(known)
end

redis.call('HSET', key('job', id), 'tenant', tenant, 'queue', queue, 'total', total, 'weight', weight,
  'created', created, 'lease_cells', lease_cells, 'state', state, 'done', done, 'dead', dead, 'owed', 0,
  'paused', paused, 'retries', retries)
if model ~= '' then redis.call('HSET', key('job', id), 'model', model) end
if message ~= '' then redis.call('HSET', key('job', id), 'error', message) end
redis.call('ZADD', key('jobs', tenant), created, id)
for i = 21, #ARGV do redis.call('SADD', key('job', id, 'dead'), ARGV[i]) end
local job = find(id)
if recovery ~= '' or (unfinished(job) and job.retries == 0) then count_order(tenant, id, total, created) end
if unfinished(job) then
  announce(job, 'state')
  if tonumber(finish_by) > 0 then redis.call('ZADD', key('deadlines'), finish_by, id) end
  redis.call('SADD', key('jobs', 'open', tenant), id)
  redis.call('SET', key('job', id, 'made'), made)
  redis.call('SET', key('job', id, 'taken'), taken)
  if updated ~= '' then redis.call('HSET', key('job', id), 'updated', updated) end
  owe(job, job.total - job.done - job.dead)
  conclude(job)
else  -- without events: a stream of a single event takes four kilobytes
  redis.call('HSET', key('job', id), 'updated', updated)
  drop_oldest(tenant)
end
return 1
