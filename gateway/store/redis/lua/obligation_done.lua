-- obligation_done.lua: row = KIND/REFERENCE; claim; again = 0: finished, > 0: due again after so many ms, < 0: given up.
local memory = remembered()
if memory then
    tell_due()
    return finish(memory.outcome)
end
local id, again_after = args.row, number(args.again)
local r = obligation_row(id, 0)
if r.claim == 0 or r.claim ~= number(args.claim) then
    return finish("stale")
end
if again_after == 0 then
    redis.call("ZREM", base .. "due", id)
    redis.call("HDEL", base .. "rows", id)
else
    r.wanted, r.claim = now + math.max(again_after, 0), 0
    obligation_keep(id, r)
    redis.call("ZREM", base .. (again_after > 0 and "given_up" or "due"), id)
    redis.call("ZADD", base .. (again_after > 0 and "due" or "given_up"), r.wanted, id)
    tell_due()
end
return done("ok")
