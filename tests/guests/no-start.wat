;; A valid module that is no indexer: it has a memory and a view, but no `_start`.
(module
  (memory (export "memory") 1)
  (func (export "get") (result i32) (i32.const 0)))
