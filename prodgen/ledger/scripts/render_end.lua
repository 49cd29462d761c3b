-- render_end(tenant, digest, error, model, bytes, images, file): a file of `images` images is made, or with an error cannot be
-- made. Counts the images for the usage of the day, unless they were counted before. A small file comes as base64 before it is in
-- the store, and clients get it from here for `FILE` seconds: few, because all such files together lie in the memory of Redis.
local ERROR, FILE = 10, 3
local _, tenant, digest, message, model, bytes, images, file = unpack(ARGV)
local state = key('render', tenant, digest)
if message ~= '' then
  redis.call('SET', state, '!' .. message, 'EX', ERROR)
else
  local counted = redis.call('GET', state) ~= 'waiting' or tonumber(bytes) == 0
  if file ~= '' then redis.call('SET', state, '=' .. file, 'EX', FILE) else redis.call('DEL', state) end
  if not counted then
    local counts = key('rendered', day_of(now() / 1000000))
    redis.call('HINCRBY', counts .. ':images', tenant .. ' ' .. model, images)
    redis.call('HINCRBY', counts .. ':bytes', tenant .. ' ' .. model, bytes)
    for _, what in ipairs({':images', ':bytes'}) do redis.call('EXPIRE', counts .. what, 4 * 86400) end
  end
end
publish('render:' .. tenant .. ':' .. digest)
return 1
