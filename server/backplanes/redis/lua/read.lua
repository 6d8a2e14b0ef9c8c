-- What follows a position. ARGV: new epoch, epoch, offset, limit, size, max_bytes, age_ms
local s = open(1, ARGV[1])
local after, limit, age_ms = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[7])
local kept = trim(s, tonumber(ARGV[5]), tonumber(ARGV[6]), age_ms)
touch(s, age_ms, false)
local found = {}
if ARGV[2] == s.epoch and after < s.top and after >= s.top - kept and limit > 0 then
  found = redis.call('XRANGE', s.log, whole(after + 1) .. '-0', '+', 'COUNT', whole(limit))
end
return {s.epoch, s.top, kept, found}
