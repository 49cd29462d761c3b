-- run_nodes(): every living node: its name, address, devices, and its run or ''.
local nodes = {}
for k, node in ipairs(redis.call('ZRANGEBYSCORE', key('nodes'), now(), '+inf')) do
  local part = part_of(node)
  local known = redis.call('HMGET', key('node', node), 'address', 'devices')
  nodes[k] = {node, known[1] or '', tonumber(known[2]) or 0, part and part[1] or ''}
end
return nodes
