-- ra_put.lua: r = the identity, its id being the generation; x = its certificate; lease, claim, owner.
local memory = remembered()
if memory then
    return finish(memory.outcome)
end
local lease = load("l", args.lease)
if not lease_held(lease) or number(lease.claim) ~= number(args.claim) then
    return finish("stale")
end
local presence = certificate_look(args.x)
if presence == CLASH then
    return finish("conflict")
end
local r = args.r
local generation = r.id
r.id = nil
update("r", generation, load("r", generation) or {}, r)
redis.call("ZADD", base .. "r.order", number(generation), generation)
if presence == ABSENT then
    certificate_add(args.x)
end
return done("ok")
