-- Reads a stretch of a room's log, entries and tombstones merged in order.
--
-- KEYS: 1 log, 2 tombstones
-- ARGV: 1 mode   "from": this number and what follows; "before": what precedes this number;
--                "tail": the newest
--       2 seq    for "from" and "before"
--       3 most   items
--       4 most   bytes of items (one item always fits)
--
-- Reply, flat: {first from, first prev, head seq, head tag, more, item, item, …}
--   first: the lowest entry or tombstone kept; 0 and zeros for an empty log
--   more:  1 if the log goes on beyond the items, in the direction of reading

local log, tombstones = KEYS[1], KEYS[2]
local mode, seq, most, bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local zeros = '0000000000000000'

local function int(n) return string.format('%.0f', n) end
local function number_of(entry) return tonumber(string.match(entry[1], '^(%d+)')) end
local function link_of(event)
  return string.match(event, '^{"v":%d+,"seq":(%d+),"prev":"(%x+)","tag":"(%x+)"')
end
local function from_of(event)
  return string.match(event, '^{"v":%d+,"seq":%d+,"prev":"%x+","tag":"%x+","at":%d+,"from":(%d+)')
end

local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
if not newest then return {'0', zeros, '0', zeros, '0'} end
local head = number_of(newest)
local _, _, head_tag = link_of(newest[2][2])
if not head_tag then return redis.error_reply('CORRUPT the last entry of ' .. log .. ' is not one of ours') end

-- The lowest kept: the first entry, or the tombstones right below it.
local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
local first_from = number_of(oldest)
local _, first_prev = link_of(oldest[2][2])
while first_from > 1 do
  local below = redis.call('HGET', tombstones, int(first_from - 1))
  if not below then break end
  local number, prev = link_of(below)
  first_from, first_prev = tonumber(from_of(below) or number), prev
end

-- Where to begin, and where to end (inclusive).
local start, stop = seq, head
if mode ~= 'from' then
  stop = mode == 'before' and math.min(seq - 1, head) or head
  local entries = redis.call('XREVRANGE', log, int(math.max(stop, 0)) .. '-0', '-', 'COUNT', most)
  local size = 0
  start = stop + 1
  for i, entry in ipairs(entries) do
    size = size + #entry[2][2]
    if i > 1 and size > bytes then break end
    start = number_of(entry)
  end
  if #entries < most and start > first_from and size <= bytes then start = first_from end
end
if start < first_from then start = first_from end

local items, size, expected, full = {}, 0, start, false
local function take(event)
  if full then return end
  size = size + #event
  if #items > 0 and (size > bytes and mode == 'from' or #items >= most) then
    full = true
    return
  end
  items[#items + 1] = event
end
local function take_tombstones(upto)
  while expected <= upto and not full do
    local numbers = {}
    for number = expected, math.min(upto, expected + 499) do numbers[#numbers + 1] = int(number) end
    for _, event in ipairs(redis.call('HMGET', tombstones, unpack(numbers))) do
      if event then take(event) end
    end
    expected = expected + #numbers
  end
end

if start <= stop then
  for _, entry in ipairs(redis.call('XRANGE', log, int(start) .. '-0', int(stop) .. '-0', 'COUNT', most)) do
    local number = number_of(entry)
    take_tombstones(number - 1)
    take(entry[2][2])
    expected = number + 1
    if full then break end
  end
end

local more = '0'
if mode == 'from' then
  local last = items[#items] and tonumber((link_of(items[#items])))
  if last and last < head then more = '1' end
elseif start > first_from and #items > 0 then
  more = '1'
end
local reply = {int(first_from), first_prev, int(head), head_tag, more}
for _, item in ipairs(items) do reply[#reply + 1] = item end
return reply
