-- run_settled(run, state): the store knows that the run is in this state; what has ended there has ended here.
local run = find_run(ARGV[2])
if run and run.state ~= ARGV[3] and ARGV[3] ~= 'paused' and run.state ~= 'running' and run.state ~= 'queued' then
  run.state = ARGV[3]
  announce_run(run, 'state')
end
if run and run.state ~= ARGV[3] then return 0 end
redis.call('SREM', key('runs', 'stopped'), ARGV[2])
if ARGV[3] ~= 'paused' then redis.call('EXPIRE', key('run', ARGV[2], 'events'), 86400) end
return 1
