-- due_pick.lua: in the index of due times: aliases to visit, at most `limit`. Nobody else visits them within `pause` ms,
-- after which a visit that died is made up for.
local memory = remembered()
local aliases
if memory then
    aliases = cmsgpack.unpack(memory.reference)
else
    aliases = redis.call("ZRANGEBYSCORE", base .. "aliases", "-inf", now, "LIMIT", 0, args.limit)
    for _, alias in ipairs(aliases) do
        redis.call("ZADD", base .. "aliases", now + number(args.pause), alias)
        redis.call("HSET", base .. "visits", alias, args.id)
    end
    if #aliases > 0 then
        local number_of_claim = redis.call("INCR", base .. "claims")
        remember("ok", number_of_claim, cmsgpack.pack(aliases))
        tell("claim", number_of_claim)
    end
end
tell("aliases", aliases)
return finish("ok")
