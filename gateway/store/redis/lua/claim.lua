-- claim.lua: record = id of a transaction, lease = ms.
local memory = remembered()
if memory then
    return again(memory, "t", "not_found")
end
local id = args.record
local old = load("t", id)
if not old then
    return finish("not_found")
end
local new = copy(old)
local outcome = "mine"
if not unfinished(old) then
    outcome = "finished"
elseif number(old.lease) > now then
    outcome = "running"
else
    transaction_lease(new, args.lease)
    update("t", id, old, new)
end
show_fields("t", id, new)
if outcome ~= "mine" then
    return finish(outcome)
end
return done("mine", new.claim, id)
