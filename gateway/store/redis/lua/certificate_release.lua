-- certificate_release.lua: record = digest of issuer and serial. Takes a hold back.
local HOLD = 6
local memory = remembered()
if memory then
    return again(memory, "x")
end
local id = args.record
local old = load("x", id)
if not old then
    return finish("not_found")
end
if number(old.revoked) == 0 or number(old.reason) ~= HOLD then
    show_fields("x", id, old)
    return finish("stale")
end
local new = copy(old)
new.revoked, new.reason = 0, 0
update("x", id, old, new)
certificate_mark(id, new)
show_fields("x", id, new)
return done("ok", nil, id)
