-- run_wish(run, wish): pause, cancel or resume; the state and the wish afterwards, nothing for an unknown run.
local _, id, wish = unpack(ARGV)
local run = find_run(id)
if not run then return false end
if run.state == 'running' then
  local was = run.wish or ''
  if wish == 'resume' and was == 'pause' then run.wish = '' end
  if wish == 'cancel' or (wish == 'pause' and was ~= 'cancel') then run.wish = wish end
  if (run.wish or '') ~= was then announce_run(run, 'state') end
elseif run.state == 'queued' and wish ~= 'resume' then
  redis.call('ZREM', key('runs', 'queued'), id)
  stop_run(run, wish == 'pause' and 'paused' or 'cancelled', '')
elseif run.state == 'paused' and wish == 'cancel' then
  stop_run(run, 'cancelled', '')
elseif run.state == 'paused' and wish == 'resume' then
  queue_run(run)
  announce_run(run, 'state')
end
return {run.state, run.wish or ''}
