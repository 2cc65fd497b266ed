//! Any module: it is refused with a word for why, or it runs; and what it does in a fresh instance it does in the next
//! one. No failure of it is ever the host's.
#![no_main]

use std::sync::OnceLock;

use crds::pod::{FaultClass, module_reasons};
use fuzz::{
    model,
    stage::{self, Rows},
};
use indexer::guest::{Engine, Indexing, ViewError};
use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};

/// Ways to begin a module, the memory included.
const HEADS: [&str; 7] = [
    r#"(memory (export "memory") 1)"#,
    r#"(memory (export "memory") 2 3) (memory 1)"#,
    r#"(memory 1) (memory (export "memory") 7)"#,
    r#"(memory 6) (memory (export "memory") 1)"#,
    r#"(memory (export "memory") 0 65536) (table 10 funcref) (elem (i32.const 9) $step)"#,
    r#"(import "env" "memory" (memory 1))"#,
    r#"(global (export "memory") i32 (i32.const 1))"#,
];
/// What `__get` and `abort` are taken for: the last is wrong.
const TYPES: [&str; 2] = ["(param i32 i32)", "(param i64 i32)"];
/// Ends of a module.
const TAILS: [&str; 5] = [
    "",
    "(start $step)",
    r#"(data (i32.const 0) "\04\00\00\00kkkk")"#,
    r#"(data (i32.const 65535) "\04\00")"#,
    "(table 70000 funcref)",
];
const NUMBERS: [&str; 10] = [
    "0",
    "3",
    "4",
    "8",
    "64",
    "65532",
    "65536",
    "0x7ffffffc",
    "0x80000000",
    "-1",
];
/// Steps; `A` and `B` become numbers.
const STEPS: [&str; 14] = [
    "(drop (call $get_len (i32.const A)))",
    "(call $get (i32.const A) (i32.const B))",
    "(call $flush (i32.const A))",
    "(call $log (i32.const A))",
    "(call $load_input (i32.const A))",
    "(call $abort (i32.const A) (i32.const B) (i32.const A) (i32.const B))",
    "(call $foreign (f64.const A))",
    "(i32.store (i32.const A) (i32.const B))",
    "(drop (memory.grow (i32.const A)))",
    "(memory.fill (i32.const A) (i32.const 4) (i32.const B))",
    "(call $step)",
    "(unreachable)",
    "(drop (i32.div_s (i32.const A) (i32.const B)))",
    "(f32.store (i32.const A) (f32.div (f32.const B) (f32.const 0)))",
];

fn text(input: &mut Unstructured<'_>) -> Result<String> {
    let head = input.choose(&HEADS)?;
    let get_type = if input.ratio(1, 16)? { TYPES[1] } else { TYPES[0] };
    let tail = input.choose(&TAILS)?;
    let mut body = String::new();
    for _ in 0..input.int_in_range(0..=12)? {
        let step = input.choose(&STEPS)?.replace('A', input.choose(&NUMBERS)?);
        body.push_str(&step.replace('B', input.choose(&NUMBERS)?));
    }
    Ok(format!(
        r#"(module
        (import "env" "__get_len" (func $get_len (param i32) (result i32)))
        (import "env" "__get" (func $get {get_type}))
        (import "env" "__flush" (func $flush (param i32)))
        (import "env" "__log" (func $log (param i32)))
        (import "env" "__load_input" (func $load_input (param i32)))
        (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
        (import "wbg" "foreign" (func $foreign (param f64)))
        {head}
        (func $step (export "_start") {body})
        (func (export "view") (result i32) (call $step) (i32.const 8))
        {tail})"#
    ))
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(stage::engine)
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    let Ok(text) = text(&mut input) else { return };
    let input = input.take_rest();
    let module = match stage::try_load(engine(), &text) {
        None => return,
        Some(Ok(module)) => module,
        Some(Err(refused)) => {
            assert!([module_reasons::NOT_WASM, module_reasons::MISSING_EXPORT].contains(&refused.reason()));
            return;
        }
    };
    let rows: Rows = model::rows();
    let index = || stage::index(&mut Indexing::new(module.clone()), input, &rows);
    let indexed = index();
    assert_eq!(indexed, index(), "{text}");
    if let Err(fault) = indexed {
        assert!(
            [FaultClass::Guest, FaultClass::Limit].contains(&fault.class),
            "{fault}: {text}"
        );
    }
    let view = || stage::view(&module, input, &rows);
    let viewed = view();
    assert_eq!(viewed, view(), "{text}");
    assert!(
        !matches!(viewed, Err(ViewError::Host(_) | ViewError::Cancelled)),
        "{viewed:?}: {text}"
    );
});
