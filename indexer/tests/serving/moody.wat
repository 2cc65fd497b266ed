;; Counts blocks under "n" (u32 LE), reading the count of the block before. What else it does, the block's first byte
;; says: 1 reads the count and never ends, 2 traps, 3 takes memory until it is refused and stores its pages under "p",
;; 4 flushes without end, 5 takes memory as 3 does and writes to all of it.
;; View `get`: the value of a key, the height it runs at before it. View `spin` never ends. View `hoard` takes memory until
;; it is refused, writes to all of it, and answers with as many bytes as the request says (u32 LE).
(module
  (import "env" "__host_len" (func $host_len (result i32)))
  (import "env" "__load_input" (func $load_input (param i32)))
  (import "env" "__get_len" (func $get_len (param i32) (result i32)))
  (import "env" "__get" (func $get (param i32 i32)))
  (import "env" "__flush" (func $flush (param i32)))

  ;; 0x00400  what is flushed
  ;; 0x00500  the key "n"
  ;; 0x10000  input: height (4 bytes), then the block or request; 64 pages (4 MiB) hold the largest block
  ;; 0x410004 answer of a view, its length before it
  (memory (export "memory") 80)

  ;; KeyValueFlush, its length (18) before it: "n" with its value at 0x409, "p" with its value at 0x412.
  (data (i32.const 0x400) "\12\00\00\00" "\0a\01n" "\0a\04...." "\0a\01p" "\0a\04....")
  (data (i32.const 0x500) "\01\00\00\00n")

  (func (export "_start")
    (local $mood i32)
    (call $load_input (i32.const 0x10000))
    (local.set $mood (i32.load8_u (i32.const 0x10004)))
    (if (i32.eq (local.get $mood) (i32.const 1))
      (then (drop (call $get_len (i32.const 0x504))) (loop $for_ever (br $for_ever))))
    (if (i32.eq (local.get $mood) (i32.const 2)) (then unreachable))
    (if (i32.eq (local.get $mood) (i32.const 3)) (then (call $take_all)))
    (if (i32.eq (local.get $mood) (i32.const 5)) (then (call $take_all) (call $touch_all)))
    (i32.store (i32.const 0x409) (i32.const 0))
    (call $get (i32.const 0x504) (i32.const 0x409))
    (i32.store (i32.const 0x409) (i32.add (i32.load (i32.const 0x409)) (i32.const 1)))
    (i32.store (i32.const 0x412) (memory.size))
    (call $flush (i32.const 0x404))
    (if (i32.eq (local.get $mood) (i32.const 4))
      (then (loop $again (call $flush (i32.const 0x404)) (br $again)))))

  (func (export "spin") (result i32)
    (loop $for_ever (br $for_ever))
    (i32.const 0))

  (func $take_all
    (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))))

  ;; The first word of each page of the host; 4 GiB end where addresses begin again.
  (func $touch_all (local $at i32) (local $end i32)
    (local.set $end (i32.shl (memory.size) (i32.const 16)))
    (loop $next
      (i32.store (local.get $at) (i32.const 0x01010101))
      (local.set $at (i32.add (local.get $at) (i32.const 4096)))
      (br_if $next (i32.ne (local.get $at) (local.get $end)))))

  (func (export "hoard") (result i32)
    (call $load_input (i32.const 0x10000))
    (call $take_all)
    (call $touch_all)
    (i32.store (i32.const 0x410000) (i32.load (i32.const 0x10004)))
    (i32.const 0x410004))

  ;; Request: a key. Answer: the height, then its value.
  (func (export "get") (result i32)
    (local $height i32)
    (call $load_input (i32.const 0x10000))
    (local.set $height (i32.load (i32.const 0x10000)))
    ;; The height's place takes the length of the key behind it.
    (i32.store (i32.const 0x10000) (i32.sub (call $host_len) (i32.const 4)))
    (i32.store (i32.const 0x410000) (i32.add (call $get_len (i32.const 0x10004)) (i32.const 4)))
    (i32.store (i32.const 0x410004) (local.get $height))
    (call $get (i32.const 0x10004) (i32.const 0x410008))
    (i32.const 0x410004)))
