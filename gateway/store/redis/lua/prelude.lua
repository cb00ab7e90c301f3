-- prelude.lua: put before every other script. Its arguments by name, the clock, records, what an operation
-- leaves behind (memory of its id, audit rows, obligations), and the reply.
--
-- A script refuses before it writes: a refusal leaves nothing. Keys are made of `base`, which holds the hash
-- tag, and a letter for the kind:
--   c: t: x: r: v:  records of challenges, transactions, certificates, RA identities, CRLs (hashes)
--   c.order ...   their ids in the order of their making (sorted sets)
--   c.unused c.used t.finished x.end   the times that retention looks at (sorted sets)
--   x.revoked     revoked certificates: when they end, and their ids, as one text (sorted set, by the text)
--   t.limited     transactions that count against a pass limit, by the time of their making (sorted set)
--   h: k: w:      challenge id by hash, newest transaction id by key, unfinished renewals by serial (sets)
--   l: o: f:      leases, operations, failure counts
--   due rows given_up   obligations;  audit audit.head audit.anchor   the chain of audit rows;  n   counters
-- Numbers are doubles: whole below 2^53, and only `whole` makes a text of them.

local base = KEYS[1]

local PENDING, ISSUED, REJECTED, SUPERSEDED = 2, 3, 4, 8
local UNFINISHED = { [1] = true, [2] = true, [7] = true }
local AWAITED, APPROVED, DENIED = 1, 2, 3
local UNUSED, USED, REVOKED = 1, 2, 3
local LONG = 64                 -- a longer value in a hash would make Redis give up its compact form
local REMEMBERED = 15 * 60000   -- ms that a repeat is known for

-- ---- arguments: "name" value, or "group.name" value ------------------------------------------------------

local args = {}
for i = 1, #ARGV, 2 do
    local name = ARGV[i]
    local dot = name:find(".", 1, true)
    if dot then
        local group = name:sub(1, dot - 1)
        args[group] = args[group] or {}
        args[group][name:sub(dot + 1)] = ARGV[i + 1]
    else
        args[name] = ARGV[i + 1]
    end
end

local function number(value)
    return tonumber(value) or 0
end

local function whole(value)
    return string.format("%.0f", value)
end

-- Ids are kept as 16 bytes; obligations name them as 32 digits.
local function id_text(id)
    if #id ~= 16 then
        return id
    end
    return (id:gsub(".", function(byte) return string.format("%02x", byte:byte()) end))
end

-- ---- the clock -------------------------------------------------------------------------------------------

local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- What is made gets a place in the order of all that is made: us of this clock, but above every place that the
-- caller has seen. So lists show the order of events although the clocks of a cluster differ.
local place = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), number(args.order) + 1)

local function next_place(last)
    place = math.max(place, last + 1)
    local taken = place
    place = place + 1
    return taken
end

local function newest_place(index)
    return number(redis.call("ZREVRANGE", base .. index, 0, 0, "WITHSCORES")[2])
end

-- ---- the reply: names and values -------------------------------------------------------------------------

local answer = { "now", now }

