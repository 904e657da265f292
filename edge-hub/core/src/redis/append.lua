-- Appends one entry to a room's log and publishes it: the only way into a room.
--
-- KEYS: 1 log, 2 seen, 3 tombstones, 4 rate, 5 ban, 6 stats, 7 stats:users, 8 stats:top,
--       9 stats:minutes (the hour is added here), 10 edits, 11 read, 12 room, 13 granted, 14 mute,
--      15 slow, 16 webhooks, 17 moderation (and those beside it, whose names begin so);
--      all in the slot of the room
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
--      15 reference     to another message, "SEQ-TAG" or "USER ID": what a change is about, or what
--                       a message answers; or ""
--      16 moderates     "1": the user is a moderator wherever he may be
--      17 most edits of one message
--      18 private       "1": only who has a role here may be here
--      19 unlisted      "1": the figures of the room do not count in those over all rooms
--      20 webhooks      the channel that wakes who tells servers of the operator; "": nobody is told
--      21 most events that wait for them   22 what moderation called it, for them; or ""
--      23 record        the rest of an entry of the moderation log, from "kind" on: of a decision that is
--                       not to allow, of a moderator's deletion or restoration; or ""
--      24 original      "keep MS SEALED" of what was masked, "restore NUMBER" of an edit that brings back
--                       what the entry of this number masks; or ""
--      25… updates, three each: operation, field, amount
--
-- Replies, always flat:
--   {"appended", seq, tag, at, action}   {"duplicate", seq, tag, at, action}
--   {"refused"}                          {"banned", until in ms, or -1 for ever}
--   {"rate_limited", retry in ms}        {"unpublishable"}  (the ACL denies a command)
--   {"stale_target"}  {"target_missing"}  {"forbidden"}  {"too_many_changes"}  {"original_gone"}
--   {"archived"}   {"muted", until in ms, or -1 for ever}   {"slow_mode", retry in ms}

local log, seen, tombstones, rate, ban = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local mode, channel, sender, user = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local kind, hash, rest, action = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local max_entries, max_age = tonumber(ARGV[9]), tonumber(ARGV[10])
local interval, burst = tonumber(ARGV[11]), tonumber(ARGV[12])
local publish, max_fields = ARGV[13], tonumber(ARGV[14])
local reference, moderates, max_edits = ARGV[15], ARGV[16] == '1', tonumber(ARGV[17])
local edits, read, room, granted, mute, slow = KEYS[10], KEYS[11], KEYS[12], KEYS[13], KEYS[14], KEYS[15]
local private = ARGV[18] == '1'
local webhooks = ARGV[20] ~= '' and KEYS[16]
local moderation, record = KEYS[17], ARGV[23]
local original = ARGV[24]
local restores = original ~= '' and string.match(original, '^restore (%d+)$')

-- Reads and checks; nothing is written until all of them have passed.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- The score is the number, and half of one more once the message was deleted: a tombstone does not
-- say whose it is.
local before = tonumber(redis.call('ZSCORE', seen, sender) or '0')
if before > 0 then
  local seq = int(math.floor(before))
  local event = event_at(log, seq)
  if event then
    -- After a failover the number may have gone to another message, or to another kind of entry.
    local _, whose, decided = content_of(event)
    local tag, at = head_of(event)
    if tag and whose == sender then return {'duplicate', seq, tag, at, decided} end
  elseif before > math.floor(before) then
    local tombstone = redis.call('HGET', tombstones, seq)
    if tombstone then
      local tag, at = head_of(tombstone)
      if tag then return {'duplicate', seq, tag, at, 'allow'} end
    end
  end
end

-- Until when a ban or mute lasts: ms, or -1 for ever.
local function lasts(key)
  local lifted = redis.call('ZSCORE', key, user)
  if lifted == 'inf' then return '-1' end
  if lifted and tonumber(lifted) > now then return int(tonumber(lifted)) end
end
local asked, role
local function role_here()
  if not asked then asked, role = true, redis.call('HGET', granted, user) end
  return role
end
local function moderator()
  return moderates or role_here() == 'moderator' or role_here() == 'owner'
end
if private and not role_here() then return {'forbidden'} end
local banned = lasts(ban)
if banned then return {'banned', banned} end

-- What is set of the room. Whatever it is, what was said may be deleted.
local set = redis.call('HMGET', room, 'read_only', 'archived', 'slow_mode_ms', 'log_entries', 'log_age_ms')
local slow_mode = tonumber(set[3] or '0') or 0
max_entries = math.min(max_entries, tonumber(set[4] or '') or max_entries)
max_age = math.min(max_age, tonumber(set[5] or '') or max_age)
if kind ~= 'delete' then
  if set[2] then return {'archived'} end
  local muted = lasts(mute)
  if muted then return {'muted', muted} end
  if set[1] and not moderator() then return {'forbidden'} end
end
local slowed = slow_mode > 0 and kind == 'message' and not moderator()
if slowed then
  local last = tonumber(redis.call('ZSCORE', slow, user) or '0')
  if last + slow_mode > now then return {'slow_mode', int(math.min(slow_mode, last + slow_mode - now))} end
