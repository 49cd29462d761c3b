-- Returns the digits that stand for a worker's machine in tokens. Workers are called `{machine}-{process}-{random}`.
local function machine_of(worker)
  return string.sub(redis.sha1hex(string.match(worker, '^(.+)%-%d+%-%x+$') or worker), 1, 8)
end

-- Whether an audit has shut the worker's machine out.
local function is_shut_out(worker)
  return redis.call('SISMEMBER', key('shut_out'), machine_of(worker)) == 1
end

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

-- Returns a lease as scripts answer it.
local function view_lease(token, job, first, cells, alone, queue)
  local tenant = redis.call('HGET', key('job', job), 'tenant') or ''
  return {token, job, tenant, tonumber(first), tonumber(cells), tonumber(alone), queue}
end

-- Makes consecutive cells suspect: they are leased together next, and alone on their worker.
local function suspect(job, first, cells)
  redis.call('ZADD', key('job', job.id, 'suspects'), first, first .. ':' .. cells)
end

-- Owes the cells of a lease again, without blame. Suspects stay suspects.
local function return_cells(job, lease)
  if lease.alone == 1 then
    suspect(job, lease.first, lease.cells)
  else
    mark(key('job', job.id, 'taken'), lease.first, lease.cells, 0)
  end
  owe(job, images(job, lease.first, lease.cells))
end

-- Sets consecutive cells aside for good, with their error and how often each was tried alone. Returns how many.
local function set_aside(job, first, cells, message)
  local names, errors, strikes = {}, key('job', job.id, 'errors'), key('job', job.id, 'strikes')
  local room = ERRORS - redis.call('HLEN', errors)
  for cell = first, first + cells - 1 do
    names[#names + 1] = cell
    if #names <= room then
      redis.call('HSET', errors, cell, (redis.call('HGET', strikes, cell) or 0) .. ' ' .. message)
    end
  end
  redis.call('HDEL', strikes, unpack(names))
  redis.call('SADD', key('job', job.id, 'dead'), unpack(names))
  job.dead = redis.call('HINCRBY', key('job', job.id), 'dead', images(job, first, cells))
  return cells
end

-- Handles a lease whose worker died or failed. With several cells it is unknown which one is to blame, so each half
-- becomes a suspect: a few leases find the cell. A lone cell with three strikes is set aside for good.
local function blame(job, lease, strike, message)
  local strikes, owed = key('job', job.id, 'strikes'), images(job, lease.first, lease.cells)
  local half = math.floor(lease.cells / 2)
  if half > 0 then
    suspect(job, lease.first, half)
    suspect(job, lease.first + half, lease.cells - half)
  elseif strike and redis.call('HINCRBY', strikes, lease.first, 1) >= STRIKES then
    set_aside(job, lease.first, 1, message)
    owed = 0
  else
    suspect(job, lease.first, 1)
  end
  redis.call('HSET', key('job', job.id), 'error', message)
  owe(job, owed)
  conclude(job)
end
