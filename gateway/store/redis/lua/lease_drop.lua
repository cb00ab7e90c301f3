-- lease_drop.lua: lease = name; claim, owner. The row stays: its claim number must never be given again.
local memory = remembered()
if memory then
    return finish(memory.outcome)
end
local old = load("l", args.lease)
if not old or number(old.claim) ~= number(args.claim) or old.owner ~= args.owner then
    return finish("ok")
end
update("l", args.lease, old, { claim = old.claim })
return done("ok")
