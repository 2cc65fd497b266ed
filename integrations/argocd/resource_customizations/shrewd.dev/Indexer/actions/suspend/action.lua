-- The pods go, their data stays. Automated self-healing takes this back: what shall last belongs into git.

obj.spec.suspend = true
return obj
