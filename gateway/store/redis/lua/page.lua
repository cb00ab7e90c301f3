-- page.lua: places and ids of records of one alias that match. of = letter of the kind; from, to = the first and the last
-- place to look at, inclusive; limit; forward: from the oldest on, otherwise from the newest; state, text: filters; sealed: only those
-- that have a sealed value; created_from, created_until, decision: of transactions. At most SCAN records are looked at: `cut`
-- then says where to go on.
local SCAN = 500
local kind, text = args.of, args.text and args.text:lower()
local from, till = number(args.created_from), number(args.created_until)
local dated = from > 0 or till > 0

-- What the text may be a part of.
local TEXTS = { c = { "cn", "labels" }, t = { "subject", "tid" }, x = { "subject", "serial" } }

local function holds_text(id)
    if kind == "c" and id_text(id):find(text, 1, true) then
        return true
    end
    for _, name in ipairs(TEXTS[kind]) do
        if field(kind, id, name):lower():find(text, 1, true) then
            return true
        end
    end
    return false
end

local function certificate_state(id)
    if number(field("x", id, "revoked")) ~= 0 then
        return "revoked"
    end
    return number(field("x", id, "not_after")) <= now and "expired" or "valid"
end

local function matches(id)
    if args.sealed and field(kind, id, "sealed") == "" then
        return false
    end
    if dated then
        local created = number(field(kind, id, "created"))
        if created < from or (till > 0 and created >= till) then
            return false
        end
    end
    if args.decision and field(kind, id, "decision") ~= args.decision then
        return false
    end
    if args.state then
        local state = kind == "x" and certificate_state(id) or field(kind, id, "state")
        if state ~= args.state then
            return false
        end
    end
    return not text or holds_text(id)
end

local command = args.forward and "ZRANGEBYSCORE" or "ZREVRANGEBYSCORE"
local limit = number(args.limit)
local filtered = args.state or text or args.sealed or dated
local found = redis.call(command, base .. kind .. ".order", args.from, args.to, "WITHSCORES", "LIMIT", 0,
                         filtered and SCAN or math.min(limit, SCAN))
local places = {}
local last
for i = 1, #found, 2 do
    last = number(found[i + 1])
    if not filtered or matches(found[i]) then
        places[#places + 1] = whole(last)
        places[#places + 1] = found[i]
        if #places == 2 * limit then
            break
        end
    end
end
if #places < 2 * limit and #found == 2 * SCAN then
    tell("cut", args.forward and last + 1 or last - 1)
end
tell("places", places)
return finish("ok")
