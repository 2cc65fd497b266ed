;; Takes memory, 1 MiB at a time, until it is refused, and stores how much it got under "size" (pages, u32 LE): the
;; refusal becomes a part of the index. View `get`: the value of a key. View `hoard` takes memory without end and
;; traps when it is refused.
(module
  (import "env" "__host_len" (func $host_len (result i32)))
  (import "env" "__load_input" (func $load_input (param i32)))
  (import "env" "__get_len" (func $get_len (param i32) (result i32)))
  (import "env" "__get" (func $get (param i32 i32)))
  (import "env" "__flush" (func $flush (param i32)))

  ;; 0x00400  what is flushed
  ;; 0x10000  input: height (4 bytes), then the block or request; 64 pages (4 MiB) hold the largest block
  ;; 0x410004 answer of a view, its length before it
  (memory (export "memory") 80)

  ;; KeyValueFlush, its length (12) before it; the size goes to 0x40c.
  (data (i32.const 0x400) "\0c\00\00\00" "\0a\04size" "\0a\04....")

  (func (export "_start")
    (call $take_all)
    (i32.store (i32.const 0x40c) (memory.size))
    (call $flush (i32.const 0x404)))

  (func (export "hoard") (result i32)
    (call $take_all)
    unreachable)

  (func $take_all
    (loop $more
      (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))))

  ;; Request: a key. Answer: its value.
  (func (export "get") (result i32)
    (call $load_input (i32.const 0x10000))
    ;; The height is not needed: its place takes the length of the key behind it.
    (i32.store (i32.const 0x10000) (i32.sub (call $host_len) (i32.const 4)))
    (i32.store (i32.const 0x410000) (call $get_len (i32.const 0x10004)))
    (call $get (i32.const 0x10004) (i32.const 0x410004))
    (i32.const 0x410004)))
