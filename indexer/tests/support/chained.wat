;; Folds every block into one number that depends on all blocks before it, so that whatever is read at a wrong height,
;; indexed twice or left out shows in every later row. How many rows a block writes depends on the number too.
;;
;; Rows, numbers little-endian: "mix" -> the number (u64); "h/" height (u32) -> the number after that block;
;; "m/" and a byte, one of 16 by height -> height and number of the last block there; "e/" height n -> height, for
;; each n below the number's first two bits. View `get`: the value of a key.
(module
  (import "env" "__host_len" (func $host_len (result i32)))
  (import "env" "__load_input" (func $load_input (param i32)))
  (import "env" "__get_len" (func $get_len (param i32) (result i32)))
  (import "env" "__get" (func $get (param i32 i32)))
  (import "env" "__flush" (func $flush (param i32)))

  ;; 0x00400  what is flushed    0x00500 an extra row    0x00600 keys to read    0x00700 values read
  ;; 0x10000  input: height (4 bytes), then the block or request; 64 pages (4 MiB) hold the largest block
  ;; 0x410004 answer of a view, its length before it
  (memory (export "memory") 80)

  ;; How often a block is folded: a test that needs slow blocks puts another number here.
  (global $rounds i32 (i32.const 1))

  (data (i32.const 0x400) "\34\00\00\00"
    "\0a\03mix" "\0a\08........"
    "\0a\06h/...." "\0a\08........"
    "\0a\03m/." "\0a\0c............")
  (data (i32.const 0x500) "\0f\00\00\00" "\0a\07e/....." "\0a\04....")
  (data (i32.const 0x600) "\03\00\00\00mix")
  (data (i32.const 0x610) "\03\00\00\00m/.")

  (global $mix (mut i64) (i64.const 0))

  ;; FNV-1a over the bytes from $at to before $end.
  (func $fold (param $at i32) (param $end i32)
    (local $mix i64)
    (local.set $mix (global.get $mix))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $mix (i64.mul
          (i64.xor (local.get $mix) (i64.load8_u (local.get $at)))
          (i64.const 0x100000001b3)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (global.set $mix (local.get $mix)))

  (func (export "_start")
    (local $height i32) (local $n i32)
    (call $load_input (i32.const 0x10000))
    (local.set $height (i32.load (i32.const 0x10000)))
    (memory.fill (i32.const 0x700) (i32.const 0) (i32.const 0x20))
    (i32.store8 (i32.const 0x616) (i32.and (local.get $height) (i32.const 15)))
    (call $get (i32.const 0x604) (i32.const 0x700))
    (call $get (i32.const 0x614) (i32.const 0x708))

    (global.set $mix (i64.const 0xcbf29ce484222325))
    (loop $again
      (call $fold (i32.const 0x700) (i32.const 0x714))
      (call $fold (i32.const 0x10000) (i32.add (i32.const 0x10000) (call $host_len)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (global.get $rounds))))

    (i64.store (i32.const 0x40b) (global.get $mix))
    (i32.store (i32.const 0x417) (local.get $height))
    (i64.store (i32.const 0x41d) (global.get $mix))
    (i32.store8 (i32.const 0x429) (i32.and (local.get $height) (i32.const 15)))
    (i32.store (i32.const 0x42c) (local.get $height))
    (i64.store (i32.const 0x430) (global.get $mix))
    (call $flush (i32.const 0x404))

    (i32.store (i32.const 0x508) (local.get $height))
    (i32.store (i32.const 0x50f) (local.get $height))
    (local.set $n (i32.wrap_i64 (i64.shr_u (global.get $mix) (i64.const 62))))
    (block $none
      (loop $extra
        (br_if $none (i32.eqz (local.get $n)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (i32.store8 (i32.const 0x50c) (local.get $n))
        (call $flush (i32.const 0x504))
        (br $extra))))

  ;; Request: a key. Answer: its value.
  (func (export "get") (result i32)
    (call $load_input (i32.const 0x10000))
    ;; The height is not needed: its place takes the length of the key behind it.
    (i32.store (i32.const 0x10000) (i32.sub (call $host_len) (i32.const 4)))
    (i32.store (i32.const 0x410000) (call $get_len (i32.const 0x10004)))
    (call $get (i32.const 0x10004) (i32.const 0x410004))
    (i32.const 0x410004)))
