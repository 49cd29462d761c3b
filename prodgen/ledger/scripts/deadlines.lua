-- deadlines(cells, message): sets aside the cells that no lease has taken of jobs past their deadline, up to about so many
-- cells. Returns how many.
local DEADLINES = key('deadlines')
local aside, most, message = 0, tonumber(ARGV[2]), ARGV[3]
for _, id in ipairs(redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', now() / 1000000)) do
  local job = find(id)
  if not job or not unfinished(job) then
    redis.call('ZREM', DEADLINES, id)
  elseif job.owed > 0 then
    local before, suspects, taken = job.dead, key('job', id, 'suspects'), key('job', id, 'taken')
    for _, name in ipairs(redis.call('ZRANGE', suspects, 0, most - aside - 1)) do
      local first, cells = string.match(name, '(%d+):(%d+)')
      redis.call('ZREM', suspects, name)
      aside = aside + set_aside(job, tonumber(first), tonumber(cells), message)
    end
    local count = math.ceil(job.total / CELL)
    while aside < most do
      local first = redis.call('BITPOS', taken, 0)
      if first < 0 or first >= count then break end
      local stop = redis.call('BITPOS', taken, 1, first, -1, 'BIT')
      local cells = math.min((stop < 0 and count or stop) - first, 1000)
      mark(taken, first, cells, 1)
      aside = aside + set_aside(job, first, cells, message)
    end
    redis.call('HSET', key('job', id), 'error', message)
    owe(job, before - job.dead)
    conclude(job)
    if aside >= most then return aside end
  end
end
return aside
