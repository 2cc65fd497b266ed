//! What WebAssembly leaves to the machine is fixed here, in blocks and in views alike.

use crds::pod::FaultClass;
use indexer::guest::ViewError;

use crate::stage::{self, Rows};

/// What `$compute` writes to 0x108..0x118, once as a block's write and once as a view's answer.
fn in_block_and_view(compute: &str) -> (Vec<u8>, Vec<u8>) {
    // Operands are read from memory, or the compiler would compute everything beforehand.
    let module = stage::module(&format!(
        r#"(data (i32.const 0x0ff) "\15\00\00\00" "\0a\01k\0a\10")
           (data (i32.const 0x200) "\01\00\a0\7f" "\00\00\00\00" "\00\00\80\7f" "\d0\06\b2\4f")
           (data (i32.const 0x210) "\10\11\12\13\80\85\00\01\02\03\04\05\06\07\0f\ff")
           (func $compute {compute})
           (func (export "_start") (call $compute) (call $flush (i32.const 0x103)))
           (func (export "view") (result i32)
             (call $compute)
             (memory.copy (i32.const 0x304) (i32.const 0x108) (i32.const 16))
             (i32.store (i32.const 0x300) (i32.const 16))
             (i32.const 0x304))"#
    ));
    let writes = stage::run_once(&module, b"", Rows::default()).unwrap();
    let view = stage::view(&module, "view", b"", Rows::default()).unwrap();
    (stage::value(&writes, b"k").to_vec(), view.bytes.to_vec())
}

fn lanes(bytes: &[u8]) -> Vec<u32> {
    bytes
        .chunks_exact(4)
        .map(|lane| u32::from_le_bytes(lane.try_into().unwrap()))
        .collect()
}

/// Contract §8.16.
#[test]
fn nan_has_the_same_bits_everywhere() {
    // x86 would keep the payload of the first and set the sign of the others.
    let (block, view) = in_block_and_view(
        r#"(f32.store (i32.const 0x108) (f32.add (f32.load (i32.const 0x200)) (f32.load (i32.const 0x204))))
           (f32.store (i32.const 0x10c) (f32.div (f32.load (i32.const 0x204)) (f32.load (i32.const 0x204))))
           (f32.store (i32.const 0x110) (f32.sub (f32.load (i32.const 0x208)) (f32.load (i32.const 0x208))))
           (f32.store (i32.const 0x114) (f32.sqrt (f32.neg (f32.load (i32.const 0x208)))))"#,
    );
    assert_eq!(lanes(&block), [0x7fc0_0000; 4]);
    assert_eq!(block, view);
}

/// Contract §8.16.
#[test]
fn relaxed_conversion_saturates_everywhere() {
    // NaN, 0, infinity, about 6e9: x86 alone would give 0x80000000 for three of them.
    let (block, view) =
        in_block_and_view("(v128.store (i32.const 0x108) (i32x4.relaxed_trunc_f32x4_s (v128.load (i32.const 0x200))))");
    assert_eq!(lanes(&block), [0, 0, 0x7fff_ffff, 0x7fff_ffff]);
    assert_eq!(block, view);
}

/// Contract §8.16.
#[test]
fn relaxed_swizzle_gives_zero_beyond_its_lanes_everywhere() {
    // Indices 0x10 to 0x13: x86 alone would take lanes 0 to 3.
    let (block, view) = in_block_and_view(
        r#"(v128.store (i32.const 0x108)
             (i8x16.relaxed_swizzle (v128.load (i32.const 0x200)) (v128.load (i32.const 0x210))))"#,
    );
    assert_eq!(block, [0, 0, 0, 0, 0, 0, 0x01, 0x00, 0xa0, 0x7f, 0, 0, 0, 0, 0x4f, 0]);
    assert_eq!(block, view);
}

/// Contract §8.16.
#[test]
fn stack_overflow_is_named() {
    let module = stage::module(
        r#"(func $deeper (call $deeper) (call $deeper))
           (func (export "_start") (call $deeper))
           (func (export "view") (result i32) (call $deeper) (i32.const 0))"#,
    );
    let fault = stage::run_once(&module, b"", Rows::default()).unwrap_err();
    assert_eq!(fault.class, FaultClass::Guest);
    assert!(fault.message.starts_with("stack overflow"), "{fault}");
    let error = stage::view(&module, "view", b"", Rows::default()).unwrap_err();
    assert_eq!(error, ViewError::Guest(fault.message));
}
