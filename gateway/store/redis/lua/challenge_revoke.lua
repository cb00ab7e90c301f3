-- challenge_revoke.lua: challenge = its id. Revoking twice changes nothing, and says ok.
local memory = remembered()
if memory then
    return again(memory, "c")
end
local id = args.challenge
local old = load("c", id)
if not old then
    return finish("not_found")
end
if number(old.state) == REVOKED then
    show_fields("c", id, old)
    return finish("ok")
end
local new = copy(old)
new.state = REVOKED
update("c", id, old, new)
show_fields("c", id, new)
return done("ok", nil, id)
