-- render_end(tenant, digest, error, model, bytes, images): a file of `images` images is in the store, or with an error cannot
-- be made. Counts the images for the usage of the day, unless they were counted before.
local _, tenant, digest, message, model, bytes, images = unpack(ARGV)
local state = key('render', tenant, digest)
if message ~= '' then
  redis.call('SET', state, '!' .. message, 'EX', 10)
elseif redis.call('DEL', state) == 1 and tonumber(bytes) > 0 then
  local counts = key('rendered', day_of(now() / 1000000))
  redis.call('HINCRBY', counts .. ':images', tenant .. ' ' .. model, images)
  redis.call('HINCRBY', counts .. ':bytes', tenant .. ' ' .. model, bytes)
  for _, what in ipairs({':images', ':bytes'}) do redis.call('EXPIRE', counts .. what, 4 * 86400) end
end
return 1
