-- run_claim(node, port, microseconds): work for an idle node: all the nodes of the oldest queued run that can have
-- them, taken at once -> the part, then the members. A run that waits for nodes keeps younger ones waiting too, or
-- a large one would never start; but one that asks for more nodes than there are keeps nobody. Where there is
-- nothing else, a run that works with fewer nodes than it would like is asked to stop and begin again with more.
local _, node, port, microseconds = unpack(ARGV)
if part_of(node) then return {part_of(node)} end
local idle, alive = {}, redis.call('ZRANGEBYSCORE', key('nodes'), now(), '+inf')
for _, other in ipairs(alive) do
  if other ~= node and not part_of(other) then idle[#idle + 1] = other end
end
table.insert(idle, 1, node)

for _, id in ipairs(redis.call('ZRANGE', key('runs', 'queued'), 0, -1)) do
  local run = find_run(id)
  if #idle >= run.least then
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
  if run.least <= #alive then break end
end

for _, id in ipairs(redis.call('ZCARD', key('runs', 'queued')) == 0 and
    redis.call('SMEMBERS', key('runs', 'running')) or {}) do
  local run = find_run(id)
  if redis.call('HLEN', key('run', id, 'members')) < run.nodes and (run.wish or '') == '' then
    run.wish = 'regroup'
    announce_run(run, 'state')
    break
  end
end
return false
