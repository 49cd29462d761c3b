-- Ends a lease, whatever becomes of its cells: its record and its job, or nil if nobody holds it.
-- The job is nil as well if it no longer runs (cancelled, or ended), so that its cells matter to nobody.
local function take_back(token)
  local lease = read(key('lease', token))
  if not lease.cells then return nil end
  local id, worker = unpack(redis.call('HMGET', key('lease', token), 'job', 'worker'))
  redis.call('DEL', key('lease', token))
  redis.call('ZREM', key('leases'), token)
  redis.call('SREM', key('worker', worker), token)
  redis.call('HINCRBY', key('queue', lease.queue), 'leases', -1)
  lease.id = id
  local job = find(id)
  if job and job.state ~= 'running' then job = nil end
  return lease, job
end

-- The work on a lease's cells died or raised. Which cell is to blame is known only where there is but one, so
-- the others are merely suspect: each is next run alone. A cell with three strikes is set aside for good.
local function blame(job, lease, strike, message)
  local suspects, strikes = key('job', job.id, 'suspects'), key('job', job.id, 'strikes')
  local owed = 0
  for cell = lease.first, lease.first + lease.cells - 1 do
    if strike and redis.call('HINCRBY', strikes, cell, 1) >= STRIKES then
      redis.call('HDEL', strikes, cell)
      redis.call('SADD', key('job', job.id, 'dead'), cell)
      job.dead = redis.call('HINCRBY', key('job', job.id), 'dead', images(job, cell, 1))
    else
      redis.call('ZADD', suspects, cell, cell)
      owed = owed + images(job, cell, 1)
    end
  end
  redis.call('HSET', key('job', job.id), 'error', message)
  owe(job, owed)
  conclude(job)
end
