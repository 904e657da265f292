-- Brings the figures over all rooms up to date with one room's. The room's figures come as absolute
-- values; what was counted of them before is remembered here, so calling this twice, from two edges,
-- or with figures a moment old changes nothing twice.
--
-- KEYS: 1 stats, 2 stats:users, 3 stats:top, 4 stats:minutes (the hour is added here),
--       5 what was counted of this room (hash), 6 scratch for the room's HyperLogLog
-- ARGV: 1 this hour, 2 the hour before, 3 maximum fields in a statistics key,
--       4 the room's HyperLogLog as stored, or ""
--       5… four lists, each its length and then field, value, field, value, …:
--          counters, leader board, minutes of this hour, minutes of the hour before

local stats, users, top, minutes, counted, scratch = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local hour, hour_before, max_fields = ARGV[1], ARGV[2], tonumber(ARGV[3])
local position = 5

local listed = {}
local function each(kind, apply)
  local length = tonumber(ARGV[position])
  position = position + 1
  for i = position, position + length - 1, 2 do
    local field, value = ARGV[i], tonumber(ARGV[i + 1])
    listed[kind .. field] = true
    local before = tonumber(redis.call('HGET', counted, kind .. field) or '0')
    if value and value > before then
      apply(field, value - before)
      redis.call('HSET', counted, kind .. field, ARGV[i + 1])
    end
  end
  position = position + length
end

each('counter:', function(field, amount)
  if redis.call('HEXISTS', stats, field) == 0 and redis.call('HLEN', stats) >= max_fields - 1 then field = 'other' end
  redis.call('HINCRBY', stats, field, amount)
end)
each('top:', function(field, amount)
  if redis.call('ZCARD', top) >= max_fields and not redis.call('ZSCORE', top, field) then
    amount = amount + tonumber(redis.call('ZPOPMIN', top)[2])
  end
  redis.call('ZINCRBY', top, amount, field)
end)
for _, one in ipairs({hour, hour_before}) do
  each('minute:' .. one .. ':', function(field, amount)
    redis.call('HINCRBY', minutes .. ':' .. one, field, amount)
    redis.call('EXPIRE', minutes .. ':' .. one, 7 * 24 * 3600)
  end)
end
if ARGV[4] ~= '' then
  redis.call('SET', scratch, ARGV[4])
  redis.call('PFMERGE', users, scratch)
  redis.call('DEL', scratch)
end
-- Minutes of hours that no call brings again, and members that fell off the leader board.
if redis.call('HLEN', counted) > 4 * max_fields then
  for _, field in ipairs(redis.call('HKEYS', counted)) do
    if not listed[field] then redis.call('HDEL', counted, field) end
  end
end
return {'ok'}
