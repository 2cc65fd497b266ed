;; Counts blocks in a global, which lives as long as the instance does, and stores the count under "n" (u32 LE): what
;; it writes depends on when it was refreshed. What an audit is for. View `get`: the value of "n".
(module
  (import "env" "__get" (func $get (param i32 i32)))
  (import "env" "__flush" (func $flush (param i32)))

  ;; 0x400 what is flushed, 0x500 the key, 0x604 answer of the view; their lengths before them
  (memory (export "memory") 1)
  (global $blocks (mut i32) (i32.const 0))

  ;; KeyValueFlush; the count goes to 0x409.
  (data (i32.const 0x400) "\09\00\00\00" "\0a\01n" "\0a\04....")
  (data (i32.const 0x500) "\01\00\00\00n")
  (data (i32.const 0x600) "\04\00\00\00")

  (func (export "_start")
    (global.set $blocks (i32.add (global.get $blocks) (i32.const 1)))
    (i32.store (i32.const 0x409) (global.get $blocks))
    (call $flush (i32.const 0x404)))

  (func (export "get") (result i32)
    (call $get (i32.const 0x504) (i32.const 0x604))
    (i32.const 0x604)))
