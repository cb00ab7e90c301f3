-- begin.lua: the one atomic step that accepts a request: find the generation, bind the challenge, create, lease.
-- r = the record with its id and key; window, lease in ms; supersede; alone. r.needed: it waits for people, `life` ms at
-- most. pass_limit within pass_period ms.
local memory = remembered()
if memory then
    return again(memory, "t", "not_found")
end
local r = args.r
local id = r.id
local old_id = redis.call("GET", base .. "k:" .. r.key)
local old = old_id and load("t", old_id)

-- ---- what is there already

local function answer_with_old(outcome)
    show_fields("t", old_id, old)
    return finish(outcome)
end

local replaced = old and unfinished(old)
if old then
    local same = old.csr == r.csr
    if not replaced then
        -- A device that keeps its key sends the request that got it the certificate once more, to renew it.
        local renewed = r.renews and number(old.state) == ISSUED and old.serial == r.renews
        local fresh = now - number(old.finished) <= number(args.window) or now < number(old.expires)
        if same and not renewed and fresh then
            return answer_with_old("finished")
        end
    elseif same and (number(old.lease) > now or number(old.decision) == AWAITED) then
        return answer_with_old("running")
    elseif same then
        -- Taken over. Events and obligations belong to a creation: only the id is remembered.
        local new = copy(old)
        transaction_lease(new, args.lease)
        update("t", old_id, old, new)
        remember("mine", new.claim, old_id)
        tell("claim", new.claim)
        show_fields("t", old_id, new)
        return finish("mine")
    elseif not args.supersede then
        return answer_with_old("conflict")
    end
end

-- ---- other renewals of the same certificate

if r.renews and args.alone then
    for _, other_id in ipairs(redis.call("SMEMBERS", base .. "w:" .. r.renews)) do
        if other_id ~= old_id then
            show("t", other_id)
            return finish("conflict")
        end
    end
end

-- ---- the challenge. A use that the superseded generation gives back counts, when it is of the same one.

local challenge = r.challenge and load("c", r.challenge)
if r.challenge then
    local left = challenge and number(challenge.left) or 0
    if replaced and old.bound and old.challenge == r.challenge then
        left = left + 1
    end
    if not challenge or left <= 0 or number(challenge.state) == REVOKED or now >= number(challenge.expires) then
        if challenge then
            show_fields("c", r.challenge, challenge)
        end
        return finish("taken")
    end
end

-- ---- the pass limit

local limit = number(args.pass_limit)
if limit > 0 then
    local since = "(" .. whole(now - number(args.pass_period))
    if redis.call("ZCOUNT", base .. "t.limited", since, "+inf") >= limit then
        return finish("full")
    end
end

-- ---- the new generation

if replaced then
    local new = copy(old)
    transaction_release(new)
    transaction_finish(old_id, new, SUPERSEDED)
    new.sealed = ""
    update("t", old_id, old, new)
    challenge = r.challenge and load("c", r.challenge)
end
if challenge then
    local new = copy(challenge)
    new.left = number(challenge.left) - 1
    if new.left == 0 then
        new.state = USED
    end
    new.first = challenge.first or id
    update("c", r.challenge, challenge, new)
    challenge_file(r.challenge, new)
    r.bound = 1
end
r.id = nil
r.generation = (old and number(old.generation) or 0) + 1
r.state, r.claim, r.lease, r.created, r.updated = 1, 1, now + number(args.lease), now, now
if number(r.needed) > 0 then
    r.state, r.lease, r.decision = PENDING, 0, AWAITED
    r.expires = number(args.life) > 0 and now + number(args.life) or 0
end
if limit > 0 then
    r.limited = 1
    redis.call("ZADD", base .. "t.limited", now, id)
end
create("t", id, r)
redis.call("SET", base .. "k:" .. r.key, id)
if r.renews then
    redis.call("SADD", base .. "w:" .. r.renews, id)
end
redis.call("ZADD", base .. "t.order", next_place(newest_place("t.order")), id)
show_fields("t", id, r)
return done("mine", 1, id)
