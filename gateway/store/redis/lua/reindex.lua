-- reindex.lua: makes again, from the records of a kind, what is found by other things than their ids. of = letter of the
-- kind; from = place to begin at. At most SCAN records: `cut` then says where to go on.
local SCAN = 200
local kind = args.of

local function file(id, r)
    if kind == "c" then
        redis.call("SET", base .. "h:" .. r.hash, id)
        challenge_file(id, r)
    elseif kind == "t" then
        local newest = redis.call("GET", base .. "k:" .. r.key)
        if not newest or number(field("t", newest, "generation")) < number(r.generation) then
            redis.call("SET", base .. "k:" .. r.key, id)
        end
        if unfinished(r) then
            redis.call("ZREM", base .. "t.finished", id)
            if r.renews then
                redis.call("SADD", base .. "w:" .. r.renews, id)
            end
        else
            redis.call("ZADD", base .. "t.finished", number(r.finished), id)
        end
    elseif kind == "x" then
        certificate_mark(id, r)
    end
end

local found = redis.call("ZRANGEBYSCORE", base .. kind .. ".order", args.from or 0, "+inf", "WITHSCORES", "LIMIT", 0, SCAN)
for i = 1, #found, 2 do
    local r = load(kind, found[i])
    if r then
        file(found[i], r)
    else
        redis.call("ZREM", base .. kind .. ".order", found[i])
    end
end
if #found == 2 * SCAN then
    tell("cut", number(found[#found]) + 1)
end
tell_due()
return finish("ok")
