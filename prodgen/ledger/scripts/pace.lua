-- pace(job, seconds, leases): returns the microseconds since an event of the job, and the images counted since then. The
-- event is the newest one that is as old as `seconds` and as many counted leases, or else the last change of state.
local EVENTS = 64  -- events that are looked at
local _, id, seconds, leases = unpack(ARGV)
local events = redis.call('XREVRANGE', key('job', id, 'events'), '+', '-', 'COUNT', EVENTS)
local age, done = 0, 0
for i, event in ipairs(events) do
  local _, kind, _, _, _, count = unpack(event[2])
  age = now() - tonumber(string.match(event[1], '%d+')) * 1000
  done = tonumber(count)
  if kind == 'state' or (i > tonumber(leases) and age >= seconds * 1000000) then break end
end
return {age, events[1] and tonumber(events[1][2][6]) - done or 0}
