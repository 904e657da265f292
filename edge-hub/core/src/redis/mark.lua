-- Notes how far a user has read a room; never backwards.
--
-- KEYS: 1 log, 2 read (zset: user -> number)
-- ARGV: 1 user, 2 seq, 3 most users
--
-- Reply, flat: {his number now, 1 if it is further than before, users that have one}

local log, read = KEYS[1], KEYS[2]
local user, seq, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local head = newest and tonumber(string.match(newest[1], '^(%d+)')) or 0
local before = tonumber(redis.call('ZSCORE', read, user) or '0')
-- What was read of a log whose tail a failover lost is not read of this one.
local kept, wanted = math.min(before, head), math.min(seq, head)
if wanted <= kept then
  if kept < before then redis.call('ZADD', read, string.format('%.0f', kept), user) end
  return {string.format('%.0f', kept), 0, redis.call('ZCARD', read)}
end
redis.call('ZADD', read, string.format('%.0f', wanted), user)
local users = redis.call('ZCARD', read)
if users > most then redis.call('ZPOPMIN', read) end
return {string.format('%.0f', wanted), 1, users}
