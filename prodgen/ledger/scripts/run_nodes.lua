-- run_nodes(): the name, address, devices and run ('' for none) of every node that is alive.
local nodes = {}
for k, node in ipairs(redis.call('ZRANGEBYSCORE', key('nodes'), now(), '+inf')) do
  local assignment = assignment_of(node)
  local known = redis.call('HMGET', key('node', node), 'address', 'devices')
  nodes[k] = {node, known[1] or '', tonumber(known[2]) or 0, assignment and assignment[1] or ''}
end
return nodes
