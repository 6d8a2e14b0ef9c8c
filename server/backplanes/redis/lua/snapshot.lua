-- Keeps a state and lets go of what it stands for; an older one than the newest is
-- ignored. ARGV: new epoch, age_ms, epoch, offset, state
local s = open(1, ARGV[1])
local at = tonumber(ARGV[4])
if ARGV[3] == s.epoch and at <= s.top then
  local newest = tonumber(redis.call('HGET', s.snap, 'o') or -1)
  if at >= newest then
    redis.call('HSET', s.snap, 'o', whole(at), 'd', ARGV[5])
    pop_while(s, function(entry)
      return tonumber(string.match(entry[1], '^%d+')) <= at
    end)
  end
end
touch(s, tonumber(ARGV[2]), false)
return {s.epoch, s.top}
