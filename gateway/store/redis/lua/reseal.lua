-- reseal.lua: of = letter of the kind, record = its id; old, fresh = the sealed value.
local memory = remembered()
if memory then
    return finish(memory.outcome)
end
local record = load(args.of, args.record)
if not record or not record.sealed then
    return finish("not_found")
elseif record.sealed ~= args.old then
    return finish("stale")
end
local new = copy(record)
new.sealed = args.fresh
update(args.of, args.record, record, new)
return done("ok")
