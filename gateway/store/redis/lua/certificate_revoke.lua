-- certificate_revoke.lua: record = digest of issuer and serial; reason. One that is revoked already keeps its first
-- time and reason, and says ok.
local memory = remembered()
if memory then
    return again(memory, "x")
end
local id = args.record
local old = load("x", id)
if not old then
    return finish("not_found")
end
if number(old.revoked) ~= 0 then
    show_fields("x", id, old)
    return finish("ok")
end
local new = copy(old)
new.revoked, new.reason = now, number(args.reason)
update("x", id, old, new)
show_fields("x", id, new)
return done("ok", nil, id)
