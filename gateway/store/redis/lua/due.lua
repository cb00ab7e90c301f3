-- due.lua: when the alias' next obligation is due.
tell_due()
return finish("ok")
