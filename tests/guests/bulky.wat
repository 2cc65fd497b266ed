;; Burns about 50 ms on each block and writes 256 KiB, so that an index takes long to build, its copy can be
;; disturbed, and a volume fills.
;; Row of each block N: "b/" + N as u32 LE -> 256 KiB that follow from N alone and do not compress.
(module
  (import "env" "__load_input" (func $load_input (param i32)))
  (import "env" "__flush" (func $flush (param i32)))

  ;; 0x000400  input: height (4 bytes), then the block of at most 4 MiB
  ;; 0x500000  what is flushed
  (memory (export "memory") 85)

  ;; The message, its length (0x4000c) before it: key (tag 0x0a, 6 bytes), value (tag 0x0a, 0x40000 bytes).
  (data (i32.const 0x4ffffc) "\0c\00\04\00" "\0a\06b/....")
  (data (i32.const 0x500008) "\0a\80\80\10")

  (global $word (mut i64) (i64.const 0))
  (func $next (global.set $word
    (i64.add (i64.mul (global.get $word) (i64.const 6364136223846793005)) (i64.const 1442695040888963407))))

  (func (export "_start")
    (local $turn i32) (local $at i32)
    (call $load_input (i32.const 0x400))
    (i32.store (i32.const 0x500004) (i32.load (i32.const 0x400)))
    (global.set $word (i64.extend_i32_u (i32.load (i32.const 0x400))))
    (loop $burn
      (call $next)
      (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
      (br_if $burn (i32.lt_u (local.get $turn) (i32.const 20000000))))
    (local.set $at (i32.const 0x50000c))
    (loop $fill
      (call $next)
      (i64.store (local.get $at) (global.get $word))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $fill (i32.lt_u (local.get $at) (i32.const 0x54000c))))
    (call $flush (i32.const 0x500000)))
)
