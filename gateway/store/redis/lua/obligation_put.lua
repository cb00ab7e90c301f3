-- obligation_put.lua: b1 = kind, reference, delay.
local memory = remembered()
if memory then
    tell_due()
    return finish(memory.outcome)
end
return done("ok")
