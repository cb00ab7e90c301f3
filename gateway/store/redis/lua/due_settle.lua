-- due_settle.lua: in the index of due times: what visits found. aN = alias, dN = when its next obligation is due, none
-- when it has none. `id` = the operation that visited.
for i = 1, number(args.count) do
    local alias, due = args["a" .. i] or "", args["d" .. i]
    local mine = args.id and redis.call("HGET", base .. "visits", alias) == args.id
    if mine then
        redis.call("HDEL", base .. "visits", alias)
    end
    if mine and not due then
        redis.call("ZREM", base .. "aliases", alias)
    elseif mine then
        redis.call("ZADD", base .. "aliases", due, alias)
    elseif due then
        redis.call("ZADD", base .. "aliases", "LT", due, alias)
    end
end
return finish("ok")
