-- What the scripts of the roster share. A running run has a token and members: nodes, each with a deadline of its
-- own. All members are reserved in one step, so two runs never wait for each other. When a member is lost, the
-- attempt is over and the next one starts with the nodes that are alive.
local BARREN = 3  -- attempts in a row without a new checkpoint, after which a run has failed

-- A run's record, or nil. Names that look like numbers stay names. `wish` is the command that is not done yet.
local function find_run(id)
  local run = read(key('run', id))
  if not run.state then return nil end
  run.id, run.tenant = id, redis.call('HGET', key('run', id), 'tenant')
  run.token, run.host = redis.call('HGET', key('run', id), 'token'), redis.call('HGET', key('run', id), 'host')
  return run
end

local function ended(state)
  return state == 'succeeded' or state == 'failed' or state == 'cancelled'
end

-- Records and announces a run's state. A run is in `runs:open` of its tenant until it has ended for good.
local function announce_run(run, kind, progress)
  local open = key('runs', 'open', run.tenant)
  if ended(run.state) then
    redis.call('ZREM', open, run.id)
  else
    redis.call('ZADD', open, run.created, run.id)
  end
  redis.call('HSET', key('run', run.id), 'state', run.state, 'step', run.step, 'restarts', run.restarts,
    'wish', run.wish or '', 'updated', now() / 1000000)
  redis.call('XADD', key('run', run.id, 'events'), 'MAXLEN', '~', 1000, '*', 'type', kind, 'state', run.state,
    'step', run.step, 'steps', run.steps, 'restarts', run.restarts, 'progress', progress or '')
  publish('run:' .. run.id .. ':events')
end

-- Removes a run that has ended from the roster.
local function drop_run(tenant, id)
  redis.call('DEL', key('run', id), key('run', id, 'events'))
  redis.call('SREM', key('runs', 'stopped'), id)
  redis.call('ZREM', key('runs', 'of', tenant), id)
end

-- Drops the oldest settled runs of a tenant that has more runs than are kept. Looks at the oldest hundred.
local function drop_oldest_runs(tenant)
  local runs = key('runs', 'of', tenant)
  local over = redis.call('ZCARD', runs) - KEPT
  if over <= 0 then return end
  for _, id in ipairs(redis.call('ZRANGE', runs, 0, math.min(over, 100) - 1)) do
    local state = redis.call('HGET', key('run', id), 'state')
    local settled = redis.call('SISMEMBER', key('runs', 'stopped'), id) == 0
    if settled and (not state or ended(state)) then drop_run(tenant, id) end
  end
end

local function queue_run(run)
  run.state, run.wish = 'queued', ''
  redis.call('ZADD', key('runs', 'queued'), run.created, run.id)
end

-- Stops a run: paused, or ended. Its end is owed to the store until `run_close`.
local function stop_run(run, state, message)
  run.state, run.wish = state, ''
  if message ~= '' then redis.call('HSET', key('run', run.id), 'error', message) end
  redis.call('SADD', key('runs', 'stopped'), run.id)
  announce_run(run, 'state')
end

-- After an attempt: carry out the command that came during it, or queue the run for the next attempt.
local function stop_or_requeue(run)
  if run.wish == 'cancel' or run.wish == 'pause' then
    stop_run(run, run.wish == 'pause' and 'paused' or 'cancelled', '')
  else
    queue_run(run)
    announce_run(run, 'state')
  end
end

-- A node's assignment: run, title, tenant, token, host, the host's address and port, number of members.
local function assignment_of(node)
  local id = redis.call('HGET', key('node', node), 'run')
  local run = id and find_run(id)
  if not run or not run.token or redis.call('HEXISTS', key('run', id, 'members'), node) == 0 then return false end
  local title, address = unpack(redis.call('HMGET', key('run', id), 'title', 'address'))
  local members = redis.call('HLEN', key('run', id, 'members'))
  return {id, title, run.tenant, run.token, run.host, address, run.port, members}
end

-- Whether a running run has fewer nodes than it asked for, and no command to carry out first.
local function lacks_nodes(run)
  return redis.call('HLEN', key('run', run.id, 'members')) < run.nodes and (run.wish or '') == ''
end

-- Ends an attempt: its token does not count any more, and its nodes are idle.
local function end_attempt(run)
  for _, node in ipairs(redis.call('HKEYS', key('run', run.id, 'members'))) do
    if redis.call('HGET', key('node', node), 'run') == run.id then redis.call('HDEL', key('node', node), 'run') end
  end
  redis.call('DEL', key('run', run.id, 'members'))
  redis.call('HDEL', key('run', run.id), 'token', 'host', 'address', 'port')
  redis.call('SREM', key('runs', 'running'), run.id)
end

-- After an attempt that broke off: queue the run again, unless a command stops it or too many attempts brought
-- no new checkpoint.
local function retry(run, message)
  local reached = tonumber(redis.call('HGET', key('run', run.id), 'reached') or 0)
  local barren = reached > (tonumber(run.since) or 0) and 0 or (tonumber(run.barren) or 0) + 1
  redis.call('HSET', key('run', run.id), 'barren', barren, 'since', reached)
  run.restarts = run.restarts + 1
  end_attempt(run)
  if barren >= BARREN and run.wish ~= 'cancel' then
    stop_run(run, 'failed', message)
  else
    stop_or_requeue(run)
  end
end
