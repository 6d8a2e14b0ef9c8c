-- Enters what a node says into a channel's roll, and sends it to all nodes.
-- KEYS: roll, voice. ARGV: node, stamp, field, frame, 1 to keep it or 0 to take it back
local roll, voice = KEYS[1], KEYS[2]
local node, stamp, field, frame = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
redis.call('HSET', roll, node .. '|', stamp .. ' ' .. redis.call('TIME')[1])
if ARGV[5] == '1' then
  redis.call('HSET', roll, field, frame)
else
  redis.call('HDEL', roll, field)
end
redis.call('EXPIRE', roll, 600)
return redis.call('SPUBLISH', voice, frame)
