-- What stands before an offset, newest first; 0 means behind the newest.
-- ARGV: new epoch, offset, limit, size, max_bytes, age_ms
local s = open(1, ARGV[1])
local before, limit, age_ms = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[6])
local kept = trim(s, tonumber(ARGV[4]), tonumber(ARGV[5]), age_ms)
touch(s, age_ms, false)
local found = {}
if limit > 0 then
  local from = before > 0 and whole(before - 1) .. '-0' or '+'
  found = redis.call('XREVRANGE', s.log, from, '-', 'COUNT', whole(limit))
end
return {s.epoch, s.top, kept, found}
