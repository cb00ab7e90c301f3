-- due_hint.lua: in the index of due times: an alias has an obligation that is due at `due`. Whoever is visiting the
-- alias may have looked before that, and so must not put its time off any more.
redis.call("ZADD", base .. "aliases", "LT", args.due, args.alias or "")
redis.call("HDEL", base .. "visits", args.alias or "")
return finish("ok")
