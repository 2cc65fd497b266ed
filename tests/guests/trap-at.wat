;; Aborts at height 150, on every instance, the way an AssemblyScript guest does. Everything else like `leaky`,
;; without the leak: "height" and "h/" + height (u32 LE) are stored.
;; View `get`: the value of a key.
(module
  (import "env" "__host_len" (func $host_len (result i32)))
  (import "env" "__load_input" (func $load_input (param i32)))
  (import "env" "__get_len" (func $get_len (param i32) (result i32)))
  (import "env" "__get" (func $get (param i32 i32)))
  (import "env" "__flush" (func $flush (param i32)))
  (import "env" "abort" (func $abort (param i32 i32 i32 i32)))

  ;; 0x00400  what is flushed
  ;; 0x10000  input: height (4 bytes), then the block or request; 64 pages (4 MiB) hold the largest block
  ;; 0x410004 answer of a view, its length before it
  (memory (export "memory") 80)

  ;; KeyValueFlush, its length (56) before it. Filled in by $flush_pairs:
  ;;   0x40e the height, value of "height"
  ;;   0x416 the height, end of the key "h/...."
  ;;   0x41c the first 32 bytes of the block, value of that key
  (data (i32.const 0x400) "\38\00\00\00"
    "\0a\06height" "\0a\04...."
    "\0a\06h/...." "\0a\20................................")

  (func $flush_pairs
    (i32.store (i32.const 0x40e) (i32.load (i32.const 0x10000)))
    (i32.store (i32.const 0x416) (i32.load (i32.const 0x10000)))
    (memory.copy (i32.const 0x41c) (i32.const 0x10004) (i32.const 32))
    (call $flush (i32.const 0x404)))

  ;; UTF-16LE, the length in bytes before it.
  (data (i32.const 0x500) "\2a\00\00\00"
    "n\00o\00 \00l\00u\00c\00k\00 \00a\00t\00 \00h\00e\00i\00g\00h\00t\00 \001\005\000\00")
  (data (i32.const 0x600) "\16\00\00\00"
    "t\00r\00a\00p\00-\00a\00t\00.\00w\00a\00t\00")

  (func (export "_start")
    (call $load_input (i32.const 0x10000))
    (if (i32.eq (i32.load (i32.const 0x10000)) (i32.const 150))
      (then (call $abort (i32.const 0x504) (i32.const 0x604) (i32.const 1) (i32.const 1)) unreachable))
    (call $flush_pairs))

  ;; Request: a key. Answer: its value.
  (func (export "get") (result i32)
    (call $load_input (i32.const 0x10000))
    ;; The height is not needed: its place takes the length of the key behind it.
    (i32.store (i32.const 0x10000) (i32.sub (call $host_len) (i32.const 4)))
    (i32.store (i32.const 0x410000) (call $get_len (i32.const 0x10004)))
    (call $get (i32.const 0x10004) (i32.const 0x410004))
    (i32.const 0x410004)))
