-- ra_list.lua: the identities of an alias, newest generation first.
local rows = {}
for _, generation in ipairs(redis.call("ZREVRANGE", base .. "r.order", 0, -1)) do
    local fields = load("r", generation)
    if fields then
        rows[#rows + 1] = row(generation, fields)
    end
end
tell("ras", rows)
return finish("ok")
