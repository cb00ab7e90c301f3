-- import_event.lua: e1 = the audit row, with its time `at`. Known by the operation id alone, so that is kept for longer.
local memory = remembered()
if memory then
    return finish(memory.outcome)
end
remember("ok", 0, "", 7 * 86400000)
place = number(args.e1.at) * 1000
audit_write(args.e1, number(args.e1.at))
return finish("ok")
