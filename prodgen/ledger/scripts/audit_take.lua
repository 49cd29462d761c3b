-- audit_take(worker): takes the oldest piece of an audit that the worker may make. Returns the piece and the worker's
-- machine. The first word of a piece lists machines: their workers do not get it, nor do workers that are shut out.
local TRIES = 64  -- pieces that are looked at; the others come first next time
local worker = ARGV[2]
local machine = machine_of(worker)
if is_shut_out(worker) then return false end
for _ = 1, TRIES do
  local piece = redis.call('RPOPLPUSH', key('audits'), key('audits'))
  if not piece then return false end
  if not string.find(string.match(piece, '^%S+'), machine, 1, true) then
    redis.call('LPOP', key('audits'))
    return {piece, machine}
  end
end
return false
