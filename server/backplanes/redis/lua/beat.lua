-- A node says that it lives, and hears who else does.
-- KEYS: nodes (ZSET node -> ms until it is dead), cards. ARGV: node, card, ms
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  redis.call('ZREM', KEYS[1], dead)
  redis.call('HDEL', KEYS[2], dead)
end
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], 86400)
redis.call('EXPIRE', KEYS[2], 86400)
local living = {}
for _, node in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  living[#living + 1] = {node, redis.call('HGET', KEYS[2], node) or 'null'}
end
return {known and 1 or 0, living}
