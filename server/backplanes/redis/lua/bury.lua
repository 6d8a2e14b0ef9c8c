-- Takes nodes that live no longer off a channel's roll. One that spoke within the last
-- minute stays: it may be back already. KEYS: roll. ARGV: nodes
local now = tonumber(redis.call('TIME')[1])
local fields = redis.call('HKEYS', KEYS[1])
for _, node in ipairs(ARGV) do
  local spoke = redis.call('HGET', KEYS[1], node .. '|')
  local at = spoke and tonumber(string.match(spoke, ' (%d+)$')) or 0
  if now - at > 60 then
    for _, field in ipairs(fields) do
      if string.sub(field, 1, #node + 1) == node .. '|' then
        redis.call('HDEL', KEYS[1], field)
      end
    end
  end
end
