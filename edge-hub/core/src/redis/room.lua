-- A room itself: what is set of it, who has a role in it, who is kept out. Reads or changes it, if
-- the user who asks may, and tells the edges whom it concerns.
--
-- KEYS: 1 room (hash: settings), 2 granted (hash: user -> role), 3 ban, 4 mute (zsets: user -> until,
--       ms), 5 log, 6 edges, 7 seen, 8 webhooks, 9 moderation (and those beside it, whose
--       names begin so); all in the slot of the room
-- ARGV: 1 operation    "look", "create", "configure", "direct", "grant", "revoke", "kick", "mute",
--                      "ban", "unban", "delete", "list"
--       2 by           the user who asks   3 his role by his token: "member", "moderator", "admin"
--       4 private      "1": only who has a role here may be here, and the room was created
--       5 room         its name            6 prefix of all its keys
--       7 channel      of the room, for what is published there   8 publish command of it
--       9 control      channel of the edges
--      10 user         whom it is about
--      11 value        "grant": the role; "mute" and "ban": how long in ms, or "" for ever;
--                      "direct": the two users, in order; "list": "granted", "ban" or "mute"
--      12 most users in granted   13 most users in each of ban and mute
--      14 webhooks     the channel that wakes who tells servers of the operator; "": nobody is told
--      15 most events that wait for them
--      16 record       the rest of an entry of the moderation log: of a kick, mute, ban and unban; or ""
--      17… fields of "create" and "configure", two each: field, value; "" takes the field away;
--          "list": most users of a page
--
-- Replies, always flat:
--   {"ok", role of BY or "", until when BY is muted (ms, -1 for ever) or "", field, value, …}
--   {"deleted", user, …}   with whoever had a role
--   {"granted", where the page ended or "" if it is the last, user, role, …}
--   {"kept", the same, user, until (ms, -1 for ever), …}   bans and mutes, those first that end first
--   {"forbidden"}  {"exists"}  {"full"}  {"unpublishable"}
--   {"banned", until}   for "look" and "list" only

local room, granted, ban, mute = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local operation, by, token_role, private = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local name, prefix, control = ARGV[5], ARGV[6], ARGV[9]
local user, value, most_roles, most_bans = ARGV[10], ARGV[11], tonumber(ARGV[12]), tonumber(ARGV[13])

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- Until when a ban or mute lasts: ms, or -1 for ever.
local function lasts(key, who)
  local until_ = redis.call('ZSCORE', key, who)
  if until_ == 'inf' then return '-1' end
  if until_ and tonumber(until_) > now then return int(tonumber(until_)) end
end

local ranks = {member = 1, moderator = 2, owner = 3}
local function role_of(who) return redis.call('HGET', granted, who) end
local function rank_of(role) return role and (ranks[role] or 1) or 0 end
local own_role = role_of(by)
local rank = rank_of(own_role)
-- A moderator moderates where he may be; an admin everywhere.
if token_role == 'admin' then
  rank = 4
elseif token_role == 'moderator' and (own_role or not private) then
  rank = math.max(rank, 2)
end
local direct = redis.call('HGET', room, 'direct')
local exists = redis.call('EXISTS', room) == 1

