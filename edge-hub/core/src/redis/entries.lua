-- The beginning of the scripts that write to chained logs; build.rs puts it before them.

local function int(n) return string.format('%.0f', n) end
-- The start of an entry is written by these scripts, so its form is known; the rest is never parsed here.
local function head_of(event)
  return string.match(event, '^{"v":%d+,"seq":%d+,"prev":"%x+","tag":"(%x+)","at":(%d+)')
end
local function number_of(entry) return tonumber(string.match(entry[1], '^(%d+)')) end
-- A tag covers which message the entry is about, too.
local function link(prev, seq, kind, at, hash, target)
  local header = prev .. '|' .. seq .. '|' .. kind .. '|' .. at .. '|1|' .. hash
  if target then header = header .. '|' .. target.seq .. '-' .. target.tag end
  return string.sub(redis.sha1hex(header), 1, 16)
end
local function about(target)
  return target and '"target":{"position":{"seq":' .. target.seq .. ',"tag":"' .. target.tag .. '"},"user":"' ..
    target.user .. '","id":"' .. target.id .. '"},' or ''
end
-- What an entry says: itself, whose it is, and what moderation decided; nil if it is not one of ours.
local function content_of(event)
  local readable, entry, whose, decided = pcall(function()
    local entry = cjson.decode(event)
    return entry, entry.body.user.id .. ' ' .. entry.body.id, (entry.moderation or {}).action or 'allow'
  end)
  if readable and string.match(whose, '^[%w%._@|:+-]+ [%w%._@|:+-]+$') then return entry, whose, decided end
end
local function event_at(log, seq)
  local found = redis.call('XRANGE', log, seq .. '-0', seq .. '-0')[1]
  return found and found[2][2]
end
-- What stays of an entry whose content goes: its place in the chain, with header, tag and hash.
local function tombstone_of(event)
  local place, next = string.match(event, '^({"v":%d+,"seq":%d+,"prev":"%x+","tag":"%x+","at":%d+),()')
  local target, after = string.match(event, '^("target":{"position":{"seq":%d+,"tag":"%x+"}),[^}]*},()', next)
  local covered = string.match(event, '^"kind":"%l+","hash":"%x+"', after or next)
  if not covered then return end
  if target then covered = target .. '},' .. covered end
  return place .. ',' .. covered .. '}'
end
-- The message that a reference names, "SEQ-TAG" or "USER ID", or why there is none.
local function message_of(reference, log, seen, tombstones)
  local seq, tag = string.match(reference, '^(%d+)%-(%x+)$')
  if not seq then
    local score = tonumber(redis.call('ZSCORE', seen, reference) or '0')
    if score > math.floor(score) then return nil, 'target_missing' end
    seq = int(score)
  end
  local event = event_at(log, seq)
  local place = event or redis.call('HGET', tombstones, seq)
  local stored = place and head_of(place)
  if tag and stored and stored ~= tag then return nil, 'stale_target' end
  local entry, whose = content_of(event)
  if not stored or not entry or entry.v ~= 1 or entry.kind ~= 'message' or not (tag or whose == reference) then
    return nil, 'target_missing'
  end
  return {seq = seq, tag = stored, user = entry.body.user.id, id = entry.body.id}
end
-- The number of the entry whose text a message shows: its newest edit, or itself.
local function shown_at(message, edits)
  local shown = tonumber(message.seq)
  for _, number in ipairs(redis.call('ZRANGEBYSCORE', edits, message.seq, message.seq)) do
    shown = math.max(shown, tonumber(number))
  end
  return int(shown)
end

