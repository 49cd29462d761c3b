-- lease(queue, worker, cells, microseconds, request): leases the next untaken cells of the job whose turn it is, or
-- suspect cells alone to a worker that holds no lease. Returns the lease, or false. A request that is sent again,
-- because its answer was lost, returns the same lease.
local TRIES = 64  -- jobs, and tenants, that are looked at for a job that the worker has not refused
local _, queue, worker, want, microseconds, request = unpack(ARGV)
local given = redis.call('GET', key('given', request))
local again = given and redis.call('HMGET', key('lease', given), 'job', 'first', 'cells', 'alone', 'queue')
if again and again[1] then return view_lease(given, unpack(again)) end
if is_shut_out(worker) then return false end

local held = redis.call('SMEMBERS', key('worker', worker))
if #held == 1 and redis.call('HGET', key('lease', held[1]), 'alone') == '1' then return false end

-- A worker that was busy when a suspect was due leases nothing else until the suspect is taken.
local reserved = redis.call('GET', key('reserved', worker))
if reserved and (redis.call('EXISTS', key('job', reserved, 'suspects')) == 0
    or redis.call('HGET', key('job', reserved), 'paused') == '1') then
  reserved = nil
end
if reserved and #held > 0 then return false end

-- Returns the job whose turn it is, without those that the worker has refused.
local function next_job()
  for i = 0, TRIES - 1 do
    local tenant = redis.call('ZRANGE', key('line', queue), i, i)[1]
    if not tenant then return nil end
    for k = 0, TRIES - 1 do
      local id = redis.call('ZRANGE', key('line', queue, tenant), k, k)[1]
      if not id then break end
      if redis.call('SISMEMBER', key('job', id, 'refused'), worker) == 0 then return id end
    end
  end
end

local id = reserved or next_job()
if not id then return false end
local job = find(id)
local taken, suspects = key('job', job.id, 'taken'), key('job', job.id, 'suspects')

local first, cells = nil, 1
local suspect = #held == 0 and first_in(suspects)
if suspect then
  first, cells = string.match(suspect, '(%d+):(%d+)')
  redis.call('ZREM', suspects, suspect)
else
  local count = math.ceil(job.total / CELL)
  first = redis.call('BITPOS', taken, 0)
  if first < 0 or first >= count then
    redis.call('SET', key('reserved', worker), job.id, 'PX', math.ceil(microseconds / 1000))
    return false
  end
  local stop = redis.call('BITPOS', taken, 1, first, -1, 'BIT')
  if stop < 0 then stop = count end
  cells = math.min(tonumber(want), job.lease_cells or stop, stop - first)
  mark(taken, first, cells, 1)
end
redis.call('DEL', key('reserved', worker))

local number = math.max(now(), tonumber(redis.call('GET', key('token')) or 0) + 1)
redis.call('SET', key('token'), string.format('%.0f', number))
local token = redis.call('GET', KEYS[1]) .. '-' .. string.format('%.0f', number) .. '-' .. machine_of(worker)
redis.call('HSET', key('lease', token), 'job', job.id, 'queue', job.queue, 'worker', worker, 'first', first,
  'cells', cells, 'alone', suspect and 1 or 0)
redis.call('SET', key('given', request), token, 'PX', math.ceil(microseconds / 1000))
redis.call('ZADD', key('leases'), now() + microseconds, token)
redis.call('SADD', key('worker', worker), token)
redis.call('HINCRBY', key('queue', job.queue), 'leases', 1)

local amount = images(job, first, cells)
charge(key('line', job.queue), job.tenant, amount / job.weight)
charge(key('line', job.queue, job.tenant), job.id, amount / job.weight)
owe(job, -amount)
if job.state == 'queued' then
  job.state = 'running'
  announce(job, 'state')
end
return view_lease(token, job.id, first, cells, suspect and 1 or 0, job.queue)
