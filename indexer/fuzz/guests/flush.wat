;; Flushes its input as it is.
(module
  (import "env" "__host_len" (func $host_len (result i32)))
  (import "env" "__load_input" (func $load_input (param i32)))
  (import "env" "__flush" (func $flush (param i32)))
  (memory (export "memory") 4)
  (func (export "_start")
    (call $load_input (i32.const 8))
    ;; The length takes the place of the height.
    (i32.store (i32.const 8) (i32.sub (call $host_len) (i32.const 4)))
    (call $flush (i32.const 12))
  )
)
