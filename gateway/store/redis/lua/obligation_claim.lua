-- obligation_claim.lua: what of one alias is due, at most `limit`, for `lease` ms. claim = the number that it gets, or a
-- higher one: none comes again within the alias, so a row that was deleted and put again cannot be mistaken.
local rows = {}
local memory = remembered()
if memory then
    for _, id in ipairs(cmsgpack.unpack(memory.reference)) do
        local r = obligation_row(id, 0)
        if r.claim == memory.claim then
            rows[#rows + 1] = obligation_show(id, r)
        end
    end
else
    local due = redis.call("ZRANGEBYSCORE", base .. "due", "-inf", now, "WITHSCORES", "LIMIT", 0, args.limit)
    local ids = {}
    local claim
    if #due > 0 then
        claim = math.max(number(redis.call("HGET", base .. "n", "claim")) + 1, number(args.claim))
        redis.call("HSET", base .. "n", "claim", whole(claim))
    end
    for i = 1, #due, 2 do
        local id = due[i]
        local r = obligation_row(id, due[i + 1])
        r.attempts, r.claim = r.attempts + 1, claim
        obligation_keep(id, r)
        redis.call("ZADD", base .. "due", now + number(args.lease), id)
        ids[#ids + 1] = id
        rows[#rows + 1] = obligation_show(id, r)
    end
    if claim then
        remember("ok", claim, cmsgpack.pack(ids))
        tell("claim", claim)
    end
end
tell("obligations", rows)
tell_due()
return finish("ok")
