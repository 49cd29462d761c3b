-- run_claim(node, port, microseconds): reserve idle nodes for the oldest queued run that can have enough of
-- them, with `node` as its host. Returns the assignment and the members, or the assignment that the node has.
-- All nodes are taken in one step, and are of one kind: with enough GPUs each, or without any.
-- A run that waits for nodes keeps the younger ones waiting, or a large run would never start. A run that asks
-- for more nodes than there are keeps no other waiting.
-- With no queued run, a running one that has fewer nodes than it asked for is asked to stop and start again.
local _, node, port, microseconds = unpack(ARGV)
if assignment_of(node) then return {assignment_of(node)} end
-- The nodes heard last come first: a node that died a moment ago still looks alive.
local alive = redis.call('ZREVRANGEBYSCORE', key('nodes'), '+inf', now())

local function devices(other)
  return tonumber(redis.call('HGET', key('node', other), 'devices')) or 0
end

-- Whether a node may be a member of a run that `node` hosts. Processes share the cores of a node without GPUs.
local function can_join(other, run)
  if devices(node) == 0 then return devices(other) == 0 end
  return devices(other) >= run.procs and devices(node) >= run.procs
end

-- The idle nodes that can join, `node` first, and how many can join when all are idle.
local function candidates(run)
  local idle, able = {}, 0
  for _, other in ipairs(alive) do
    if can_join(other, run) then
      able = able + 1
      if other == node then table.insert(idle, 1, node)
      elseif not assignment_of(other) then idle[#idle + 1] = other end
    end
  end
  return idle, able
end

for _, id in ipairs(redis.call('ZRANGE', key('runs', 'queued'), 0, -1)) do
  local run = find_run(id)
  local idle, able = candidates(run)
  if idle[1] == node and #idle >= run.least then
    local number = math.max(now(), tonumber(redis.call('GET', key('token')) or 0) + 1)
    redis.call('SET', key('token'), string.format('%.0f', number))
    redis.call('HSET', key('run', id), 'token', string.format('%017.0f', number), 'host', node, 'port', port,
      'address', redis.call('HGET', key('node', node), 'address'))
    local members = {}
    for k = 1, math.min(run.nodes, #idle) do
      members[k] = idle[k]
      redis.call('HSET', key('run', id, 'members'), idle[k], now() + microseconds)
      redis.call('HSET', key('node', idle[k]), 'run', id)
    end
    redis.call('ZREM', key('runs', 'queued'), id)
    redis.call('SADD', key('runs', 'running'), id)
    run.state = 'running'
    announce_run(run, 'state')
    return {assignment_of(node), members}
  end
  if able >= run.least then break end
end

if redis.call('ZCARD', key('runs', 'queued')) > 0 then return false end
for _, id in ipairs(redis.call('SMEMBERS', key('runs', 'running'))) do
  local run = find_run(id)
  if lacks_nodes(run) and can_join(run.host, run) then
    run.wish = 'regroup'
    announce_run(run, 'state')
    break
  end
end
return false
