-- A list of rooms: a zset from room to its members now, bounded. Private rooms have one of their
-- own, which nobody is shown.
--
-- KEYS: 1 rooms
-- ARGV: 1 operation: "open" (add the room if there is place), "count" (set its members, even if
--                    it is not in the list: a default room needs no place),
--                    "close" (nobody is there and nothing was ever said or set; or it is deleted)
--       2 room, 3 members, 4 most rooms
--
-- Reply: {"ok"} or {"full"}

local rooms, operation, room = KEYS[1], ARGV[1], ARGV[2]
if operation == 'open' then
  if not redis.call('ZSCORE', rooms, room) then
    if redis.call('ZCARD', rooms) >= tonumber(ARGV[4]) then return {'full'} end
    redis.call('ZADD', rooms, 0, room)
  end
elseif operation == 'count' and ARGV[3] ~= '0' then
  redis.call('ZADD', rooms, ARGV[3], room)
elseif operation == 'count' then
  -- A room that was taken off the list must not come back because an edge still looks after it.
  redis.call('ZADD', rooms, 'XX', 0, room)
else
  redis.call('ZREM', rooms, room)
end
return {'ok'}
