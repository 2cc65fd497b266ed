//! A guest that writes much.

/// The guest that folds all blocks into one number, and writes 64 KiB with each.
pub(crate) fn guest() -> String {
    let text = include_str!("chained.wat");
    let flush = "(call $flush (i32.const 0x404))";
    let more = r"(i32.store (i32.const 0x480008) (local.get $height)) (call $noise) (call $flush (i32.const 0x480004))";
    let data = r#"(data (i32.const 0x480000) "\0c\00\01\00" "\0a\06b/...." "\0a\80\80\04")"#;
    // Of the value, which no compression may make less.
    let noise = r"(func $noise (local $at i32) (local $x i32)
      (local.set $at (i32.const 0x480010))
      (loop $next
        (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1664525)) (i32.const 1013904223)))
        (i32.store8 (local.get $at) (i32.shr_u (local.get $x) (i32.const 24)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $at) (i32.const 0x490010)))))";
    let memory = r#"(memory (export "memory") 80)"#;
    assert!(text.contains(flush) && text.contains(memory));
    text.replace(flush, &format!("{flush} {more}"))
        .replace(memory, &format!("{memory} {data} {noise}"))
}