-- The moderation log of a room. Reads what its next entry hangs on, so that what is wrong shows before
-- anything is written; answers the function that writes one, and says its number. `rest` is the entry's
-- JSON from "kind" on, `target` the message that it is about, `name` that by which `known` finds it. The
-- keys beside the log have names that begin with its own.
local function moderation_log(log, now)
  local tombstones, known, queue = log .. ':tombstones', log .. ':known', log .. ':queue'
  local most, age = 10000, 90 * 24 * 3600 * 1000
  local last, prev, at = 0, '0000000000000000', int(now)
  local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if newest then
    last, prev = number_of(newest), head_of(newest[2][2])
    if not prev then error({err = 'CORRUPT the last entry of ' .. log .. ' is not one of ours'}) end
  end
  redis.call('ZCARD', known)
  redis.call('ZCARD', queue)
  redis.call('HLEN', tombstones)
  local function trim()
    local first, removed
    for _ = 1, 10 do
      first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
      local _, stored_at = head_of(first[2][2])
      local old = stored_at and tonumber(stored_at) < now - age
      local crowded = redis.call('XLEN', log) + redis.call('HLEN', tombstones) > most
      if number_of(first) == last or not (old or crowded) then break end
      redis.call('XDEL', log, first[1])
      removed = true
    end
    if not removed then return end
    first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
    redis.call('ZREMRANGEBYSCORE', known, '-inf', '(' .. int(number_of(first)))
    if redis.call('HLEN', tombstones) == 0 then return end
    for _, number in ipairs(redis.call('HKEYS', tombstones)) do
      if tonumber(number) < number_of(first) then redis.call('HDEL', tombstones, number) end
    end
  end
  return function(rest, target, name)
    local kind, hash = string.match(rest, '^"kind":"(%l+)","hash":"(%x+)"')
    local function add()
      local seq = int(last + 1)
      local tag = link(prev, seq, kind, at, hash, target)
      local event = '{"v":1,"seq":' .. seq .. ',"prev":"' .. prev .. '","tag":"' .. tag .. '","at":' .. at .. ',' ..
        about(target) .. rest
      return redis.pcall('XADD', log, seq .. '-0', 'event', event), seq, tag
    end
    local added, seq, tag = add()
    if type(added) == 'table' and added.err then
      -- Entries at the end were deleted by hand: their numbers are spent, and one tombstone says so.
      local spent
      local info = redis.call('XINFO', 'STREAM', log)
      for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then spent = tonumber(string.match(info[i + 1], '^(%d+)')) end
      end
      if not spent or spent <= last then error({err = added.err}) end
      local zeros = string.rep('0', 64)
      local gap = link(prev, int(spent), 'damaged', at, zeros)
      redis.call('HSET', tombstones, int(spent), '{"v":1,"seq":' .. int(spent) .. ',"prev":"' .. prev ..
        '","tag":"' .. gap .. '","at":' .. at .. ',"from":' .. int(last + 1) .. ',"kind":"damaged","hash":"' .. zeros .. '"}')
      last, prev = spent, gap
      added, seq, tag = add()
      if type(added) == 'table' and added.err then error({err = added.err}) end
    end
    last, prev = tonumber(seq), tag
    if name then redis.call('ZADD', known, seq, name) end
    pcall(trim)
    -- Where nothing is decided any more nothing stays for ever.
    for _, key in ipairs({log, tombstones, known, queue}) do redis.call('PEXPIRE', key, age) end
    return seq
  end
end
-- Puts an entry of that log before the moderators: each stands under the number of its message.
local function enqueue(log, message, seq)
  local queue = log .. ':queue'
  if redis.call('ZCOUNT', queue, message, message) >= 50 then return end
  redis.call('ZADD', queue, message, seq)
  if redis.call('ZCARD', queue) > 1000 then redis.call('ZPOPMIN', queue) end
  redis.call('PEXPIRE', queue, 90 * 24 * 3600 * 1000)
end
-- The texts that were masked, for who has the key: `quarantine` says when each goes.
local function forget_original(log, seq)
  local quarantine = log .. ':quarantine'
  redis.call('ZREM', quarantine, seq)
  redis.call('DEL', quarantine .. ':' .. seq)
end
