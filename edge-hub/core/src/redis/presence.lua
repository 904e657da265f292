-- Who is in a room. Each edge holds a hash of its own users; an edge that is not refreshed expires
-- by the time of Redis, and whoever sweeps it announces its members' leaving, once.
--
-- KEYS: 1 edges (zset: edge -> expiry in ms), 2 members of this edge (hash: user -> "COUNT NAME")
-- ARGV: 1 operation      "join", "leave", "drop" (all connections of this edge leave), "sweep",
--                        "list", "refresh", "correct"
--       2 edge           3 prefix of the members' keys (KEYS[2] less the edge)
--       4 channel        5 publish command
--       6 life of an edge without refresh, ms
--       7 user id        8 user's name (JSON)   9 connection id, which is not told of itself
--      10 most members to list
--      for "correct", from 11 on, four each: user id, user's name (JSON), the connections that this
--         edge's row was found to have (0: there was no row), the connections that there are
--
-- Reply, flat: {members, id, name, id, name, …}; ids and names for "list" only. For "sweep" and
-- "drop" the first is followed by the number of members that left, for "correct" by the number of
-- rows put right. "refresh": the users of this edge alone; 0 also if it had expired and was swept.

local edges, members = KEYS[1], KEYS[2]
local operation, edge, prefix = ARGV[1], ARGV[2], ARGV[3]
local channel, publish, life = ARGV[4], ARGV[5], tonumber(ARGV[6])
local user, name, connection, most = ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[10] or '0')

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function int(n) return string.format('%.0f', n) end

local function live_edges()
  return redis.call('ZRANGEBYSCORE', edges, '(' .. int(now), '+inf')
end

-- Distinct users over all live edges. Beyond 5,000 rows the sum over the edges must do, which
-- counts one who is connected to two of them twice.
local function count()
  local live = live_edges()
  if #live == 0 then return 0 end
  if #live == 1 then return redis.call('HLEN', prefix .. live[1]) end
  local sum = 0
  for _, other in ipairs(live) do sum = sum + redis.call('HLEN', prefix .. other) end
  if sum > 5000 then return sum end
  local seen, distinct = {}, 0
  for _, other in ipairs(live) do
    for _, id in ipairs(redis.call('HKEYS', prefix .. other)) do
      if not seen[id] then seen[id] = true; distinct = distinct + 1 end
    end
  end
  return distinct
end

local function elsewhere(id, but)
  for _, other in ipairs(live_edges()) do
    if other ~= but and redis.call('HEXISTS', prefix .. other, id) == 1 then return true end
  end
  return false
end

local function announce(what, id, shown, total, from)
  redis.call(publish, channel, '{"x":{"from":"' .. from .. '","presence":"' .. what ..
    '","user":{"id":"' .. id .. '","name":' .. shown .. '},"members_count":' .. int(total) .. '}}')
end

local announced = {}
local function remove_edge(gone)
  local rows = redis.call('HGETALL', prefix .. gone)
  redis.call('DEL', prefix .. gone)
  redis.call('ZREM', edges, gone)
  local total = count()
  local left = 0
  for i = 1, #rows, 2 do
    -- Two edges that expired together may have held the same user.
    if not announced[rows[i]] and not elsewhere(rows[i], gone) then
      announced[rows[i]] = true
      left = left + 1
      -- Above 200 the count alone is told; the first announcement carries it.
      if left <= 200 then announce('left', rows[i], string.match(rows[i + 1], '^%d+ (.*)$'), total, '') end
    end
  end
  return left
end

if operation == 'join' then
  redis.call('ZADD', edges, int(now + life), edge)
  local row = redis.call('HGET', members, user)
  local connections = row and tonumber(string.match(row, '^(%d+)')) or 0
  redis.call('HSET', members, user, int(connections + 1) .. ' ' .. name)
  -- Far beyond the edge's own expiry: a sweep must still find whom to announce.
  redis.call('PEXPIRE', members, life * 100)
  local total = count()
  if connections == 0 and not elsewhere(user, edge) then announce('joined', user, name, total, connection) end
  return {total}
end

if operation == 'leave' then
  local row = redis.call('HGET', members, user)
  if not row then return {count()} end
  local connections, shown = string.match(row, '^(%d+) (.*)$')
  connections = tonumber(connections)
  if connections > 1 then
    redis.call('HSET', members, user, int(connections - 1) .. ' ' .. shown)
    return {count()}
  end
  redis.call('HDEL', members, user)
  if redis.call('EXISTS', members) == 0 then redis.call('ZREM', edges, edge) end
  local total = count()
  if not elsewhere(user, edge) then announce('left', user, shown, total, connection) end
  return {total}
end

if operation == 'refresh' then
  if not redis.call('ZSCORE', edges, edge) then return {0} end
  redis.call('ZADD', edges, int(now + life), edge)
  redis.call('PEXPIRE', members, life * 100)
  return {redis.call('HLEN', members)}
end

if operation == 'correct' then
  local rows, come, gone, corrected = {}, {}, {}, 0
  -- Whoever joined or left since the rows were read is right by now, or will be looked at again.
  for i = 11, #ARGV, 4 do
    local row = redis.call('HGET', members, ARGV[i])
    local connections, shown = string.match(row or '0 ', '^(%d+) (.*)$')
    if connections == ARGV[i + 2] then
      corrected = corrected + 1
      if ARGV[i + 3] == '0' then
        gone[#gone + 1] = {ARGV[i], shown}
      else
        rows[#rows + 1] = {ARGV[i], ARGV[i + 3] .. ' ' .. ARGV[i + 1]}
        if not row then come[#come + 1] = {ARGV[i], ARGV[i + 1]} end
      end
    end
  end
  -- What a full server refuses comes first: it refuses the whole then, and nobody goes unannounced.
  if #rows > 0 then
    redis.call('ZADD', edges, int(now + life), edge)
    for _, row in ipairs(rows) do redis.call('HSET', members, row[1], row[2]) end
    redis.call('PEXPIRE', members, life * 100)
  end
  for _, who in ipairs(gone) do redis.call('HDEL', members, who[1]) end
  if redis.call('EXISTS', members) == 0 then redis.call('ZREM', edges, edge) end
  local total = count()
  local announcements = 0
  local function tell(what, users)
    for _, who in ipairs(users) do
      if announcements < 200 and not elsewhere(who[1], edge) then
        announcements = announcements + 1
        announce(what, who[1], who[2], total, '')
      end
    end
  end
  tell('left', gone)
  tell('joined', come)
  return {total, corrected}
end

if operation == 'drop' then
  local left = remove_edge(edge)
  return {count(), left}
end

if operation == 'sweep' then
  local left = 0
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', edges, '-inf', int(now))) do
    left = left + remove_edge(gone)
  end
  return {count(), left}
end

if operation == 'list' then
  local reply, seen = {count()}, {}
  for _, other in ipairs(live_edges()) do
    if #reply >= 2 * most then break end
    -- HSCAN would be cheaper for a huge hash; above 200 members nobody is listed by name.
    if redis.call('HLEN', prefix .. other) <= 1000 then
      local rows = redis.call('HGETALL', prefix .. other)
      for i = 1, #rows, 2 do
        if #reply < 2 * most and not seen[rows[i]] then
          seen[rows[i]] = true
          reply[#reply + 1] = rows[i]
          reply[#reply + 1] = string.match(rows[i + 1], '^%d+ (.*)$')
        end
      end
    end
  end
  return reply
end

return redis.error_reply('ERR unknown operation ' .. operation)