local function view()
  local reply = {'ok', role_of(by) or '', lasts(mute, by) or ''}
  for _, item in ipairs(redis.call('HGETALL', room)) do reply[#reply + 1] = item end
  return reply
end

if operation == 'look' then
  if private and not own_role then return {'forbidden'} end
  local until_ = lasts(ban, by)
  if until_ then return {'banned', until_} end
  return view()
end

-- Pages of those that have a role, by name.
local function granted_after(last, most)
  local names = redis.call('HKEYS', granted)
  table.sort(names)
  local reply = {'granted', ''}
  for _, who in ipairs(names) do
    if last == '' or who > last then
      if #reply == 2 + 2 * most then
        reply[2] = reply[#reply - 1]
        break
      end
      reply[#reply + 1] = who
      reply[#reply + 1] = role_of(who)
    end
  end
  return reply
end

-- Pages of a sorted set by its own order. The place of the one before is searched by halves: it may
-- have left the set meanwhile.
local function kept_after(key, last, most)
  local score, name = string.match(last, '^(%w+):(.+)$')
  local function number(text) return text == 'inf' and math.huge or tonumber(text) or 0 end
  -- Byte by byte, as Redis does; Lua's own order is that of the server's language.
  local function follows(one, other)
    for i = 1, math.min(#one, #other) do
      local a, b = string.byte(one, i), string.byte(other, i)
      if a ~= b then return a > b end
    end
    return #one > #other
  end
  local from, to = 0, redis.call('ZCARD', key)
  while from < to do
    local middle = math.floor((from + to) / 2)
    local row = redis.call('ZRANGE', key, middle, middle, 'WITHSCORES')
    local at = number(row[2])
    -- What is over is in no page.
    local is_after = at > now and (not score or at > number(score) or at == number(score) and follows(row[1], name))
    if is_after then to = middle else from = middle + 1 end
  end
  local rows = redis.call('ZRANGE', key, from, from + most, 'WITHSCORES')
  local reply = {'kept', ''}
  for i = 1, math.min(#rows, 2 * most), 2 do
    reply[#reply + 1] = rows[i]
    reply[#reply + 1] = rows[i + 1] == 'inf' and '-1' or int(number(rows[i + 1]))
  end
  if #rows > 2 * most then
    local until_ = rows[2 * most] == 'inf' and 'inf' or int(number(rows[2 * most]))
    reply[2] = until_ .. ':' .. rows[2 * most - 1]
  end
  return reply
end

if operation == 'list' then
  -- A private room tells outsiders nothing; an admin gives himself a role first, and is seen to.
  if rank < 2 or private and not own_role then return {'forbidden'} end
  local until_ = lasts(ban, by)
  if until_ then return {'banned', until_} end
  local most = tonumber(ARGV[17])
  if value == 'granted' then return granted_after(user, most) end
  return kept_after(value == 'ban' and ban or mute, user, most)
end

-- What is denied after a write would leave it done and nobody told.
local function may(...) return not redis.acl_check_cmd or redis.acl_check_cmd(...) end
if not (may('PUBLISH', control, '') and may(ARGV[8], ARGV[7], '')) then return {'unpublishable'} end
local webhooks = ARGV[14] ~= '' and KEYS[8]
if webhooks and not (may('XADD', webhooks, '*', '', '') and may('PUBLISH', ARGV[14], '')) then
  return {'unpublishable'}
end
local newest = webhooks and redis.call('XREVRANGE', webhooks, '+', '-', 'COUNT', 1)[1]
-- As in append.lua.
local function queue(what, ...)
  if not webhooks then return end
  local began, number
  if newest then began, number = string.match(newest[1], '^(%d+)%-(%d+)$') end
  local fields = {'at', int(now), 'type', what, 'by', by, ...}
  local function add(id) return redis.pcall('XADD', webhooks, 'MAXLEN', ARGV[15], id, unpack(fields)) end
  local added = add(began and began .. '-' .. int(tonumber(number) + 1) or int(now) .. '-1')
  if type(added) == 'table' and added.err then add(int(now) .. '-1') end
  redis.call('PEXPIRE', webhooks, 7 * 24 * 3600 * 1000)
  redis.call('PUBLISH', ARGV[14], webhooks)
end
local function tell(kind, who)
  redis.call('PUBLISH', control, '{"v":1,"kind":"' .. kind .. '","room":"' .. name .. '"' ..
    (who and ',"user":"' .. who .. '"' or '') .. '}')
end

if operation == 'create' then
  -- A room where somebody is or spoke is not his who comes and wants it.
  if redis.call('EXISTS', room, granted, KEYS[5], KEYS[6]) > 0 then return {'exists'} end
  redis.call('HSET', room, 'created_by', by, 'created_at', int(now))
  for i = 17, #ARGV, 2 do
    if ARGV[i + 1] ~= '' then redis.call('HSET', room, ARGV[i], ARGV[i + 1]) end
  end
  redis.call('HSET', granted, by, 'owner')
  queue('room.created')
  return view()
end

if operation == 'direct' then
  -- The name is made of the two, so nobody else comes to ask for it.
  local is_new = redis.call('HSETNX', room, 'created_by', by) == 1
  redis.call('HSETNX', room, 'created_at', int(now))
  redis.call('HSETNX', room, 'direct', value)
  redis.call('HSETNX', granted, by, 'member')
  if redis.call('HSETNX', granted, user, 'member') == 1 then tell('grant', user) end
  if is_new then queue('room.created') end
  return view()
end

-- Whoever may not is answered alike whether there is such a room.
if private and not (exists and (own_role or rank == 4)) then return {'forbidden'} end

if operation == 'delete' then
  if rank < 3 then return {'forbidden'} end
  local reply = {'deleted'}
  for _, who in ipairs(redis.call('HKEYS', granted)) do reply[#reply + 1] = who end
  local keys = {}
  local function gone(what) keys[#keys + 1] = prefix .. what end
  for _, what in ipairs({'room', 'granted', 'ban', 'mute', 'slow', 'log', 'seen', 'tombstones', 'edits', 'read',
    'edges', 'stats', 'stats:users', 'stats:top', 'moderation', 'moderation:tombstones', 'moderation:known',
    'moderation:queue', 'moderation:quarantine'}) do gone(what) end
  for _, number in ipairs(redis.call('ZRANGE', KEYS[9] .. ':quarantine', 0, -1)) do
    gone('moderation:quarantine:' .. number)
  end
  for _, edge in ipairs(redis.call('ZRANGE', KEYS[6], 0, -1)) do gone('members:' .. edge) end
  -- A bucket outlives its user's last message by seconds.
  local writers = {}
  for _, sender in ipairs(redis.call('ZRANGE', KEYS[7], 0, -1)) do
    local who = string.match(sender, '^%S+')
    if not writers[who] then
      writers[who] = true
      gone('rate:' .. who)
    end
  end
  local hour = math.floor(now / 3600000)
  for ago = 0, 7 * 24 do gone('stats:minutes:' .. int(hour - ago)) end
  for i = 1, #keys, 1000 do redis.call('DEL', unpack(keys, i, math.min(i + 999, #keys))) end
  redis.call(ARGV[8], ARGV[7], '{"x":{"from":"","deleted":true}}')
  tell('delete')
  queue('room.deleted')
  return reply
end

-- A direct room belongs to its two and to nobody else.
if direct then return {'forbidden'} end

if operation == 'configure' then
  -- What decides who may read, or what is kept, is the owner's.
  local moderate = {topic = true, read_only = true, slow_mode_ms = true}
  if rank < 2 then return {'forbidden'} end
  for i = 17, #ARGV, 2 do
    if rank < 3 and not moderate[ARGV[i]] then return {'forbidden'} end
  end
  local changed = {}
  for i = 17, #ARGV, 2 do
    changed[#changed + 1] = ARGV[i]
    if ARGV[i + 1] == '' then redis.call('HDEL', room, ARGV[i]) else redis.call('HSET', room, ARGV[i], ARGV[i + 1]) end
  end
  queue('room.changed', 'changed', table.concat(changed, ','))
  return view()
end

local target = role_of(user)
local above = rank > rank_of(target) or rank == 4

if operation == 'revoke' then
  if by ~= user and (rank < 2 or rank < 3 and not above) then return {'forbidden'} end
  if redis.call('HDEL', granted, user) == 1 then
    tell('revoke', user)
    queue('role.revoked', 'user', user)
  end
  return view()
end

if rank < 2 then return {'forbidden'} end
local write_record
if ARGV[16] ~= '' then
  if not (may('XADD', KEYS[9], '*', '', '') and may('PEXPIRE', KEYS[9], '1')) then return {'unpublishable'} end
  write_record = moderation_log(KEYS[9], now)
end

if operation == 'grant' then
  if rank < 3 and (value ~= 'member' or not above) then return {'forbidden'} end
  if not target and redis.call('HLEN', granted) >= most_roles then return {'full'} end
  if target ~= value then
    redis.call('HSET', granted, user, value)
    tell('grant', user)
    queue('role.granted', 'user', user, 'role', value)
  end
  return view()
end

if operation == 'unban' then
  if redis.call('ZREM', ban, user) + redis.call('ZREM', mute, user) > 0 then
    tell('unban', user)
    if write_record then write_record(ARGV[16]) end
    queue('user.unbanned', 'user', user)
  end
  return view()
end

-- To be kept out by those below would turn a room over.
if not above or by == user then return {'forbidden'} end

if operation == 'kick' then
  tell('kick', user)
  if write_record then write_record(ARGV[16]) end
  queue('user.kicked', 'user', user)
  return view()
end

local key = operation == 'ban' and ban or mute
redis.call('ZREMRANGEBYSCORE', key, '-inf', int(now))
if not redis.call('ZSCORE', key, user) and redis.call('ZCARD', key) >= most_bans then return {'full'} end
local until_ = value == '' and 'inf' or int(now + tonumber(value))
redis.call('ZADD', key, until_, user)
tell(operation, user)
if write_record then write_record(ARGV[16]) end
queue(operation == 'ban' and 'user.banned' or 'user.muted', 'user', user, 'until', until_)
return view()
