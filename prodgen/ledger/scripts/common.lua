-- Functions that all scripts share. KEYS[1] is the key of the epoch, ARGV[1] the prefix of all keys.
local CELL = 64    -- images a cell
local STRIKES = 3  -- deaths alone after which a cell is set aside
local ERRORS = 1000  -- cells of a job whose errors are kept
local KEPT = 10000  -- settled jobs of a tenant, and as many runs: the newest; the store has all others

local function key(...)
  return ARGV[1] .. table.concat({...}, ':')
end

-- Returns the microseconds since 1970 by this server's clock.
local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function read(hash)
  local flat, record = redis.call('HGETALL', hash), {}
  for i = 1, #flat, 2 do record[flat[i]] = tonumber(flat[i + 1]) or flat[i + 1] end
  return record
end

-- Whether a job or run may be entered: by the recovery that runs or, with recovery '', while the ledger is open.
local function may_restore(recovery)
  if recovery == '' then return redis.call('EXISTS', KEYS[1]) == 1 end
  return redis.call('GET', key('recovering')) == recovery
end

-- Returns a job's record, or nil. Ids and tenants that look like numbers stay strings.
local function find(id)
  local job = read(key('job', id))
  if not job.state then return nil end
  job.id, job.tenant = id, redis.call('HGET', key('job', id), 'tenant')
  return job
end

-- Deletes what is only needed of a job that has not ended.
local function clear(id)
  for _, part in ipairs({'taken', 'made', 'suspects', 'strikes', 'won', 'dead', 'errors', 'refused'}) do
    redis.call('DEL', key('job', id, part))
  end
  redis.call('ZREM', key('deadlines'), id)
end

local function images(job, first, cells)
  return math.min((first + cells) * CELL, job.total) - first * CELL
end

-- Sets the bits of consecutive cells in one command.
local function mark(bitmap, first, cells, bit)
  local sets = {}
  for cell = first, first + cells - 1 do
    for _, word in ipairs({'SET', 'u1', cell, bit}) do sets[#sets + 1] = word end
  end
  redis.call('BITFIELD', bitmap, unpack(sets))
end

local function unfinished(job)
  return job.state == 'queued' or job.state == 'running'
end

-- The state that callers see. A paused job keeps its own state, because its leases in flight still count.
local function seen(job)
  return unfinished(job) and job.paused == 1 and 'paused' or job.state
end

-- Tells the gateways that wait for it that a job, a run or a file has changed. Gateways also look from time to time, so a user of
-- Redis without the right to publish only makes them slower: an error here would leave the script half done.
local function publish(name)
  redis.pcall('PUBLISH', key('changed'), name)
end

local function announce(job, kind)
  redis.call('HSET', key('job', job.id), 'state', job.state, 'done', job.done, 'updated', now() / 1000000)
  redis.call('XADD', key('job', job.id, 'events'), 'MAXLEN', '~', 1000, '*',
    'type', kind, 'state', seen(job), 'done', job.done, 'total', job.total)
  publish('job:' .. job.id .. ':events')
end

-- Makes the job finishing once all its images are made or set aside: its end may now be settled.
local function conclude(job)
  if job.done + job.dead < job.total then return end
  job.state = 'finishing'
  redis.call('SADD', key('finishing'), job.id)
  announce(job, 'state')
end
