-- challenge_create.lua: r = the record, `expires` from now on; r.id.
local memory = remembered()
if memory then
    return again(memory, "c")
end
local r = args.r
local id = r.id
if redis.call("EXISTS", base .. "c:" .. id) == 1 or redis.call("EXISTS", base .. "h:" .. r.hash) == 1 then
    return finish("conflict")
end
r.id = nil
r.state, r.left, r.created, r.expires = UNUSED, number(r.uses), now, now + number(r.expires)
create("c", id, r)
redis.call("SET", base .. "h:" .. r.hash, id)
redis.call("ZADD", base .. "c.order", next_place(newest_place("c.order")), id)
challenge_file(id, r)
show_fields("c", id, r)
return done("ok", nil, id)
