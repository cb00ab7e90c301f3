-- find.lua: of = letter of the kind, record = its id.
return finish(show(args.of, args.record) and "ok" or "not_found")