end

-- Generic cell rate: the stored value is the time at which the bucket is full again.
local full_at = tonumber(redis.call('GET', rate) or '0') or 0
if full_at < now then full_at = now end
if full_at - now > interval * (burst - 1) then
  return {'rate_limited', int(math.ceil(full_at - now - interval * (burst - 1)))}
end
local function charge()
  redis.pcall('SET', rate, int(full_at + interval), 'PX', int(full_at + interval - now + 1000))
end

local target
if reference ~= '' then
  local found, why = message_of(reference, log, seen, tombstones)
  if kind == 'message' then
    -- What is answered may have left the log, but it must not be another message.
    if why == 'stale_target' then return {why} end
  else
    if why then return {why} end
    target = found
    if restores then
      if not moderator() then return {'forbidden'} end
    elseif target.user ~= user and (kind == 'edit' or kind == 'delete' and not moderator()) then
      return {'forbidden'}
    end
    -- Looked at in any case, so that a key of another type fails here.
    if redis.call('ZCOUNT', edits, target.seq, target.seq) >= max_edits and kind == 'edit' then
      return {'too_many_changes'}
    end
    redis.call('HLEN', tombstones)
  end
end
if restores then
  local shown = shown_at(target, edits)
  if shown ~= restores or redis.call('EXISTS', moderation .. ':quarantine:' .. shown) == 0 then
    return {'original_gone'}
  end
end

-- What was refused before is decided already.
if mode == 'refuse' and record ~= '' and redis.call('ZSCORE', moderation .. ':known', sender) then
  return {'refused'}
end
-- Of a deletion only what was a moderator's affair is noted.
local write_record
if record ~= '' and (kind ~= 'delete' or target.user ~= user
    or redis.call('ZCOUNT', moderation .. ':queue', target.seq, target.seq) > 0) then
  write_record = moderation_log(moderation, now)
end

local newest = webhooks and redis.call('XREVRANGE', webhooks, '+', '-', 'COUNT', 1)[1]
-- Says what happened and where its text is, which is read when it is told: what is deleted until
-- then is told nobody. The id is when the queue began, and a number without holes in it.
local function tell_servers(...)
  local began, number
  if newest then began, number = string.match(newest[1], '^(%d+)%-(%d+)$') end
  local fields = {'at', int(now), ...}
  local function add(id) return redis.pcall('XADD', webhooks, 'MAXLEN', ARGV[21], id, unpack(fields)) end
  local added = add(began and began .. '-' .. int(tonumber(number) + 1) or int(now) .. '-1')
  -- The end was deleted by hand: its numbers are spent.
  if type(added) == 'table' and added.err then add(int(now) .. '-1') end
  redis.call('PEXPIRE', webhooks, 7 * 24 * 3600 * 1000)
  redis.call('PUBLISH', ARGV[20], webhooks)
end

local function may(...) return not redis.acl_check_cmd or redis.acl_check_cmd(...) end
local seq, tag, at
if write_record and not (may('XADD', moderation, '*', '', '') and may('ZADD', moderation .. ':known', '1', '1')
    and may('PEXPIRE', moderation, '1') and may('SET', moderation .. ':quarantine:1', '', 'PX', '1')) then
  return {'unpublishable'}
end
if webhooks and not (may('XADD', webhooks, '*', '', '') and may('PUBLISH', ARGV[20], '')) then
  return {'unpublishable'}
