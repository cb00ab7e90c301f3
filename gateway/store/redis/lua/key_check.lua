-- key_check.lua: check = what every holder of the master key computes: the store belongs to that key from now on.
local memory = remembered()
if memory then
    return finish(memory.outcome)
end
redis.call("SET", base .. "key_check", args.check)
return done("ok")
