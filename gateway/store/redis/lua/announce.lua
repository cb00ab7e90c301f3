-- announce.lua: replica = id of this process, facts, life in ms (0: it leaves). Shows the others that live.
local me = args.replica
if number(args.life) > 0 then
    redis.call("ZADD", base .. "seen", now, me)
    redis.call("SET", base .. "facts:" .. me, args.facts or "", "PX", args.life)
else
    redis.call("ZREM", base .. "seen", me)
    redis.call("DEL", base .. "facts:" .. me)
end
local rows = {}
local seen = redis.call("ZRANGE", base .. "seen", 0, -1, "WITHSCORES")
for i = 1, #seen, 2 do
    local facts = redis.call("GET", base .. "facts:" .. seen[i])
    if not facts then
        redis.call("ZREM", base .. "seen", seen[i])
    elseif seen[i] ~= me then
        rows[#rows + 1] = { "id", seen[i], "facts", facts, "seen", number(seen[i + 1]) }
    end
end
tell("replicas", rows)
return finish("ok")
