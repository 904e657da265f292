-- Reads a stretch of a room's log, entries and tombstones merged in order.
--
-- KEYS: 1 log, 2 tombstones
-- ARGV: 1 mode   "after": the entry of this number, if it is kept, and what follows it;
--                "from": this number and what follows; "before": what precedes this number;
--                "tail": the newest
--       2 seq    not for "tail"
--       3 most   items
--       4 most   bytes of items
--
-- One item always fits, whatever its size. With "after" the entry of the number itself is not
-- counted: it comes on top, so that its reader can compare tags and still gets on.
--
-- Reply, flat: {first from, first prev, head seq, head tag, more, item, item, …}; an error CORRUPT
-- if one of them, or the lowest or newest, is not an entry of ours
--   first: the lowest entry or tombstone kept; 0 and zeros for an empty log
--   more:  1 if the log goes on beyond the items, in the direction of reading

local log, tombstones = KEYS[1], KEYS[2]
local mode, seq, most, bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local zeros = '0000000000000000'

local function int(n) return string.format('%.0f', n) end
local function number_of(entry) return tonumber(string.match(entry[1], '^(%d+)')) end
local function link_of(event)
  local seq, prev, tag = string.match(event, '^{"v":%d+,"seq":(%d+),"prev":"(%x+)","tag":"(%x+)"')
  if not seq then error({err = 'CORRUPT an entry of ' .. log .. ' is not one of ours'}) end
  return seq, prev, tag
end
local function from_of(event)
  local from = string.match(event, '^{"v":%d+,"seq":%d+,"prev":"%x+","tag":"%x+","at":%d+,"from":(%d+)')
  return tonumber(from or (link_of(event)))
end

local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
if not newest then return {'0', zeros, '0', zeros, '0'} end
local head = number_of(newest)
local _, _, head_tag = link_of(newest[2][2])

-- The lowest kept: the first entry, or the tombstones right below it.
local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
local first_from = number_of(oldest)
local _, first_prev = link_of(oldest[2][2])
while first_from > 1 do
  local below = redis.call('HGET', tombstones, int(first_from - 1))
  if not below then break end
  _, first_prev = link_of(below)
  first_from = from_of(below)
end

local items, size, own, full = {}, 0, 0, false
local function take(event)
  local number = tonumber((link_of(event)))
  if mode == 'after' and #items == 0 and number == seq then
    items[1], own = event, 1
    return
  end
  size = size + #event
  if #items > own and (size > bytes or #items >= most + own) then
    full = true
  else
    items[#items + 1] = event
  end
end

-- Takes the tombstones of these numbers, both included, upwards (step 1) or downwards (step -1).
-- A gap may be far wider than what is in it, so the smaller of the two is walked.
local kept = redis.call('HLEN', tombstones)
local function take_tombstones(low, high, step)
  if kept == 0 or low > high then return end
  local numbers = {}
  if high - low < kept then
    for number = low, high do numbers[#numbers + 1] = number end
  else
    for _, number in ipairs(redis.call('HKEYS', tombstones)) do
      number = tonumber(number)
      if number >= low and number <= high then numbers[#numbers + 1] = number end
    end
    table.sort(numbers)
  end
  local first, last = 1, #numbers
  if step < 0 then first, last = last, first end
  for i = first, last, step do
    if full then return end
    local event = redis.call('HGET', tombstones, int(numbers[i]))
    if event then take(event) end
  end
end

local more = '0'
if mode == 'after' or mode == 'from' then
  local expected = math.max(seq, first_from)
  if expected <= head then
    local range = redis.call('XRANGE', log, int(expected) .. '-0', '+', 'COUNT', most + 1)
    for _, entry in ipairs(range) do
      local number = number_of(entry)
      take_tombstones(expected, number - 1, 1)
      if full then break end
      take(entry[2][2])
      expected = number + 1
    end
  end
  local last = items[#items]
  if last and tonumber((link_of(last))) < head then more = '1' end
else
  local expected = mode == 'before' and math.min(seq - 1, head) or head
  if expected >= first_from then
    local range = redis.call('XREVRANGE', log, int(expected) .. '-0', '-', 'COUNT', most)
    for _, entry in ipairs(range) do
      local number = number_of(entry)
      take_tombstones(number + 1, expected, -1)
      if full then break end
      take(entry[2][2])
      expected = number - 1
    end
    if #range < most then take_tombstones(first_from, expected, -1) end
  end
  local last = items[#items]
  if last and from_of(last) > first_from then more = '1' end
  for i = 1, math.floor(#items / 2) do
    items[i], items[#items + 1 - i] = items[#items + 1 - i], items[i]
  end
end

local reply = {int(first_from), first_prev, int(head), head_tag, more}
for _, item in ipairs(items) do reply[#reply + 1] = item end
return reply
