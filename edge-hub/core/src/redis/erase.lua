-- Removes entries of a room's log, and with them whose they were: what a deletion does, by nobody. Each
-- is struck by an entry that says where it stood and names no one.
--
-- KEYS: 1 log, 2 seen, 3 tombstones, 4 edits, 5 moderation (and those beside it, whose names begin so);
--       all in the slot of the room
-- ARGV: 1 channel of the room   2 publish command   3 user who is erased
--       4… entries, three each: number, tag, "1" to tell readers, "" if nobody shows it by itself
--
-- Reply, flat: {entries removed, entries written}, or {"unpublishable"}. What is not there any more, or
-- has another tag, is passed over: so all of it may be done again.

local log, seen, tombstones, edits = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local channel, publish, user = ARGV[1], ARGV[2], ARGV[3]
local zeros = string.rep('0', 64)

local function may(...) return not redis.acl_check_cmd or redis.acl_check_cmd(...) end
if not (may(publish, channel, '') and may('HSET', tombstones, '1', '') and may('XDEL', log, '1-0')
    and may('ZADD', seen, '1', '') and may('ZREM', seen, '') and may('ZREM', edits, '1')) then
  return {'unpublishable'}
end
local time = redis.call('TIME')
local at = int(tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))

local removed, written = 0, 0
local function tail()
  local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  local tag = newest and head_of(newest[2][2])
  if not tag then error({err = 'CORRUPT the last entry of ' .. log .. ' is not one of ours'}) end
  return number_of(newest), tag
end

local function bury(number)
  local event = event_at(log, number)
  if not event then return end
  redis.call('HSET', tombstones, number, tombstone_of(event))
  redis.call('XDEL', log, number .. '-0')
  redis.call('ZREM', edits, number)
  redis.call('ZREMRANGEBYSCORE', KEYS[5] .. ':queue', number, number)
  forget_original(KEYS[5], number)
  removed = removed + 1
  local readable, whose = pcall(function()
    local body = cjson.decode(event).body
    return body.user.id .. ' ' .. body.id
  end)
  if not readable then return end
  if string.match(whose, '^%S+') == user then
    redis.call('ZREM', seen, whose)
  elseif tonumber(redis.call('ZSCORE', seen, whose) or '0') == tonumber(number) then
    redis.call('ZADD', seen, number .. '.5', whose)
  end
end

-- Says that what stood there is gone.
local function strike(number, tag)
  local last, prev = tail()
  local function add()
    local seq = int(last + 1)
    local own = link(prev, seq, 'delete', at, zeros, {seq = number, tag = tag})
    local event = '{"v":1,"seq":' .. seq .. ',"prev":"' .. prev .. '","tag":"' .. own .. '","at":' .. at ..
      ',"target":{"position":{"seq":' .. number .. ',"tag":"' .. tag .. '"}},"kind":"delete","hash":"' .. zeros .. '"}'
    return redis.pcall('XADD', log, seq .. '-0', 'event', event), event
  end
  local added, event = add()
  if type(added) == 'table' and added.err then
    -- As in append.lua: entries at the end were deleted by hand, and one tombstone says so.
    local info = redis.call('XINFO', 'STREAM', log)
    local spent
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then spent = tonumber(string.match(info[i + 1], '^(%d+)')) end
    end
    if not spent or spent <= last then error({err = added.err}) end
    local gap = link(prev, int(spent), 'damaged', at, zeros)
    redis.call('HSET', tombstones, int(spent), '{"v":1,"seq":' .. int(spent) .. ',"prev":"' .. prev ..
      '","tag":"' .. gap .. '","at":' .. at .. ',"from":' .. int(last + 1) ..
      ',"kind":"damaged","hash":"' .. zeros .. '"}')
    last, prev = spent, gap
    added, event = add()
    if type(added) == 'table' and added.err then error({err = added.err}) end
  end
  written = written + 1
  redis.call(publish, channel, '{"e":' .. event .. '}')
end

for i = 4, #ARGV, 3 do
  local number, tag = ARGV[i], ARGV[i + 1]
  local event = event_at(log, number)
  if event and head_of(event) == tag then
    -- Fails here, before anything is written, if it is not one of ours.
    if not tombstone_of(event) then error({err = 'CORRUPT entry ' .. number .. ' of ' .. log .. ' is not one of ours'}) end
    -- The newest entry always stays, so that the next one hangs on it.
    if ARGV[i + 2] == '1' or (tail()) == tonumber(number) then strike(number, tag) end
    for _, edit in ipairs(redis.call('ZRANGEBYSCORE', edits, number, number)) do bury(edit) end
    bury(number)
  end
end
return {int(removed), int(written)}
