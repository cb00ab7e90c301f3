-- audit_walk.lua: the rows behind `after` (an id; none: from the start), at most `limit`, with anchor and head of the chain.
local function tell_state(name, key)
    local state = audit_state(key)
    tell(name, { "sequence", whole(state.sequence), "link", state.link })
end

tell_state("anchor", "audit.anchor")
tell_state("head", "audit.head")
local rows = {}
for _, entry in ipairs(redis.call("XRANGE", base .. "audit", args.after and "(" .. args.after or "-", "+", "COUNT",
                                  args.limit)) do
    local fields = entry[2]
    fields[#fields + 1] = "id"
    fields[#fields + 1] = entry[1]
    rows[#rows + 1] = fields
end
tell("events", rows)
return finish("ok")