local function tell(name, value)
    answer[#answer + 1] = name
    answer[#answer + 1] = value
end

local function finish(outcome)
    tell("outcome", outcome)
    tell("order", place - 1)
    return answer
end

-- ---- records ---------------------------------------------------------------------------------------------

-- Names and texts. Empty texts and zeros are left out.
local function stored(fields)
    local set = {}
    for name, value in pairs(fields) do
        if value ~= 0 and value ~= "" then
            set[name] = type(value) == "number" and whole(value) or value
        end
    end
    return set
end

-- Long values have string keys of their own, KEY:NAME; the hash then has "+NAME".
local function write(key, fields)
    local pairs_of = {}
    for name, value in pairs(fields) do
        if #value > LONG then
            redis.call("SET", key .. ":" .. name, value)
            name, value = "+" .. name, ""
        end
        pairs_of[#pairs_of + 1] = name
        pairs_of[#pairs_of + 1] = value
    end
    if #pairs_of > 0 then
        redis.call("HSET", key, unpack(pairs_of))
    end
end

local function create(kind, id, fields)
    write(base .. kind .. ":" .. id, stored(fields))
end

local function forget(key, name)
    redis.call("HDEL", key, name)
    if redis.call("HDEL", key, "+" .. name) == 1 then
        redis.call("DEL", key .. ":" .. name)
    end
end

-- Brings the stored record from `old` to `new`, both as `load` gives them.
local function update(kind, id, old, new)
    local key, changed = base .. kind .. ":" .. id, {}
    new = stored(new)
    for name, value in pairs(old) do
        if new[name] ~= value then
            forget(key, name)
        end
    end
    for name, value in pairs(new) do
        if old[name] ~= value then
            changed[name] = value
        end
    end
    write(key, changed)
end

-- All fields by name, or nil.
local function load(kind, id)
    local key = base .. kind .. ":" .. id
    local flat = redis.call("HGETALL", key)
    if #flat == 0 then
        return nil
    end
    local fields = {}
    for i = 1, #flat, 2 do
        local name, value = flat[i], flat[i + 1]
        if name:sub(1, 1) == "+" then
            name = name:sub(2)
            value = redis.call("GET", key .. ":" .. name) or ""
        end
        fields[name] = value
    end
    return fields
end

local function copy(fields)
    local fresh = {}
    for name, value in pairs(fields) do
        fresh[name] = value
    end
    return fresh
end

local function erase(kind, id)
    local key = base .. kind .. ":" .. id
    for _, name in ipairs(redis.call("HKEYS", key)) do
        if name:sub(1, 1) == "+" then
            redis.call("DEL", key .. ":" .. name:sub(2))
        end
    end
    redis.call("DEL", key)
end

-- One field, "" when it is empty.
local function field(kind, id, name)
    local key = base .. kind .. ":" .. id
    local short = redis.call("HGET", key, name)
    return short or redis.call("GET", key .. ":" .. name) or ""
end

local function row(id, fields)
    local flat = { "id", id }
    for name, value in pairs(fields) do
        flat[#flat + 1] = name
        flat[#flat + 1] = value
    end
    return flat
end

local rows_of = { c = "challenges", t = "transactions", x = "certificates", r = "ras", v = "crls" }

local function show_fields(kind, id, fields)
    tell(rows_of[kind], { row(id, stored(fields)) })
end

-- The present record in the reply; false when there is none.
local function show(kind, id)
    local fields = load(kind, id)
    if fields then
        show_fields(kind, id, fields)
    end
    return fields ~= nil
end

-- ---- obligations: "due" has all that come, "rows" what is more than the time -----------------------------

-- Gives the time that it is due.
local function obligation_put(kind, reference, delay)
    local id, due = kind .. "/" .. (reference or ""), now + number(delay)
    redis.call("ZADD", base .. "due", due, id)
    redis.call("HDEL", base .. "rows", id)
    redis.call("ZREM", base .. "given_up", id)
    return due
end

local function obligation_clear(kind, reference)
    local id = kind .. "/" .. reference
    redis.call("ZREM", base .. "due", id)
    redis.call("HDEL", base .. "rows", id)
    redis.call("ZREM", base .. "given_up", id)
end

-- A row is "WANTED ATTEMPTS CLAIM"; one that was never claimed is nothing but its time.
local function obligation_row(id, score)
    local text = redis.call("HGET", base .. "rows", id)
    local wanted, attempts, claim = (text or ""):match("^(%d+) (%d+) (%d+)$")
    return { wanted = number(wanted or score), attempts = number(attempts), claim = number(claim) }
end

local function obligation_keep(id, r)
    redis.call("HSET", base .. "rows", id, whole(r.wanted) .. " " .. whole(r.attempts) .. " " .. whole(r.claim))
end

local function obligation_show(id, r, given_up)
    return { "id", id, "due", whole(r.wanted), "attempts", whole(r.attempts), "claim", whole(r.claim),
             "given_up", given_up and "1" or "0" }
end

-- When the alias' next one is due: for the index that spans aliases. It has that already when what was written (due at
-- `fresh`) is not the first.
local function tell_due(fresh)
    local first = redis.call("ZRANGE", base .. "due", 0, 0, "WITHSCORES")
    local due = first[2] and number(first[2])
    if due and (not fresh or fresh <= due) then
        tell("due", due)
    end
end

-- ---- audit: a chain of rows in a stream, whose ids are PLACE-SEQUENCE -------------------------------------

local NOBODY = string.rep("0", 40)

local function audit_state(key)
    local found = redis.call("HMGET", base .. key, "sequence", "link", "place")
    return { sequence = number(found[1]), link = found[2] or NOBODY, place = number(found[3]) }
end

-- `digest` is SHA-256 over the row's texts, made by the caller, because scripts have SHA-1 alone.
local function audit_write(e, at)
    local head = audit_state("audit.head")
    local sequence, taken = head.sequence + 1, next_place(head.place)
    local link = redis.sha1hex(head.link .. whole(sequence) .. "." .. whole(at) .. "." .. e.digest)
    redis.call("XADD", base .. "audit", whole(taken) .. "-" .. whole(sequence), "at", whole(at), "event",
               e.event or "", "alias", e.alias or "", "tenant", e.tenant or "", "transaction",
               e.transaction or "", "client", e.client or "", "details", e.details or "", "link", link)
    redis.call("HSET", base .. "audit.head", "sequence", whole(sequence), "link", link, "place", whole(taken))
end

-- ---- what an operation leaves behind ----------------------------------------------------------------------

-- What became of this operation id, or nil. `reference` says where a repeat finds what to answer with.
local function remembered()
    local text = args.id and redis.call("GET", base .. "o:" .. args.id)
    local kind, outcome, claim, reference = (text or ""):match("^(%d+) (%S+) (%d+) (.*)$")
    if kind ~= args.kind then
        return nil
    end
    tell("repeated", 1)
    tell("claim", number(claim))
    return { outcome = outcome, claim = number(claim), reference = reference }
end

local function remember(outcome, claim, reference, life)
    if args.id then
        local text = args.kind .. " " .. outcome .. " " .. whole(claim or 0) .. " " .. (reference or "")
        redis.call("SET", base .. "o:" .. args.id, text, "PX", life or REMEMBERED)
    end
end

-- The end of an operation that changed something: remembered, with its audit rows and obligations.
local function done(outcome, claim, reference)
    remember(outcome, claim, reference)
    for i = 1, 4 do
        if args["e" .. i] then
            audit_write(args["e" .. i], now)
        end
    end
    local fresh
    for i = 1, 4 do
        local o = args["b" .. i]
        if o then
            fresh = math.min(fresh or math.huge, obligation_put(o.kind, o.reference, o.delay))
        end
    end
    if fresh then
        tell_due(fresh)
    end
    if claim then
        tell("claim", claim)
    end
    return finish(outcome)
end

-- The answer to a repeat: the first one's outcome, with the record as it is now.
local function again(memory, kind, otherwise)
    local there = show(kind, memory.reference)
    if args.b1 then
        tell_due()
    end
    return finish(there and memory.outcome or otherwise or memory.outcome)
end

-- ---- leases -----------------------------------------------------------------------------------------------

local function lease_held(lease)
    return lease ~= nil and lease.owner == args.owner and number(lease["until"]) > now
end

-- ---- challenges -------------------------------------------------------------------------------------------

-- Retention keeps a used mark for longer, so the two have sets of their own.
local function challenge_file(id, c)
    local unused = number(c.left) == number(c.uses)
    redis.call("ZADD", base .. (unused and "c.unused" or "c.used"), number(c.expires), id)
    redis.call("ZREM", base .. (unused and "c.used" or "c.unused"), id)
end

-- One that was revoked, or deleted, meanwhile stays so.
local function challenge_release(id)
    local old = load("c", id)
    if not old then
        return
    end
    local new = copy(old)
    new.left = number(old.left) + 1
    if number(old.state) == USED then
        new.state = UNUSED
    end
    update("c", id, old, new)
    challenge_file(id, new)
end

-- ---- transactions -----------------------------------------------------------------------------------------

local function unfinished(t)
    return UNFINISHED[number(t.state)] ~= nil
end

local function transaction_release(t)
    if t.bound then
        challenge_release(t.challenge)
        t.bound = ""
    end
end

-- Ends it: no lease, no obligations that only make sense while it runs.
local function transaction_finish(id, t, state)
    t.state, t.finished, t.updated, t.lease = state, now, now, 0
    if t.renews then
        redis.call("SREM", base .. "w:" .. t.renews, id)
    end
    obligation_clear("submission.resume", id_text(id))
    obligation_clear("transaction.expire", id_text(id))
    redis.call("ZADD", base .. "t.finished", now, id)
end

local function transaction_lease(t, lease)
    t.claim, t.lease, t.updated = number(t.claim) + 1, now + number(lease), now
end

-- ---- certificates: each once per alias, issuer and serial; `id` is a digest of the two --------------------

local ABSENT, RECORDED, CLASH = 0, 1, 2

local function certificate_look(x)
    if not x then
        return RECORDED
    end
    local have = load("x", x.id)
    if not have then
        return ABSENT
    end
    local same = have.der == x.der and (have.transaction or "") == (x.transaction or "")
    return same and RECORDED or CLASH
end

-- The first 16 digits of a member of x.revoked.
local function end_text(not_after)
    return string.format("%016.0f", number(not_after))
end

-- Retention keeps revoked ones for longer, and CRLs list them, so they have a set of their own.
local function certificate_mark(id, x)
    local member = end_text(x.not_after) .. id
    if number(x.revoked) ~= 0 then
        redis.call("ZADD", base .. "x.revoked", 0, member)
        redis.call("ZREM", base .. "x.end", id)
    else
        redis.call("ZADD", base .. "x.end", number(x.not_after), id)
        redis.call("ZREM", base .. "x.revoked", member)
    end
end

local function certificate_file(x, made, at)
    local fields = copy(x)
    fields.id = nil
    redis.call("ZADD", base .. "x.order", at, x.id)
    certificate_mark(x.id, x)
    fields.recorded = made
    create("x", x.id, fields)
end

local function certificate_add(x)
    certificate_file(x, now, next_place(newest_place("x.order")))
end
