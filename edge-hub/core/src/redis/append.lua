-- Appends one entry to a room's log and publishes it: the only way into a room.
--
-- KEYS: 1 log, 2 seen, 3 tombstones, 4 rate, 5 ban, 6 stats, 7 stats:users, 8 stats:top,
--       9 stats:minutes (the hour is added here); all in the slot of the room
-- ARGV: 1 mode          "append", or "refuse": look in `seen` and count, store nothing
--       2 channel       publications go here
--       3 sender        "USER ID", the key of deduplication
--       4 user
--       5 kind
--       6 hash          of salt and body, 64 hexadecimal digits
--       7 rest          of the entry's JSON, from "kind" on
--       8 action        what moderation decided
--       9 max entries   10 max age in ms
--      11 interval in ms between messages of one user here, 12 burst (messages)
--      13 publish command, PUBLISH or SPUBLISH
--      14 maximum fields in a statistics key
--      15… updates, three each: operation, field, amount
--
-- Replies, always flat:
--   {"appended", seq, tag, at, action}   {"duplicate", seq, tag, at, action}
--   {"refused"}                          {"banned", until in ms, or -1 for ever}
--   {"rate_limited", retry in ms}        {"unpublishable"}  (the ACL denies the publication)

local log, seen, tombstones, rate, ban = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local mode, channel, sender, user = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local kind, hash, rest, action = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local max_entries, max_age = tonumber(ARGV[9]), tonumber(ARGV[10])
local interval, burst = tonumber(ARGV[11]), tonumber(ARGV[12])
local publish, max_fields = ARGV[13], tonumber(ARGV[14])

local function int(n) return string.format('%.0f', n) end
-- The start of an entry is written below, so its form is known; the rest is never parsed here.
local function head_of(event)
  return string.match(event, '^{"v":%d+,"seq":%d+,"prev":"%x+","tag":"(%x+)","at":(%d+)')
end
local function number_of(entry) return tonumber(string.match(entry[1], '^(%d+)')) end
local function link(prev, seq, kind, at, hash)
  return string.sub(redis.sha1hex(prev .. '|' .. seq .. '|' .. kind .. '|' .. at .. '|1|' .. hash), 1, 16)
end

-- Reads and checks; nothing is written until all of them have passed.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- The score is the number, and half of one more once the message was deleted: a tombstone does not
-- say whose it is.
local before = tonumber(redis.call('ZSCORE', seen, sender) or '0')
if before > 0 then
  local seq = int(math.floor(before))
  local found = redis.call('XRANGE', log, seq .. '-0', seq .. '-0')
  if found[1] then
    -- After a failover the number may have gone to another message, or to another kind of entry.
    local readable, stored, tag, at, decided = pcall(function()
      local entry = cjson.decode(found[1][2][2])
      return entry.body.user.id .. ' ' .. entry.body.id, entry.tag, entry.at, entry.moderation.action
    end)
    if readable and stored == sender then return {'duplicate', seq, tag, int(at), decided or 'allow'} end
  elseif before > math.floor(before) then
    local tombstone = redis.call('HGET', tombstones, seq)
    if tombstone then
      local tag, at = head_of(tombstone)
      if tag then return {'duplicate', seq, tag, at, 'allow'} end
    end
  end
end

local lifted = redis.call('ZSCORE', ban, user)
if lifted then
  if lifted == 'inf' then return {'banned', '-1'} end
  if tonumber(lifted) > now then return {'banned', int(tonumber(lifted))} end
end

-- Generic cell rate: the stored value is the time at which the bucket is full again.
local full_at = tonumber(redis.call('GET', rate) or '0') or 0
if full_at < now then full_at = now end
if full_at - now > interval * (burst - 1) then
  return {'rate_limited', int(math.ceil(full_at - now - interval * (burst - 1)))}
end

