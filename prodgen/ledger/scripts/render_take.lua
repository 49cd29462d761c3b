-- render_take(worker, count, seconds): takes up to `count` images for which clients wait, of one tenant after the other by their
-- weights. Returns the tenant, the digest and the formula of each. Others may not take them for `seconds`.
-- A worker whose machine is shut out gets none.
local _, worker, count, seconds = unpack(ARGV)
local line, taken = key('line', 'renders'), {}
if is_shut_out(worker) then return taken end
for _ = 1, 4 * count do
  local tenant = first_in(line)
  if not tenant or #taken == tonumber(count) then break end
  local entry = redis.call('LPOP', key('renders', tenant))
  if entry then
    local digest, model, formula = string.match(entry, '^(%S+) (%S+) (.*)$')
    count_owed({queue = 'interactive', model = model}, -1)
    charge(line, tenant, 1 / redis.call('HGET', key('line', 'renders', 'weights'), tenant))
    -- An image that is no longer waited for is dropped.
    if redis.call('SET', key('render', tenant, digest), 'waiting', 'XX', 'EX', seconds) then
      taken[#taken + 1] = {tenant, digest, formula}
    end
  end
  if redis.call('LLEN', key('renders', tenant)) == 0 then redis.call('ZREM', line, tenant) end
end
return taken
