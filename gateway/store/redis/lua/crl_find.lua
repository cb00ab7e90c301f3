-- crl_find.lua: record = digest of the CA's certificate; known = number of the CRL that need not be given.
local have = field("v", args.record, "number")
if have == "" then
    return finish("not_found")
end
if number(have) ~= number(args.known) then
    show("v", args.record)
end
return finish("ok")
