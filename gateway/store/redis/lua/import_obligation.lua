-- import_obligation.lua: row = KIND/REFERENCE; wanted, attempts, given_up. Claims are not carried over.
local id = args.row
local r = { wanted = number(args.wanted), attempts = number(args.attempts), claim = 0 }
local index, other = "due", "given_up"
if args.given_up then
    index, other = other, index
end
local score = redis.call("ZSCORE", base .. index, id)
local have = obligation_row(id, score or 0)
if redis.call("ZSCORE", base .. other, id) then
    return finish("conflict")
elseif score and (have.wanted ~= r.wanted or have.attempts ~= r.attempts) then
    return finish("conflict")
end
tell_due()
if score then
    tell("repeated", 1)
    return finish("ok")
end
redis.call("ZADD", base .. index, r.wanted, id)
if r.attempts > 0 or args.given_up then
    obligation_keep(id, r)
end
return finish("ok")
