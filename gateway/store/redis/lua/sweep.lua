-- sweep.lua: deletes what retention says of one alias, oldest first, at most `limit` rows. Ages in ms; none: for ever;
-- revoked: of revoked certificates.
local left = number(args.limit)

-- Ids whose time is so old, as many as may still go.
local function old_ones(index, age)
    if not age or left <= 0 then
        return {}
    end
    local ids = redis.call("ZRANGEBYSCORE", base .. index, "-inf", now - number(age), "LIMIT", 0, left)
    left = left - #ids
    return ids
end

local function drop(kind, id, ...)
    erase(kind, id)
    for _, index in ipairs({ ... }) do
        redis.call("ZREM", base .. index, id)
    end
end

for _, state in ipairs({ "unused", "used" }) do
    local index = "c." .. state
    for _, id in ipairs(old_ones(index, args[state])) do
        redis.call("DEL", base .. "h:" .. field("c", id, "hash"))
        drop("c", id, "c.order", index)
    end
end
for _, id in ipairs(old_ones("t.finished", args.finished)) do
    local newest = base .. "k:" .. field("t", id, "key")
    if redis.call("GET", newest) == id then
        redis.call("DEL", newest)
    end
    drop("t", id, "t.order", "t.finished", "t.limited")
end
for _, id in ipairs(old_ones("given_up", args.finished)) do
    redis.call("ZREM", base .. "given_up", id)
    redis.call("HDEL", base .. "rows", id)
end
for _, id in ipairs(old_ones("x.end", args.certificate)) do
    local x = { revoked = field("x", id, "revoked"), not_after = field("x", id, "not_after") }
    if number(x.revoked) ~= 0 then -- by a program that had no set of them
        certificate_mark(id, x)
        left = left + 1
    else
        drop("x", id, "x.order", "x.end")
    end
end
if args.revoked and left > 0 then
    local behind = "(" .. end_text(now - number(args.revoked) + 1)
    for _, member in ipairs(redis.call("ZRANGEBYLEX", base .. "x.revoked", "-", behind, "LIMIT", 0, left)) do
        drop("x", member:sub(17), "x.order", "x.end")
        redis.call("ZREM", base .. "x.revoked", member)
        left = left - 1
    end
end

-- All generations of an RA identity but the newest.
if args.certificate then
    for _, generation in ipairs(redis.call("ZRANGE", base .. "r.order", 0, -2)) do
        local ended = number(field("r", generation, "not_after"))
        if left > 0 and ended > 0 and ended <= now - number(args.certificate) then
            drop("r", generation, "r.order")
            left = left - 1
        end
    end
end

-- The chain then begins at the last deleted row's link, which is kept.
if args.audit and left > 0 then
    local last, count = nil, 0
    for _, entry in ipairs(redis.call("XRANGE", base .. "audit", "-", "+", "COUNT", left)) do
        if number(entry[2][2]) > now - number(args.audit) then
            break
        end
        last, count = entry, count + 1
    end
    if last then
        local at, sequence = last[1]:match("^(%d+)-(%d+)$")
        redis.call("HSET", base .. "audit.anchor", "sequence", sequence, "link", last[2][16])
        redis.call("XTRIM", base .. "audit", "MINID", "=", at .. "-" .. whole(number(sequence) + 1))
        left = left - count
    end
end

tell("total", number(args.limit) - left)
return finish("ok")
