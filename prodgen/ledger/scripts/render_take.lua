-- render_take(worker, count, seconds, longer): takes files with the work of up to `count` images together for which clients wait, of
-- one tenant after the other by their weights; the first file may have more. Returns the tenant, the digest and the formula of each.
-- Others may not take them for `seconds`, or `longer` if they start from a picture.
-- A worker whose machine is shut out gets none.
local _, worker, count, seconds, longer = unpack(ARGV)
local line, taken, work = key('line', 'renders'), {}, 0
if is_shut_out(worker) then return taken end
for _ = 1, 4 * count do
  local tenant = first_in(line)
  local entry = tenant and redis.call('LINDEX', key('renders', tenant), 0)
  if not tenant or (work > 0 and work + work_in(entry or '') > tonumber(count)) then break end
  if entry then
    redis.call('LPOP', key('renders', tenant))
    local digest, model, formula = string.match(entry, '^(%S+) (%S+) (.*)$')
    count_owed({queue = 'interactive', model = model}, -images_in(entry))
    charge(line, tenant, work_in(entry) / redis.call('HGET', key('line', 'renders', 'weights'), tenant))
    -- An image that is no longer waited for is dropped.
    if redis.call('SET', key('render', tenant, digest), 'waiting', 'XX', 'EX', is_search(entry) and longer or seconds) then
      work = work + work_in(entry)
      taken[#taken + 1] = {tenant, digest, formula}
    end
  end
  if redis.call('LLEN', key('renders', tenant)) == 0 then redis.call('ZREM', line, tenant) end
end
-- Other versions may have counted the images of a file otherwise. A queue in which nothing waits owes none.
if redis.call('EXISTS', line, key('waiting', 'interactive')) == 0 then
  redis.call('HDEL', key('queue', 'interactive'), 'owed')
  redis.call('DEL', key('queue', 'interactive', 'models'))
end
return taken
