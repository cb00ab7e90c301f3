-- challenge_find.lua: h1, h2, ... = hashes under the master keys, newest first.
for i = 1, number(args.count) do
    local id = redis.call("GET", base .. "h:" .. args["h" .. i])
    if id and show("c", id) then
        return finish("ok")
    end
end
return finish("not_found")
