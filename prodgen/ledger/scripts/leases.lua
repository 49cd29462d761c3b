-- Ends a lease. Returns its record and its job, or nil if the lease is unknown.
-- The job is nil if it is no longer running, so that its cells need no further care.
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

-- Handles a lease whose worker died or failed. With several cells it is unknown which one is to blame, so each
-- becomes a suspect and is leased alone next. A cell with three strikes is set aside for good.
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
