-- Fair queueing by weighted virtual time. Tenants wait in a line, and so do the jobs of each tenant. The member
-- that has received the fewest images for its weight is served first. The hash `line/spent` holds what each
-- member has received, and under '' the line's clock: what a member would have that was always served fairly. A
-- member that joins starts at its old value or at the clock, whichever is later. The clock moves at each service,
-- so an endless row of new members, such as small orders, starves no member that waits.
local function join(line, member)
  if redis.call('ZSCORE', line, member) then return end
  local spent = tonumber(redis.call('HGET', line .. '/spent', member) or 0)
  local clock = tonumber(redis.call('HGET', line .. '/spent', '') or 0)
  redis.call('ZADD', line, math.max(spent, clock), member)
end

local function first_in(line)
  return redis.call('ZRANGE', line, 0, 0)[1]
end

local function charge(line, member, amount)
  local least = tonumber(redis.call('ZRANGE', line, 0, 0, 'WITHSCORES')[2])
  local clock = tonumber(redis.call('HGET', line .. '/spent', '') or 0)
  clock = math.max(least, clock) + amount / redis.call('ZCARD', line)
  local spent = redis.call('ZINCRBY', line, amount, member)
  redis.call('HSET', line .. '/spent', '', string.format('%.17g', clock), member, spent)
end

-- The images of a file that a client waits for by its address: the steps of a morph, or one. A text within the formula has its
-- quotes escaped, so it cannot look like the field.
local function images_in(entry) return tonumber(string.match(entry, '"steps":(%d+)') or 1) end

-- Whether an image starts from a picture, whose latent a worker may have to search for some seconds.
local function is_search(entry) return string.find(entry, '"picture":{', 1, true) ~= nil end

-- The images that take about as long to make as a file. A worker takes two searches at a time.
local function work_in(entry) return is_search(entry) and 32 or images_in(entry) end

-- Changes how many images of a job its queue owes. A queue owes none of a paused job.
local function count_owed(job, change)
  if job.paused == 1 then return end
  redis.call('HINCRBY', key('queue', job.queue), 'owed', change)
  local models = key('queue', job.queue, 'models')
  if job.model and redis.call('HINCRBY', models, job.model, change) <= 0 then
    redis.call('HDEL', models, job.model)
  end
end

-- Puts a job into its line, where it waits exactly while `owed` images of it may be leased.
local function line_up(job, owed)
  local tenants, jobs = key('line', job.queue), key('line', job.queue, job.tenant)
  if owed > 0 and job.paused ~= 1 then
    join(tenants, job.tenant)
    join(jobs, job.id)
    redis.call('ZADD', key('waiting', job.queue), job.created, job.id)
  else
    redis.call('ZREM', jobs, job.id)
    redis.call('ZREM', key('waiting', job.queue), job.id)
    if redis.call('EXISTS', jobs) == 0 then redis.call('ZREM', tenants, job.tenant) end
  end
end

-- Changes how many images of a job are owed.
local function owe(job, change)
  job.owed = redis.call('HINCRBY', key('job', job.id), 'owed', change)
  count_owed(job, change)
  line_up(job, job.owed)
end
