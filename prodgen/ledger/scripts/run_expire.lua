-- run_expire(): end the attempts that have a member past its deadline. Returns their runs' ids and new states.
local expired = {}
for _, id in ipairs(redis.call('SMEMBERS', key('runs', 'running'))) do
  local members = redis.call('HGETALL', key('run', id, 'members'))
  for k = 1, #members, 2 do
    local run = find_run(id)
    if run.token and tonumber(members[k + 1]) < now() then
      retry(run, 'the node ' .. members[k] .. ' was lost')
      expired[#expired + 1] = {id, redis.call('HGET', key('run', id), 'state')}
    end
  end
end
return expired
