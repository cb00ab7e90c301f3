-- advance.lua: moves a claimed transaction. record = its id; claim; state; r = values to set; x = certificate;
-- poll, life = ms of a pending one; release, erase, drop; extend = ms.
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
    show_fields("t", id, old)
    return finish(outcome)
end
if not unfinished(old) then
    return refuse("finished")
elseif number(old.claim) ~= number(args.claim) then
    return refuse("stale")
end
local presence = certificate_look(args.x)
if presence == CLASH then
    return refuse("conflict")
end

local new, state = copy(old), number(args.state)
for name, value in pairs(args.r or {}) do
    new[name] = value
end
new.updated = now
if state == PENDING then
    new.poll = now + number(args.poll)
    if not old.expires and number(args.life) > 0 then
        new.expires = now + number(args.life)
    end
    obligation_clear("submission.resume", id_text(id)) -- from here on the client's polls drive it
end
if args.x then
    new.serial = args.x.serial
end
if args.erase then
    new.sealed = ""
end
if args.drop then
    new.lease = 0
end
if number(args.extend) > 0 then
    new.lease = now + number(args.extend)
end
if args.release then
    transaction_release(new)
end
if state ~= 0 and not UNFINISHED[state] then
    transaction_finish(id, new, state)
elseif state ~= 0 then
    new.state = state
end
if presence == ABSENT then
    certificate_add(args.x)
end
update("t", id, old, new)
show_fields("t", id, new)
return done("ok", number(new.claim), id)
