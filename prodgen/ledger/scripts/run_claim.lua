-- run_claim(node, port, microseconds): work for an idle node: all the nodes of the oldest queued run that can have
-- them, taken at once -> the part, then the members. A run that waits for nodes keeps younger ones waiting too, or
-- a large one would never start; but one that asks for more nodes than there are keeps nobody. Where there is
-- nothing else, a run that works with fewer nodes than it would like is asked to stop and begin again with more.
local _, node, port, microseconds = unpack(ARGV)
if part_of(node) then return {part_of(node)} end
-- Those that were heard last come first: one that died a moment ago still looks alive.
local alive = redis.call('ZREVRANGEBYSCORE', key('nodes'), '+inf', now())

-- Whether a node has a device for each process of a run; one without any lets them share its cores.
local function can_carry(other, run)
  local devices = tonumber(redis.call('HGET', key('node', other), 'devices')) or 0
  return devices == 0 or devices >= run.procs
end

local function able(run)
  local idle, able = {}, 0
  for _, other in ipairs(alive) do
    if can_carry(other, run) then
      able = able + 1
      if other == node then table.insert(idle, 1, node)
      elseif not part_of(other) then idle[#idle + 1] = other end
    end
  end
  return idle, able
end

for _, id in ipairs(redis.call('ZRANGE', key('runs', 'queued'), 0, -1)) do
  local run = find_run(id)
  local idle, count = able(run)
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
    return {part_of(node), members}
  end
  if run.least <= count and can_carry(node, run) then break end
end

for _, id in ipairs(redis.call('ZCARD', key('runs', 'queued')) == 0 and
    redis.call('SMEMBERS', key('runs', 'running')) or {}) do
  local run = find_run(id)
  if is_short(run) and can_carry(node, run) then
    run.wish = 'regroup'
    announce_run(run, 'state')
    break
  end
end
return false
