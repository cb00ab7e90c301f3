-- audit_page.lua: places and ids of audit rows that match, as page.lua does. alias, tenant, text: filters.
local SCAN = 500
local text = args.text and args.text:lower()

local function matches(entry)
    local event, alias, tenant = entry[2][4], entry[2][6], entry[2][8]
    return (not args.alias or args.alias == alias) and (not args.tenant or args.tenant == tenant) and
        (not text or event:lower():find(text, 1, true) ~= nil)
end

local limit = number(args.limit)
local filtered = args.alias or args.tenant or text
local count = filtered and SCAN or math.min(limit, SCAN)
local found
if args.forward then
    found = redis.call("XRANGE", base .. "audit", args.from .. "-0", args.to, "COUNT", count)
else
    found = redis.call("XREVRANGE", base .. "audit", args.from, args.to .. "-0", "COUNT", count)
end
local places = {}
local last
for _, entry in ipairs(found) do
    last = number(entry[1]:match("^%d+"))
    if matches(entry) then
        places[#places + 1] = whole(last)
        places[#places + 1] = entry[1]
        if #places == 2 * limit then
            break
        end
    end
end
if #places < 2 * limit and #found == SCAN then
    tell("cut", args.forward and last + 1 or last - 1)
end
tell("places", places)
return finish("ok")
