;; Burns about 25 ms on each block, so that a test can hit the process while it indexes.
;; Row of each block N: "h/" + N as u32 LE -> the first 32 bytes of the block.
(module
  (import "env" "__host_len" (func $host_len (result i32)))
  (import "env" "__load_input" (func $load_input (param i32)))
  (import "env" "__flush" (func $flush (param i32)))
  (memory (export "memory") 66)           ;; 4 MiB for the block, which is loaded at 1024

  ;; The message at 68, its length at 64: key (tag 0x0a, 6 bytes), value (tag 0x0a, 32 bytes).
  (data (i32.const 64) "\2a\00\00\00" "\0a\06h/....")
  (data (i32.const 76) "\0a\20")

  (func (export "_start")
    (local $turn i32) (local $mixed i32)
    (call $load_input (i32.const 1024))
    (local.set $mixed (call $host_len))
    (loop $burn
      (local.set $mixed (i32.xor (i32.mul (local.get $mixed) (i32.const 1664525)) (local.get $turn)))
      (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
      (br_if $burn (i32.lt_u (local.get $turn) (i32.const 20000000))))
    (i32.store (i32.const 0) (local.get $mixed)) ;; the loop has a result, so it cannot be optimised away
    (i32.store (i32.const 72) (i32.load (i32.const 1024)))
    (memory.copy (i32.const 78) (i32.const 1028) (i32.const 32))
    (call $flush (i32.const 68)))
)
