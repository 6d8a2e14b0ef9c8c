-- Keeps the drafts of one Append, all or none, and sends them to all nodes.
-- KEYS: for each draft those of its stream; then that of the lease's newest fence, where
--       it is on the same server. On a cluster the fences that came to the channel count.
-- ARGV: new epoch, key of the author or '', lease or '', fence,
--       and for each draft: envelope, bytes, size, max_bytes, age_ms
local fresh, key, lease, fence = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local drafts = math.floor(#KEYS / 5)
local streams, of_draft = {}, {}
for i = 1, drafts do
  local name = KEYS[i * 5 - 4]
  streams[name] = streams[name] or open(i * 5 - 4, fresh)
  of_draft[i] = streams[name]
end

if lease ~= '' then
  local newest = KEYS[drafts * 5 + 1] and redis.call('GET', KEYS[drafts * 5 + 1])
  if newest and tonumber(newest) > fence then return {-1} end
  for meta in pairs(streams) do
    local newest = redis.call('HGET', meta, 'f:' .. lease)
    if newest and tonumber(newest) > fence then return {-1} end
  end
  for meta in pairs(streams) do redis.call('HSET', meta, 'f:' .. lease, whole(fence)) end
end

local function bounds(i)
  local at = i * 5
  return tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
end

if key ~= '' then
  trim(of_draft[1], bounds(1))
  local offset = redis.call('HGET', of_draft[1].keys, key)
  if offset then return {0, of_draft[1].epoch, tonumber(offset)} end
end

local positions = {1}
for i = 1, drafts do
  local s, envelope, bytes = of_draft[i], ARGV[i * 5], tonumber(ARGV[i * 5 + 1])
  local size, max_bytes, age_ms = bounds(i)
  local offset = redis.call('HINCRBY', s.meta, 'o', 1)
  local id = whole(offset) .. '-0'
  local entry = {'d', envelope, 'n', whole(bytes), 't', whole(now_ms())}
  if i == 1 and key ~= '' then
    entry[7], entry[8] = 'k', key
    redis.call('HSET', s.keys, key, whole(offset))
  end
  redis.call('XADD', s.log, id, unpack(entry))
  s.top, s.bytes = offset, s.bytes + bytes
  redis.call('HSET', s.meta, 'b', whole(s.bytes))
  trim(s, size, max_bytes, age_ms)
  touch(s, age_ms, true)
  redis.call('SPUBLISH', s.voice, 'p' .. s.epoch .. '.' .. whole(offset) .. ':' .. envelope)
  positions[#positions + 1] = s.epoch
  positions[#positions + 1] = offset
end
return positions
