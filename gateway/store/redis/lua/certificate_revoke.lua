-- certificate_revoke.lua: record = digest of issuer and serial; reason. One that is held may be revoked for good: since it
-- was held.
local HOLD = 6
local memory = remembered()
if memory then
    return again(memory, "x")
end
local id, reason = args.record, number(args.reason)
local old = load("x", id)
if not old then
    return finish("not_found")
end
local revoked = number(old.revoked) ~= 0
if revoked and (number(old.reason) ~= HOLD or reason == HOLD) then
    show_fields("x", id, old)
    return finish("conflict")
end
local new = copy(old)
new.revoked, new.reason = revoked and old.revoked or now, reason
update("x", id, old, new)
certificate_mark(id, new)
show_fields("x", id, new)
return done("ok", nil, id)
