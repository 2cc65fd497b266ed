-- The pods go, their data stays. Automated self-healing reverts this: commit what is to last.

obj.spec.suspend = true
return obj
