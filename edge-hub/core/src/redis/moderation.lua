-- What moderators see and do in a room, and what users report to them.
--
-- KEYS: 1 log, 2 seen, 3 tombstones, 4 edits, 5 granted, 6 ban, 7 rate (of the user who asks), 8 moderation
--       (and those beside it, whose names begin so); all in the slot of the room
-- ARGV: 1 operation   "report", "dismiss", "original", "queue", "log", "erase"
--       2 by          the user who asks, or who is erased   3 his role by his token: "member", "moderator", "admin"
--       4 private     "1": only who has a role here may be here
--       5 reference   to the message that is meant, "SEQ-TAG" or "USER ID"; of "queue" and "log" the number where
--                     the page before ended, or ""
--       6 record      the rest of the entry that "report" and "dismiss" write
--       7 interval in ms between messages of one user here, 8 burst: "report" counts as one
--       9 most        messages of a page of "queue", entries of one of "log"
--      10… entries that "erase" removes, two each: number, tag
--
-- Replies, always flat:
--   {"done"}   {"forbidden"}   {"banned", until in ms, or -1 for ever}   {"rate_limited", retry in ms}
--   {"target_missing"}   {"stale_target"}   {"original_gone"}   {"unpublishable"}
--   {"original", number, user, id, sealed}   whose it is, and what is sealed
--   {"queue", next, …}   where the next page begins or "", and for each message: its number, its entry, its
--                        newest edit or "", how often it was reported, how many entries follow, entry, …
--   {"log", next, entry, …}   newest first
--   {"erased", entries removed}

local log, seen, tombstones, edits = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local moderation = KEYS[8]
local buried, known, queue = moderation .. ':tombstones', moderation .. ':known', moderation .. ':queue'
local operation, by, token_role, private = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local reference, record, most = ARGV[5], ARGV[6], tonumber(ARGV[9])

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function may(...) return not redis.acl_check_cmd or redis.acl_check_cmd(...) end
local function may_record()
  return may('XADD', moderation, '*', '', '') and may('ZADD', known, '1', '1') and may('PEXPIRE', moderation, '1')
end

if operation == 'erase' then
  if not (may_record() and may('HSET', buried, '1', '') and may('XDEL', moderation, '1-0')) then
    return {'unpublishable'}
  end
  local removed = 0
  for i = 10, #ARGV, 2 do
    local number, tag = ARGV[i], ARGV[i + 1]
    local event = event_at(moderation, number)
    if event and head_of(event) == tag then
      local tombstone = tombstone_of(event)
      if not tombstone then error({err = 'CORRUPT entry ' .. number .. ' of ' .. moderation .. ' is not one of ours'}) end
      -- The newest entry always stays, so that the next one hangs on it.
      if number_of(redis.call('XREVRANGE', moderation, '+', '-', 'COUNT', 1)[1]) == tonumber(number) then
        moderation_log(moderation, now)('"kind":"delete","hash":"' .. string.rep('0', 64) .. '"}')
      end
      redis.call('HSET', buried, number, tombstone)
      redis.call('XDEL', moderation, number .. '-0')
      redis.call('ZREM', queue, number)
      removed = removed + 1
    end
  end
  for _, name in ipairs(redis.call('ZRANGE', known, 0, -1)) do
    if string.match(name, '^%S+') == by then redis.call('ZREM', known, name) end
  end
  return {'erased', int(removed)}
end

local role = redis.call('HGET', KEYS[5], by)
if private and not role then return {'forbidden'} end
local moderates = token_role ~= 'member' or role == 'moderator' or role == 'owner'
if operation ~= 'report' and not moderates then return {'forbidden'} end
local lifted = redis.call('ZSCORE', KEYS[6], by)
if lifted == 'inf' then return {'banned', '-1'} end
if lifted and tonumber(lifted) > now then return {'banned', int(tonumber(lifted))} end

if operation == 'log' then
  local reply = {'log', ''}
  -- Before the first there is none, and no id either.
  if reference == '0' then return reply end
  local from = reference == '' and '+' or '(' .. reference .. '-0'
  for _, entry in ipairs(redis.call('XREVRANGE', moderation, from, '-', 'COUNT', most + 1)) do
    if #reply == 2 + most then
      reply[2] = int(number_of(entry) + 1)
      break
    end
    reply[#reply + 1] = entry[2][2]
  end
  return reply
end

if operation == 'queue' then
  local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  redis.call('ZREMRANGEBYSCORE', queue, '-inf', oldest and '(' .. int(number_of(oldest)) or '+inf')
  local reply, messages, from = {'queue', ''}, 0, reference == '' and '-inf' or '(' .. reference
  while true do
    local row = redis.call('ZRANGEBYSCORE', queue, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if #row == 0 then return reply end
    local message = int(tonumber(row[2]))
    if messages == most then
      -- Where the page before ended: what was resolved meanwhile is in no page.
      reply[2] = int(tonumber(message) - 1)
      return reply
    end
    from = '(' .. message
    local event = event_at(log, message)
    local place = event and head_of(event)
    local entries, reports = {}, 0
    for _, number in ipairs(redis.call('ZRANGEBYSCORE', queue, message, message)) do
      local entry = event_at(moderation, number)
      -- After a failover the number may belong to another message, and entries may be trimmed.
      local tag = entry and string.match(entry, '^{"v":%d+,"seq":%d+,"prev":"%x+","tag":"%x+","at":%d+,"target":' ..
        '{"position":{"seq":%d+,"tag":"(%x+)"}')
      if tag and tag == place then
        entries[#entries + 1] = entry
        if string.match(entry, '},"kind":"report",') then reports = reports + 1 end
      else
        redis.call('ZREM', queue, number)
      end
    end
    if #entries > 0 then
      messages = messages + 1
      local shown = shown_at({seq = message}, edits)
      local edit = shown ~= message and event_at(log, shown) or ''
      local told = math.min(#entries, 10)
      for _, part in ipairs({message, event, edit, int(reports), int(told)}) do reply[#reply + 1] = part end
      for i = 1, told do reply[#reply + 1] = entries[i] end
    end
  end
end

local target, why = message_of(reference, log, seen, tombstones)
if not target then return {why} end

if operation == 'original' then
  local shown = shown_at(target, edits)
  local sealed = redis.call('GET', moderation .. ':quarantine:' .. shown)
  local _, whose = content_of(event_at(log, shown))
  if not sealed or not whose then return {'original_gone'} end
  local user, id = string.match(whose, '^(%S+) (%S+)$')
  return {'original', shown, user, id, sealed}
end

if not may_record() then return {'unpublishable'} end
local write_record = moderation_log(moderation, now)

if operation == 'dismiss' then
  if redis.call('ZREMRANGEBYSCORE', queue, target.seq, target.seq) > 0 then write_record(record, target) end
  return {'done'}
end

-- A report: each user tells of a message once.
local name = by .. ' #' .. target.seq .. '-' .. target.tag
if redis.call('ZSCORE', known, name) then return {'done'} end
local interval, burst = tonumber(ARGV[7]), tonumber(ARGV[8])
local full_at = tonumber(redis.call('GET', KEYS[7]) or '0') or 0
if full_at < now then full_at = now end
if full_at - now > interval * (burst - 1) then
  return {'rate_limited', int(math.ceil(full_at - now - interval * (burst - 1)))}
end
enqueue(moderation, target.seq, write_record(record, target, name))
redis.call('SET', KEYS[7], int(full_at + interval), 'PX', int(full_at + interval - now + 1000))
return {'done'}
