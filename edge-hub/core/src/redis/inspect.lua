-- Shows a stretch of a room's log as it is, whole or damaged, with what Redis keeps beside it: for
-- whoever checks it, or looks for one user's entries. It judges nothing.
--
-- KEYS: 1 log, 2 tombstones, 3 seen, 4 edits
-- ARGV: 1 from   the first number wanted; 0 for the lowest that is kept
--       2 most   items
--
-- Reply, flat: {first, generated, next, count, …count items, …seen}
--   first:     the lowest number kept: of the oldest entry, or of the tombstones right below it; 0 for
--              an empty log
--   generated: the number that the stream gave last: above the newest entry if that was removed
--   next:      where the next stretch begins; 0 if this was the last
--   an item:   key in the stream or number of the tombstone, "entry" or "tombstone", its JSON ("" if it
--              has not one field `event`), number of the message that it edits by `edits`, or ""
--   seen:      member, score, …, of the numbers of this stretch (the first and the last have those below
--              and above the log as well); at most four for each item wanted

local log, tombstones, seen, edits = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local from, most = tonumber(ARGV[1]), tonumber(ARGV[2])

local function int(n) return string.format('%.0f', n) end
local function number_of(entry) return tonumber(string.match(entry[1], '^(%d+)')) end

local first, generated = 0, '0'
local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
if oldest then
  first = number_of(oldest)
  while first > 1 do
    local below = redis.call('HGET', tombstones, int(first - 1))
    local covered = below and (string.match(below, '"at":%d+,"from":(%d+)') or string.match(below, '"seq":(%d+)'))
    covered = tonumber(covered or '')
    if not covered or covered >= first then break end
    first = covered
  end
end
if redis.call('EXISTS', log) == 1 then
  local info = redis.call('XINFO', 'STREAM', log)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then generated = string.match(info[i + 1], '^(%d+)') end
  end
end

local lowest = from == 0 and '-inf' or int(from)
if from < first then from = first end
local entries = redis.call('XRANGE', log, int(from) .. '-0', '+', 'COUNT', most + 1)
local numbers = {}
if redis.call('HLEN', tombstones) > 0 then
  for _, key in ipairs(redis.call('HKEYS', tombstones)) do
    local number = tonumber(key)
    if number and number >= from then numbers[#numbers + 1] = number end
  end
  table.sort(numbers)
end

local items, after, count, e, t, last = {}, 0, 0, 1, 1, nil
while e <= #entries or t <= #numbers do
  local entry, number = entries[e], numbers[t]
  local buried = number and not (entry and number_of(entry) < number)
  local own = buried and number or number_of(entry)
  -- A number that stands there twice is not parted.
  if count >= most and own ~= last then
    after = own
    break
  end
  count, last = count + 1, own
  if buried then
    t = t + 1
    for _, part in ipairs({int(number), 'tombstone', redis.call('HGET', tombstones, int(number)) or '', ''}) do
      items[#items + 1] = part
    end
  else
    e = e + 1
    local fields = entry[2]
    local event = #fields == 2 and fields[1] == 'event' and fields[2] or ''
    local edited = redis.call('ZSCORE', edits, int(number_of(entry))) or ''
    for _, part in ipairs({entry[1], 'entry', event, edited}) do items[#items + 1] = part end
  end
end

local reply = {int(first), generated, int(after), int(count)}
for _, part in ipairs(items) do reply[#reply + 1] = part end
local highest = after > 0 and '(' .. int(after) or '+inf'
for _, part in ipairs(redis.call('ZRANGEBYSCORE', seen, lowest, highest, 'WITHSCORES', 'LIMIT', 0, 4 * most)) do
  reply[#reply + 1] = part
end
return reply
