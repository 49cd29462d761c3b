-- run_add(recovery, run, tenant, title, nodes, least, procs, steps, created, state, step, restarts, error, updated):
-- add a run. Returns 0 if it is known.
local _, recovery, id, tenant, title, nodes, least, procs, steps, created, state, step, restarts, message, updated =
  unpack(ARGV)
if not may_restore(recovery) then return redis.error_reply('LOST') end
if redis.call('EXISTS', key('run', id)) == 1 then
  redis.call('HSETNX', key('run', id), 'title', title)  -- an earlier version added it without a title
  return 0
end
redis.call('HSET', key('run', id), 'tenant', tenant, 'title', title, 'nodes', nodes, 'least', least,
  'procs', procs, 'steps', steps, 'created', created, 'state', state, 'step', step, 'reached', step,
  'since', step, 'restarts', restarts, 'wish', '')
if message ~= '' then redis.call('HSET', key('run', id), 'error', message) end
redis.call('ZADD', key('runs', 'of', tenant), created, id)
local run = find_run(id)
if state == 'queued' then queue_run(run) end
if not ended(state) then announce_run(run, 'state') end  -- a stream of a single event takes four kilobytes
if state == 'paused' then redis.call('EXPIRE', key('run', id, 'events'), 86400) end
redis.call('HSET', key('run', id), 'updated', updated)
if ended(state) then drop_oldest_runs(tenant) end
return 1
