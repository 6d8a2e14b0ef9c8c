-- A node takes itself off. KEYS: nodes, cards. ARGV: node
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
