-- decide.lua: a person's word on a transaction that waits for it. record = its id; by = who; deny; life = ms of the
-- fresh `expires`; r = error and reason of a denial; release.
local memory = remembered()
if memory then
    return again(memory, "t", "not_found")
end
local id = args.record
local old = load("t", id)
if not old then
    return finish("not_found")
end
local function refuse(outcome)
    tell("transactions", { row(id, old) })
    return finish(outcome)
end

local count, before = 0, false
for word in (old.approvers or ""):gmatch("%S+") do
    count, before = count + 1, before or word == args.by
end
if not unfinished(old) then
    return refuse("finished")
elseif number(old.decision) ~= AWAITED then
    return refuse("stale")
elseif before and not args.deny then
    return refuse("conflict")
end

local new = copy(old)
new.updated = now
if args.deny then
    for name, value in pairs(args.r or {}) do
        new[name] = value
    end
    new.decision, new.sealed = DENIED, ""
    if args.release then
        transaction_release(new)
    end
    transaction_finish(id, new, REJECTED)
else
    new.approvers = (old.approvers and old.approvers .. " " or "") .. args.by
    if number(args.life) > 0 then
        new.expires = now + number(args.life)
    end
    if count + 1 >= number(old.needed) then
        new.decision, new.poll, new.claim, new.lease = APPROVED, now, number(old.claim) + 1, 0
    end
end
update("t", id, old, new)
show("t", id)
return done("ok", nil, id)
