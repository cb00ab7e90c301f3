-- crl_put.lua: r = the CRL, its id being the digest of the CA's certificate. Numbers only rise.
local memory = remembered()
if memory then
    return finish(memory.outcome)
end
local r = args.r
local id = r.id
r.id = nil
local old = load("v", id)
if old and number(old.number) >= number(r.number) then
    show_fields("v", id, old)
    return finish("stale")
end
update("v", id, old or {}, r)
if not old then
    redis.call("ZADD", base .. "v.order", next_place(newest_place("v.order")), id)
end
return done("ok")
