-- obligation_page.lua: obligations of one alias for an export, `limit` from the `from`-th on: those that come, then those
-- that were given up.
local from, limit = number(args.from), number(args.limit)
local rows = {}
local coming = redis.call("ZCARD", base .. "due")

local function add(index, first, given_up)
    local found = redis.call("ZRANGE", base .. index, first, first + limit - #rows - 1, "WITHSCORES")
    for i = 1, #found, 2 do
        rows[#rows + 1] = obligation_show(found[i], obligation_row(found[i], found[i + 1]), given_up)
    end
end

if from < coming then
    add("due", from, false)
end
if #rows < limit then
    add("given_up", math.max(from - coming, 0), true)
end
tell("obligations", rows)
return finish("ok")