end
if mode == 'append' then
  -- What is denied after XADD would leave an entry stored and never announced, or a text undeleted.
  if not (may(publish, channel, '') and may('ZADD', seen, '1', sender))
      or kind == 'edit' and not may('ZADD', edits, '1', '1')
      or kind == 'delete' and not (may('HSET', tombstones, '1', '') and may('XDEL', log, '1-0')
        and may('ZREM', edits, '1')) then
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
    tag = link(prev, seq, kind, at, hash, target)
    local event = '{"v":1,"seq":' .. seq .. ',"prev":"' .. prev .. '","tag":"' .. tag .. '","at":' .. at .. ',' ..
      about(target) .. rest
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
  -- An entry whose content goes leaves its place in the chain: header, tag and hash.
  local function bury(number)
    local event = event_at(log, number)
    if not event then return end
    local tombstone = tombstone_of(event)
    if not tombstone then return end
    redis.call('HSET', tombstones, number, tombstone)
    redis.call('XDEL', log, number .. '-0')
    forget_original(moderation, number)
    local _, whose = content_of(event)
    if whose and tonumber(redis.call('ZSCORE', seen, whose) or '0') == tonumber(number) then
      redis.call('ZADD', seen, number .. '.5', whose)
    end
  end
  if kind == 'edit' then
    redis.call('ZADD', edits, target.seq, seq)
  elseif kind == 'delete' then
    for _, number in ipairs(redis.call('ZRANGEBYSCORE', edits, target.seq, target.seq)) do
      bury(number)
      redis.call('ZREM', edits, number)
    end
    bury(target.seq)
    redis.call('ZREMRANGEBYSCORE', moderation .. ':queue', target.seq, target.seq)
  end
  if write_record then
    local message = target or {seq = seq, tag = tag, user = user, id = string.match(sender, ' (.*)$')}
    local number = write_record(record, message)
    if action == 'flag' then enqueue(moderation, message.seq, number) end
  end
  if restores then
    redis.call('ZREMRANGEBYSCORE', moderation .. ':queue', target.seq, target.seq)
    forget_original(moderation, restores)
  end
  if original ~= '' and not restores then
    local keep, sealed = string.match(original, '^keep (%d+) (.+)$')
    local quarantine = moderation .. ':quarantine'
    for _, number in ipairs(redis.call('ZRANGEBYSCORE', quarantine, '-inf', int(now))) do
      forget_original(moderation, number)
    end
    if redis.call('ZCARD', quarantine) >= 1000 then
      forget_original(moderation, redis.call('ZRANGE', quarantine, 0, 0)[1])
    end
    redis.call('SET', quarantine .. ':' .. seq, sealed, 'PX', keep)
    redis.call('ZADD', quarantine, int(now + tonumber(keep)), seq)
    redis.call('PEXPIRE', quarantine, keep)
  end
  redis.call('ZADD', seen, seq, sender)
  if webhooks then
    local happened = {message = 'created', edit = 'edited', delete = 'deleted', react = 'reacted'}
    tell_servers('type', 'message.' .. happened[kind], 'seq', seq, 'tag', tag, 'label', ARGV[22])
  end
  redis.call(publish, channel, '{"e":' .. event .. '}')
  charge()
  if slowed then
    redis.pcall('ZADD', slow, int(now), user)
    redis.pcall('ZREMRANGEBYSCORE', slow, '-inf', int(now - slow_mode))
    redis.pcall('PEXPIRE', slow, int(slow_mode))
  end

  -- Trimming: by count, then by age; the newest entry always stays. The message is stored and
  -- published, so nothing from here on may fail the call.
  local function sweep_tombstones(below)
    for _, number in ipairs(redis.call('HKEYS', tombstones)) do
      if tonumber(number) < below then redis.call('HDEL', tombstones, number) end
    end
  end
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
    if below - from > 1000 then return sweep_tombstones(below) end
    for number = from, below - 1 do redis.call('HDEL', tombstones, int(number)) end
  end
  local function trim()
    local first, from, removed
    local function look()
      first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
      if removed then forget_tombstones(from, number_of(first)) end
      from = number_of(first)
    end
    look()
    if redis.call('XLEN', log) > max_entries then
      redis.call('XTRIM', log, 'MAXLEN', max_entries)
      removed = true
      look()
    end
    for _ = 1, 10 do
      local _, stored_at = head_of(first[2][2])
      local old = stored_at and tonumber(stored_at) < now - max_age
      local crowded = redis.call('XLEN', log) + redis.call('HLEN', tombstones) > max_entries
      if int(from) == seq or not (old or crowded) then break end
      redis.call('XDEL', log, first[1])
      removed = true
      look()
    end
    if not removed then return end
    local gone = '(' .. int(from)
    redis.call('ZREMRANGEBYSCORE', seen, '-inf', gone)
    redis.call('ZREMRANGEBYSCORE', read, '-inf', gone)
    -- An edit leaves with its message, which nobody can delete any more.
    for _, number in ipairs(redis.call('ZRANGEBYSCORE', edits, '-inf', gone)) do
      if number ~= seq then
        bury(number)
        redis.call('ZREM', edits, number)
      end
    end
    -- Whoever trims by hand leaves tombstones behind.
    if tonumber(seq) % 1000 == 0 then sweep_tombstones(from) end
  end
  if not pcall(trim) then redis.pcall('HINCRBY', KEYS[6], 'trim_errors', 1) end
end

if write_record and mode == 'refuse' then
  write_record(record, target, sender)
  -- Whoever is refused again and again must not fill that log.
  charge()
end
if webhooks and mode == 'refuse' then
  local readable, policy = pcall(function() return cjson.decode('{' .. rest).moderation.policy end)
  tell_servers('type', 'message.blocked', 'user', user, 'id', string.match(sender, ' (.*)$'), 'kind', kind,
    'target', target and target.seq .. '-' .. target.tag or '', 'label', ARGV[22], 'policy', readable and policy or '')
end

-- Counters. They must never fail the append: errors are counted themselves.
local stats, users, top, minutes = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local function bounded(key, field)
  -- Five fields are kept free: other, damaged, trim_errors, counter_errors, unlisted.
  if redis.call('HEXISTS', key, field) == 1 or redis.call('HLEN', key) < max_fields - 5 then return field end
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
-- Found by whoever brings the figures over all rooms up to date.
if ARGV[19] == '1' and #ARGV > 24 then redis.pcall('HSET', stats, 'unlisted', '1') end
for i = 25, #ARGV, 3 do
  local ok = pcall(apply[ARGV[i]], ARGV[i + 1], tonumber(ARGV[i + 2]))
  if not ok then redis.pcall('HINCRBY', stats, 'counter_errors', 1) end
end

if mode == 'append' then return {'appended', seq, tag, at, action} end
return {'refused'}
