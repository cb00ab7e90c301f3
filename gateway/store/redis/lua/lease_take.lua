-- lease_take.lua: lease = name; claim = the one to extend, or 0; owner; duration in ms. Extending one that has
-- lapsed and that nobody else took keeps the claim.
local memory = remembered()
if memory then
    return finish(memory.outcome)
end
local old = load("l", args.lease) or {}
local wanted = number(args.claim)
local extend = wanted ~= 0 and wanted == number(old.claim) and old.owner == args.owner
if not extend and number(old["until"]) > now then
    return finish("running")
end
local claim = number(old.claim) + (extend and 0 or 1)
update("l", args.lease, old, { claim = claim, ["until"] = now + number(args.duration), owner = args.owner })
return done("mine", claim)
