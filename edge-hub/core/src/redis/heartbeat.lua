-- Proves that this node takes writes and that its publications arrive: DEL is accepted by a full
-- server and refused by a demoted one, where a bare PUBLISH would still reach oneself.
--
-- KEYS: 1 a key that never exists, in the slot of the channel
-- ARGV: 1 channel, 2 payload, 3 publish command

redis.call('DEL', KEYS[1])
return redis.call(ARGV[3], ARGV[1], ARGV[2])
