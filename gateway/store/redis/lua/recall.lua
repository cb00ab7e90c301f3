-- recall.lua: key = digest of transactionID and signer. The newest generation.
local id = redis.call("GET", base .. "k:" .. args.key)
return finish(id and show("t", id) and "ok" or "not_found")
