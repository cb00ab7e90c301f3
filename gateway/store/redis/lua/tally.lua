-- tally.lua: kN = key, aN = what is added; window in ms. A count of one window is needed until the next has ended.
local window = number(args.window)
local present = math.floor(now / window)
local rows = {}
for i = 1, number(args.count) do
    local name = base .. "f:" .. args["k" .. i] .. ":" .. whole(window) .. ":"
    local add, key = number(args["a" .. i]), name .. whole(present)
    local count
    if add ~= 0 then
        count = redis.call("INCRBY", key, add)
        redis.call("PEXPIRE", key, 2 * window)
    else
        count = number(redis.call("GET", key))
    end
    rows[i] = { "present", count, "before", number(redis.call("GET", name .. whole(present - 1))) }
end
tell("tallies", rows)
return finish("ok")