local seq, tag, at
if mode == 'append' then
  -- What is denied after XADD would leave an entry stored and never announced.
  if redis.acl_check_cmd and not (redis.acl_check_cmd(publish, channel, '')
      and redis.acl_check_cmd('ZADD', seen, '1', sender)) then
    return {'unpublishable'}
  end
  local last, prev = 0, '0000000000000000'
  local tail = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if tail then
    last = number_of(tail)
    prev = head_of(tail[2][2])
    if not prev then return redis.error_reply('CORRUPT the last entry of ' .. log .. ' is not one of ours') end
  end
  at = int(now)
  local function add()
    seq = int(last + 1)
    tag = link(prev, seq, kind, at, hash)
    local event = '{"v":1,"seq":' .. seq .. ',"prev":"' .. prev .. '","tag":"' .. tag .. '","at":' .. at .. ',' .. rest
    return redis.pcall('XADD', log, seq .. '-0', 'event', event), event
  end
  local added, event = add()
  if type(added) == 'table' and added.err then
    -- Either Redis refuses writes (then so does the next command), or entries at the end were
    -- deleted by hand: the numbers up to last-generated-id are spent, and one tombstone says so.
    local info = redis.call('XINFO', 'STREAM', log)
    local spent
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then spent = tonumber(string.match(info[i + 1], '^(%d+)')) end
    end
    if not spent or spent <= last then return redis.error_reply(added.err) end
    local zeros = string.rep('0', 64)
    local gap = link(prev, int(spent), 'damaged', at, zeros)
    redis.call('HSET', tombstones, int(spent), '{"v":1,"seq":' .. int(spent) .. ',"prev":"' .. prev ..
      '","tag":"' .. gap .. '","at":' .. at .. ',"from":' .. int(last + 1) ..
      ',"kind":"damaged","hash":"' .. zeros .. '"}')
    redis.pcall('HINCRBY', KEYS[6], 'damaged', 1)
    last, prev = spent, gap
    added, event = add()
    if type(added) == 'table' and added.err then return redis.error_reply(added.err) end
  end
  redis.call('ZADD', seen, seq, sender)
  redis.call(publish, channel, '{"e":' .. event .. '}')
  redis.pcall('SET', rate, int(full_at + interval), 'PX', int(full_at + interval - now + 1000))

  -- Trimming: by count, then by age; the newest entry always stays. The message is stored and
  -- published, so nothing from here on may fail the call.
  local function forget_tombstones(from, below)
    if redis.call('HLEN', tombstones) == 0 then return end
    -- Those right below the lowest entry were kept with it; what is there is found link by link.
    while from > 1 do
      local tombstone = redis.call('HGET', tombstones, int(from - 1))
      if not tombstone then break end
      local first = string.match(tombstone, '"at":%d+,"from":(%d+)') or string.match(tombstone, '"seq":(%d+)')
      redis.call('HDEL', tombstones, int(from - 1))
      from = tonumber(first)
    end
    if below - from > 1000 then
      for _, number in ipairs(redis.call('HKEYS', tombstones)) do
        if tonumber(number) < below then redis.call('HDEL', tombstones, number) end
      end
    else
      for number = from, below - 1 do redis.call('HDEL', tombstones, int(number)) end
    end
  end
  local function trim()
    local function lowest() return redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1] end
    local first, removed = lowest(), 0
    local before = number_of(first)
    if redis.call('XLEN', log) > max_entries then
      removed = redis.call('XTRIM', log, 'MAXLEN', max_entries)
      first = lowest()
    end
    for _ = 1, 10 do
      local _, stored_at = head_of(first[2][2])
      if int(number_of(first)) == seq or not stored_at or tonumber(stored_at) >= now - max_age then break end
      removed = removed + redis.call('XDEL', log, first[1])
      first = lowest()
    end
    if removed > 0 then
      redis.call('ZREMRANGEBYSCORE', seen, '-inf', '(' .. int(number_of(first)))
      forget_tombstones(before, number_of(first))
    end
  end
  if not pcall(trim) then redis.pcall('HINCRBY', KEYS[6], 'trim_errors', 1) end
end

-- Counters. They must never fail the append: errors are counted themselves.
local stats, users, top, minutes = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local function bounded(key, field)
  -- Four fields are kept free: other, damaged, trim_errors, counter_errors.
  if redis.call('HEXISTS', key, field) == 1 or redis.call('HLEN', key) < max_fields - 4 then return field end
  return 'other'
end
local apply = {}
function apply.add(field, amount)
  redis.call('HINCRBY', stats, bounded(stats, field), amount)
end
function apply.unique(field)
  redis.call('PFADD', users, field)
end
function apply.top(field, amount)
  -- Space-Saving (Metwally, Agrawal, El Abbadi 2005): a newcomer takes the place and count of the
  -- smallest, so that the largest stay right in bounded memory.
  if redis.call('ZCARD', top) >= max_fields and not redis.call('ZSCORE', top, field) then
    local least = redis.call('ZPOPMIN', top)
    amount = amount + tonumber(least[2])
  end
  redis.call('ZINCRBY', top, amount, field)
end
function apply.minute(_, amount)
  local hour = math.floor(now / 3600000)
  local key = minutes .. ':' .. int(hour)
  redis.call('HINCRBY', key, int(math.floor(now / 60000) % 60), amount)
  redis.call('EXPIRE', key, 7 * 24 * 3600)
end
for i = 15, #ARGV, 3 do
  local ok = pcall(apply[ARGV[i]], ARGV[i + 1], tonumber(ARGV[i + 2]))
  if not ok then redis.pcall('HINCRBY', stats, 'counter_errors', 1) end
end

if mode == 'append' then return {'appended', seq, tag, at, action} end
return {'refused'}
