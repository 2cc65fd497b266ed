-- The pods come back to their data.

obj.spec.suspend = false
return obj
