-- import.lua: of = letter of the kind; r = the record as it is, with its id. The same one there already: ok and
-- `repeated`; another one: conflict.
local IMPORTING = 7 * 86400000 -- ms
local kind, r = args.of, args.r
local id = r.id
r.id = nil

-- A lease is not carried over.
local function different(have, want)
    have.lease = nil
    for name, value in pairs(want) do
        if have[name] ~= value then
            return true
        end
    end
    for name in pairs(have) do
        if want[name] == nil then
            return true
        end
    end
    return false
end

-- The place of a record in the order is that of its time, or the next that is free.
local function place_of(time)
    local at = number(time) * 1000
    while redis.call("ZCOUNT", base .. kind .. ".order", at, at) > 0 do
        at = at + 1
    end
    return at
end

local have = load(kind, id)
if have then
    if different(have, r) then
        return finish("conflict")
    end
    tell("repeated", 1)
    return finish("ok")
end
if kind == "c" then
    if redis.call("EXISTS", base .. "h:" .. r.hash) == 1 then
        return finish("conflict")
    end
    redis.call("SET", base .. "h:" .. r.hash, id)
    redis.call("ZADD", base .. "c.order", place_of(r.created), id)
    challenge_file(id, r)
elseif kind == "t" then
    -- Older generations are found by their ids alone, so those that were imported are marked for as long as it may take.
    local mark = base .. "g:" .. r.key .. ":" .. r.generation
    local newest = redis.call("GET", base .. "k:" .. r.key)
    local generation = newest and number(field("t", newest, "generation")) or 0
    if generation == number(r.generation) or not redis.call("SET", mark, id, "NX", "PX", IMPORTING) then
        return finish("conflict")
    end
    if generation < number(r.generation) then
        redis.call("SET", base .. "k:" .. r.key, id)
    end
    redis.call("ZADD", base .. "t.order", place_of(r.created), id)
    if not unfinished(r) then
        redis.call("ZADD", base .. "t.finished", number(r.finished), id)
    elseif r.renews then
        redis.call("SADD", base .. "w:" .. r.renews, id)
    end
    if r.limited then
        redis.call("ZADD", base .. "t.limited", number(r.created), id)
    end
elseif kind == "x" then
    redis.call("ZADD", base .. "x.order", place_of(r.recorded), id)
    certificate_mark(id, r)
elseif kind == "v" then
    redis.call("ZADD", base .. "v.order", place_of(r.this_update), id)
elseif kind == "r" then
    redis.call("ZADD", base .. "r.order", number(id), id)
end
create(kind, id, r)
return finish("ok")
