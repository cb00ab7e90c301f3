-- revoked_page.lua: the alias' revoked certificates of an issuer that do not end before `ended`, in the order of their ends.
-- from = the `cut` of the page before; limit. At most SCAN are looked at: `cut` then says where to go on.
local SCAN = 500
local limit = number(args.limit)

local function member_of(cursor)
    local id = cursor:sub(17):gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)
    return cursor:sub(1, 16) .. id
end

local start = args.from and "(" .. member_of(args.from) or "[" .. end_text(args.ended)
local found = redis.call("ZRANGEBYLEX", base .. "x.revoked", start, "+", "LIMIT", 0, SCAN)
local rows, last = {}, nil
for _, member in ipairs(found) do
    local id = member:sub(17)
    local revoked = field("x", id, "revoked")
    last = member
    if number(revoked) ~= 0 and field("x", id, "issuer") == args.issuer then
        rows[#rows + 1] = { "serial", field("x", id, "serial"), "revoked", revoked,
                            "reason", whole(number(field("x", id, "reason"))) }
    end
    if #rows == limit then
        break
    end
end
if #rows == limit or #found == SCAN then
    tell("cut", last:sub(1, 16) .. id_text(last:sub(17)))
end
tell("revocations", rows)
return finish("ok")
