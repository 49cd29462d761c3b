-- Training runs and the nodes that work on them. A run that works has a token, and members: nodes, each with a
-- deadline of its own. All nodes of a gang are taken in one step, so two runs never wait for each other; when
-- one is lost the attempt is over, and the next is made with those that there are.
local BARREN = 3  -- attempts in a row that end without a new checkpoint, after which a run has failed

local function find_run(id)
  local run = read(key('run', id))
  if not run.state then return nil end
  run.id, run.tenant = id, redis.call('HGET', key('run', id), 'tenant')
  run.token, run.host = redis.call('HGET', key('run', id), 'token'), redis.call('HGET', key('run', id), 'host')
  return run
end

local function announce_run(run, kind, progress)
  redis.call('HSET', key('run', run.id), 'state', run.state, 'step', run.step, 'restarts', run.restarts,
    'wish', run.wish or '', 'updated', now() / 1000000)
  redis.call('XADD', key('run', run.id, 'events'), 'MAXLEN', '~', 1000, '*', 'type', kind, 'state', run.state,
    'step', run.step, 'steps', run.steps, 'restarts', run.restarts, 'progress', progress or '')
end

local function queue_run(run)
  run.state, run.wish = 'queued', ''
  redis.call('ZADD', key('runs', 'queued'), run.created, run.id)
end

-- A run that is not to go on. Its state is owed to the store until `run_settled`.
local function stop_run(run, state, message)
  run.state, run.wish = state, ''
  if message ~= '' then redis.call('HSET', key('run', run.id), 'error', message) end
  redis.call('SADD', key('runs', 'stopped'), run.id)
  announce_run(run, 'state')
end

-- What becomes of a run whose attempt is over: what was wished while it worked, or another attempt.
local function go_on_or_stop(run)
  if run.wish == 'cancel' or run.wish == 'pause' then
    stop_run(run, run.wish == 'pause' and 'paused' or 'cancelled', '')
  else
    queue_run(run)
    announce_run(run, 'state')
  end
end

-- The run that a node is a member of: id, title, tenant, token, host, address and port of the host, members.
local function part_of(node)
  local id = redis.call('HGET', key('node', node), 'run')
  local run = id and find_run(id)
  if not run or not run.token or redis.call('HEXISTS', key('run', id, 'members'), node) == 0 then return false end
  local address = redis.call('HGET', key('run', id), 'address')
  return {id, redis.call('HGET', key('run', id), 'title'), run.tenant, run.token, run.host, address, run.port, redis.call('HLEN', key('run', id, 'members'))}
end

-- Whether a run works with fewer nodes than it would like, and has nothing else to do first.
local function is_short(run)
  return redis.call('HLEN', key('run', run.id, 'members')) < run.nodes and (run.wish or '') == ''
end

-- Ends an attempt: its token is worth nothing any more, and its nodes are free.
local function disband(run)
  for _, node in ipairs(redis.call('HKEYS', key('run', run.id, 'members'))) do
    if redis.call('HGET', key('node', node), 'run') == run.id then redis.call('HDEL', key('node', node), 'run') end
  end
  redis.call('DEL', key('run', run.id, 'members'))
  redis.call('HDEL', key('run', run.id), 'token', 'host', 'address', 'port')
  redis.call('SREM', key('runs', 'running'), run.id)
end

-- An attempt that broke off: the run is queued again, unless it wanted to stop, or attempts bear nothing.
local function retry(run, message)
  local reached = tonumber(redis.call('HGET', key('run', run.id), 'reached') or 0)
  local barren = reached > (tonumber(run.since) or 0) and 0 or (tonumber(run.barren) or 0) + 1
  redis.call('HSET', key('run', run.id), 'barren', barren, 'since', reached)
  run.restarts = run.restarts + 1
  disband(run)
  if barren >= BARREN and run.wish ~= 'cancel' then
    stop_run(run, 'failed', message)
  else
    go_on_or_stop(run)
  end
end
