-- Gives a lease up, if this node has it. KEYS: holder. ARGV: node
local holder = redis.call('GET', KEYS[1])
if holder and string.match(holder, '^(%S+) ') == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
