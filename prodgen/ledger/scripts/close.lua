-- close(job, retries, state, done, error, finished, dead...): the end after so many retries is in the store. Keeps only
-- what lists show. The end of a settled job only changes if an audit took images back. Returns 0 if nothing changed.
local _, id, retries, state, done, message, finished = unpack(ARGV, 1, 7)
local job = find(id)
if not job or (job.retries or 0) > tonumber(retries) then return 0 end
local pending = redis.call('SREM', key('finishing'), id) == 1
local ended = not unfinished(job) and job.state ~= 'finishing'
if ended and not pending and tonumber(done) >= job.done then return 0 end

owe(job, -job.owed)
redis.call('SREM', key('jobs', 'open', job.tenant), id)
clear(id)
local failed = 0
for i = 8, #ARGV do failed = failed + images(job, tonumber(ARGV[i]), 1) end
redis.call('HDEL', key('job', id), 'error')
if message ~= '' then redis.call('HSET', key('job', id), 'error', message) end
redis.call('HDEL', key('line', job.queue, job.tenant) .. '/spent', id)
local changed = job.state ~= state
job.state, job.done = state, tonumber(done)
if changed then announce(job, 'state') end
redis.call('HSET', key('job', id), 'done', done, 'dead', failed, 'updated', finished)
redis.call('EXPIRE', key('job', id, 'events'), 600)
drop_oldest(job.tenant)
return 1
