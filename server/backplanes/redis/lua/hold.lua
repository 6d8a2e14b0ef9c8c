-- Takes a lease or keeps it; false: another node has it. Fences grow with the time, so
-- that they do even after all was lost.
-- KEYS: holder, newest fence. ARGV: node, ms
local holder = redis.call('GET', KEYS[1])
if holder then
  local node, fence = string.match(holder, '^(%S+) (%d+)$')
  if node ~= ARGV[1] then return false end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(fence)
end
local time = redis.call('TIME')
local newest = tonumber(redis.call('GET', KEYS[2]) or 0)
local fence = math.max(time[1] * 1000000 + time[2], newest + 1)
local text = string.format('%.0f', fence)
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. text, 'PX', ARGV[2])
redis.call('SET', KEYS[2], text, 'EX', 2592000)
return fence
