-- What a room has to tell one server of the operator: its endpoint. One edge at a time tells it, and
-- each event in its turn.
--
-- KEYS: 1 webhooks (stream), 2 webhooks:ENDPOINT (hash), 3 log, 4 room; all in the slot of the room
-- ARGV: 1 operation   "next", "hold" or "release"
--       2 edge        who asks   3 for how many ms the room is his then
--       "next":
--       4 done        what he has told: the position of an event, "lost", or ""
--       5 began       when the endpoint was set up, in ms since 1970: older events are not for it
--       6 max age     ms; older events are given up
--       7… types      that are wanted; without any all are
--
-- Replies, always flat:
--   {"busy", ms}    another edge has it for so long
--   {"idle"}        there is nothing to tell
--   {"lost", position, failures, at, by the bound of the queue, given up for their age}
--   {"event", position, failures, entry or "", count, field, value, … (count texts), field, value, …}
--                   the entry of the log that it is about, its own fields, what is set of the room
--   {"held"}        to "hold" and "release"
-- failures: how often this one could not be told.

local webhooks, endpoint, log, room = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local operation, edge, span = ARGV[1], ARGV[2], tonumber(ARGV[3])

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function int(n) return string.format('%.0f', n) end

local state = redis.call('HMGET', endpoint, 'edge', 'until', 'position', 'lost', 'expired', 'lost_at', 'failures')
local is_ours = state[1] == edge
local left = tonumber(state[2] or '0') - now
if not is_ours and left > 0 then return {'busy', int(left)} end

if operation ~= 'next' then
  -- Nobody has had it meanwhile; else it is his.
  if is_ours then
    redis.call('HSET', endpoint, 'until', int(now + span))
    if operation == 'hold' then redis.call('HINCRBY', endpoint, 'failures', 1) end
  end
  return {'held'}
end

local done, began, max_age = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local position = state[3] or '0-0'
local lost, expired, lost_at = tonumber(state[4] or '0'), tonumber(state[5] or '0'), state[6]
local failures = state[7] or '0'
-- What was told while another had it is told again: better twice than never.
if done ~= '' and is_ours then
  failures = '0'
  if done == 'lost' then lost, expired, lost_at = 0, 0, false else position = done end
end

local wanted
for i = 7, #ARGV do
  wanted = wanted or {}
  wanted[ARGV[i]] = true
end

local found
while not found do
  local entries = redis.call('XRANGE', webhooks, '(' .. position, '+', 'COUNT', 100)
  if #entries == 0 then break end
  for _, entry in ipairs(entries) do
    local fields = {}
    for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
    local at = tonumber(fields.at)
    local queue, number = string.match(entry[1], '^(%d+)%-(%d+)$')
    local last_queue, last_number = string.match(position, '^(%d+)%-(%d+)$')
    -- What came before it and is gone; of a new endpoint what may have been meant for it.
    local missing = tonumber(number) - 1
    if queue == last_queue then
      missing = missing - tonumber(last_number)
    elseif position == '0-0' and at < began then
      missing = 0
    end
    lost = lost + missing
    position = queue .. '-' .. int(tonumber(number) - 1)
    if at >= began and (not wanted or wanted[fields.type]) then
      if at >= now - max_age then
        found = {id = entry[1], list = entry[2], fields = fields}
        break
      end
      expired = expired + 1
    end
    position = entry[1]
  end
end
if not found and position == '0-0' then return {'idle'} end
if lost + expired > 0 and not lost_at then lost_at = int(now) end

redis.call('HSET', endpoint, 'edge', edge, 'until', int(now + span), 'position', position, 'failures', failures,
  'lost', int(lost), 'expired', int(expired))
if lost_at then redis.call('HSET', endpoint, 'lost_at', lost_at) else redis.call('HDEL', endpoint, 'lost_at') end
redis.call('PEXPIRE', endpoint, 7 * 24 * 3600 * 1000)

if lost + expired > 0 then return {'lost', position, failures, lost_at, int(lost), int(expired)} end
if not found then return {'idle'} end

local reply = {'event', found.id, failures, '', #found.list}
for _, text in ipairs(found.list) do reply[#reply + 1] = text end
if found.fields.seq then
  local stored = redis.call('XRANGE', log, found.fields.seq .. '-0', found.fields.seq .. '-0')[1]
  reply[4] = stored and stored[2][2] or ''
end
if string.match(found.fields.type, '^room%.') then
  for _, text in ipairs(redis.call('HGETALL', room)) do reply[#reply + 1] = text end
end
return reply
