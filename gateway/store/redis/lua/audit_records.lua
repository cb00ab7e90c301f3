-- audit_records.lua: the audit rows of a page. i1, i2, ... = ids.
local rows = {}
for i = 1, number(args.count) do
    local entry = redis.call("XRANGE", base .. "audit", args["i" .. i], args["i" .. i])[1]
    if entry then
        local fields = entry[2]
        fields[#fields + 1] = "id"
        fields[#fields + 1] = entry[1]
        rows[#rows + 1] = fields
    end
end
tell("records", rows)
return finish("ok")
