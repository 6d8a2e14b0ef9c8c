-- What the scripts of a stream share; it stands before each of them.
--
-- A stream is five keys with one hash tag, in this order in KEYS:
--   meta   HASH    e epoch, o top offset, b bytes kept, r who wrote it, f:<lease> fence
--   log    STREAM  <offset>-0: d envelope, n bytes, t ms of Redis, k key of its author
--   keys   HASH    key of an author -> offset, as long as the publication is kept
--   snap   HASH    o offset, d state
--   voice          the Pub/Sub channel
local DAYS_30_MS, BLANK_MS = 2592000000, 600000

local function whole(number) return string.format('%.0f', number) end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A restarted server and a promoted replica have another id: either may have lost the
-- tail of a stream, and would use its offsets again. A master gets another one too when
-- a replica comes to it first, and when all have been gone for its `repl-backlog-ttl`:
-- false alarms, for which a stream begins anew without need.
local function server_id()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end

local function begin(s, epoch)
  redis.call('DEL', s.log, s.keys, s.snap)
  redis.call('HSET', s.meta, 'e', epoch, 'o', 0, 'b', 0, 'r', server_id())
  s.epoch, s.top, s.bytes = epoch, 0, 0
end

-- The stream whose keys begin at KEYS[first]; a new one, of epoch `fresh`, where there
-- is none or where what there is cannot be trusted.
local function open(first, fresh)
  local s = {
    meta = KEYS[first], log = KEYS[first + 1], keys = KEYS[first + 2],
    snap = KEYS[first + 3], voice = KEYS[first + 4],
  }
  local meta = redis.call('HMGET', s.meta, 'e', 'o', 'b', 'r')
  if meta[1] and meta[4] == server_id() then
    s.epoch, s.top, s.bytes = meta[1], tonumber(meta[2]), tonumber(meta[3])
  else
    begin(s, fresh)
  end
  return s
end

local function pop(s, entry)
  local fields = entry[2]
  redis.call('XDEL', s.log, entry[1])
  s.bytes = s.bytes - tonumber(fields[4])
  if fields[7] then redis.call('HDEL', s.keys, fields[8]) end
end

-- Lets the oldest go, one by one, while `goes(entry, kept)`.
local function pop_while(s, goes)
  local kept, before = redis.call('XLEN', s.log), s.bytes
  while kept > 0 do
    local entry = redis.call('XRANGE', s.log, '-', '+', 'COUNT', 1)[1]
    if not goes(entry, kept) then break end
    pop(s, entry)
    kept = kept - 1
  end
  if kept == 0 then s.bytes = 0 end
  if s.bytes ~= before then redis.call('HSET', s.meta, 'b', whole(s.bytes)) end
  return kept
end

-- Holds a stream inside its bounds; `age_ms` 0 means that it may grow old.
local function trim(s, size, max_bytes, age_ms)
  local oldest = age_ms > 0 and now_ms() - age_ms
  return pop_while(s, function(entry, kept)
    return kept > size or s.bytes > max_bytes
      or (oldest and tonumber(entry[2][6]) < oldest)
  end)
end

-- A channel that nobody wrote to is soon forgotten: its name may be forged.
local function touch(s, age_ms, wrote)
  local life = s.top == 0 and BLANK_MS or math.max(DAYS_30_MS, age_ms)
  redis.call('PEXPIRE', s.meta, whole(life))
  redis.call('PEXPIRE', s.snap, whole(life))
  if wrote or age_ms == 0 then
    local kept = whole(age_ms > 0 and age_ms or life)
    redis.call('PEXPIRE', s.log, kept)
    redis.call('PEXPIRE', s.keys, kept)
  end
end

