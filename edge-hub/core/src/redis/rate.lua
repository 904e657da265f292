-- Takes from a user's bucket of commands that come over HTTP, where no connection keeps one.
--
-- KEYS: 1 rate
-- ARGV: 1 interval in ms between commands, 2 burst (commands)
--
-- Reply: {0}, or {how long to wait, in ms}

local rate, interval, burst = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local function int(n) return string.format('%.0f', n) end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- Generic cell rate: the stored value is the time at which the bucket is full again.
local full_at = tonumber(redis.call('GET', rate) or '0') or 0
if full_at < now then full_at = now end
local wait = full_at - now - interval * (burst - 1)
if wait > 0 then return {math.ceil(wait)} end
redis.call('SET', rate, int(full_at + interval), 'PX', int(full_at + interval - now + 1000))
return {0}
