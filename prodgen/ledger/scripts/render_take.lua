-- render_take(worker, count, seconds): takes files of up to `count` images together for which clients wait, of one tenant after the
-- other by their weights; the first file may have more. Returns the tenant, the digest and the formula of each. Others may not take
-- them for `seconds`.
-- A worker whose machine is shut out gets none.
local _, worker, count, seconds = unpack(ARGV)
local line, taken, images = key('line', 'renders'), {}, 0
if is_shut_out(worker) then return taken end
for _ = 1, 4 * count do
  local tenant = first_in(line)
  local entry = tenant and redis.call('LINDEX', key('renders', tenant), 0)
  if not tenant or (images > 0 and images + images_in(entry or '') > tonumber(count)) then break end
  if entry then
    redis.call('LPOP', key('renders', tenant))
    local digest, model, formula = string.match(entry, '^(%S+) (%S+) (.*)$')
    count_owed({queue = 'interactive', model = model}, -images_in(entry))
    charge(line, tenant, images_in(entry) / redis.call('HGET', key('line', 'renders', 'weights'), tenant))
    -- An image that is no longer waited for is dropped.
    if redis.call('SET', key('render', tenant, digest), 'waiting', 'XX', 'EX', seconds) then
      images = images + images_in(entry)
      taken[#taken + 1] = {tenant, digest, formula}
    end
  end
  if redis.call('LLEN', key('renders', tenant)) == 0 then redis.call('ZREM', line, tenant) end
end
return taken
