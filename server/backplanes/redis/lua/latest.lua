-- The newest snapshot. ARGV: new epoch, age_ms
local s = open(1, ARGV[1])
touch(s, tonumber(ARGV[2]), false)
local snap = redis.call('HMGET', s.snap, 'o', 'd')
if not snap[1] then return {s.epoch} end
return {s.epoch, tonumber(snap[1]), snap[2]}
