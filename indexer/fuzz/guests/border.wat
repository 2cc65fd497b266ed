;; Does to the host what its input says: steps of nine bytes, a code and two numbers a and b. `model.rs` does the same
;; to plain bytes. The steps lie in a memory of their own, so that the one the host sees is what they make of it.
(module
  (import "env" "__host_len" (func $host_len (result i32)))
  (import "env" "__load_input" (func $load_input (param i32)))
  (import "env" "__get_len" (func $get_len (param i32) (result i32)))
  (import "env" "__get" (func $get (param i32 i32)))
  (import "env" "__flush" (func $flush (param i32)))
  (import "env" "__log" (func $log (param i32)))
  (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (memory $seen (export "memory") 1)
  (memory $steps 1)

  (func $step (param $code i32) (param $a i32) (param $b i32)
    (block $grow (block $load (block $store (block $abort (block $log (block $flush (block $get (block $get_len
      (br_table $get_len $get $flush $log $abort $store $load $grow (local.get $code))
    )
    (i32.store $seen (local.get $b) (call $get_len (local.get $a))) return
    )
    (call $get (local.get $a) (local.get $b)) return
    )
    (call $flush (local.get $a)) return
    )
    (call $log (local.get $a)) return
    )
    (call $abort (local.get $a) (local.get $b) (i32.const 1) (i32.const 2)) return
    )
    (i32.store $seen (local.get $a) (local.get $b)) return
    )
    (call $load_input (local.get $a)) return
    )
    (drop (memory.grow $seen (local.get $a)))
  )

  (func $all (export "_start") (local $at i32) (local $end i32)
    (call $load_input (i32.const 0))
    (local.set $end (call $host_len))
    (memory.copy $steps $seen (i32.const 0) (i32.const 0) (local.get $end))
    (memory.fill $seen (i32.const 0) (i32.const 0) (local.get $end))
    (local.set $at (i32.const 4))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (call $step
        (i32.load8_u $steps (local.get $at))
        (i32.load $steps offset=1 (local.get $at))
        (i32.load $steps offset=5 (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 9)))
      (br $next)
    ))
  )

  ;; The answer is where the first word of the memory points.
  (func (export "view") (result i32) (call $all) (i32.load $seen (i32.const 0)))
)
