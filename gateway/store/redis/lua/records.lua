-- records.lua: the records of a page. of = letter of the kind; i1, i2, ... = ids. What was deleted meanwhile is left out.
local rows = {}
for i = 1, number(args.count) do
    local id = args["i" .. i]
    local fields = load(args.of, id)
    if fields then
        rows[#rows + 1] = row(id, fields)
    end
end
tell("records", rows)
return finish("ok")
