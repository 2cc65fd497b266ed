//! Contract, section 1: what a module must be.

use crds::pod::module_reasons::{MISSING_EXPORT, NOT_WASM};
use indexer::guest::{Engine, EngineConfig, Indexing, Module};

use crate::stage::{self, MIB, Rows};

#[test]
fn modules_that_cannot_index_are_refused_by_name() {
    let engine = stage::engine_with_limit(MIB);
    let start = r#"(func (export "_start"))"#;
    let memory = r#"(memory (export "memory") 1)"#;
    let cases = [
        ("component".into(), NOT_WASM, "component"),
        (
            format!(r#"(module (memory (export "memory") 1 1 shared) {start})"#),
            NOT_WASM,
            "shared memory",
        ),
        (format!("(module {memory})"), MISSING_EXPORT, "does not export _start"),
        (
            format!(r#"(module {memory} (func (export "_start") (param i32)))"#),
            MISSING_EXPORT,
            "_start, but it must",
        ),
        (
            format!(r#"(module {memory} (global (export "_start") i32 (i32.const 0)))"#),
            MISSING_EXPORT,
            "_start, but",
        ),
        (format!("(module {start})"), MISSING_EXPORT, "does not export memory"),
        (
            format!(r#"(module {start} (func (export "memory")))"#),
            MISSING_EXPORT,
            "memory, but it must",
        ),
        (
            format!(r#"(module {start} (memory (export "memory") 17))"#),
            NOT_WASM,
            "raise the limit",
        ),
        (
            format!(r#"(module {start} (memory (export "memory") i64 1))"#),
            NOT_WASM,
            "cannot be compiled",
        ),
        (
            format!(r#"(module (import "env" "memory" (memory 1)) (export "memory" (memory 0)) {start})"#),
            NOT_WASM,
            "imports",
        ),
        (
            format!(r#"(module (import "env" "__flush" (func (param i64))) {memory} {start})"#),
            NOT_WASM,
            "imports",
        ),
    ];
    for (text, reason, words) in cases {
        let text = if text == "component" {
            "(component)".into()
        } else {
            text
        };
        let error = stage::load(&engine, &text)
            .err()
            .unwrap_or_else(|| panic!("loaded: {text}"));
        assert_eq!(error.reason(), reason, "{text}: {error}");
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
    for bytes in [&b"(module)"[..], b"", b"\x1f\x8b\x08"] {
        let error = Module::load(&engine, bytes).err().unwrap();
        assert!(error.to_string().contains("no WebAssembly file"), "{error}");
    }
    assert!(Module::load(&engine, b"\0asm\x01\0\0\0\xff").is_err(), "cut or damaged");
}

#[test]
fn unknown_imports_are_no_obstacle_until_they_are_called() {
    let engine = stage::engine_with_limit(MIB);
    let text = |called: &str| {
        format!(
            r#"(module
                (import "env" "__flush" (func $flush (param i32)))
                (import "__wbindgen_placeholder__" "__wbindgen_throw" (func $throw (param i32 i32)))
                (import "__wbindgen_placeholder__" "__wbindgen_throw" (func $again (param i32 i32)))
                (memory (export "memory") 1)
                (func (export "_start") {called} (call $flush (i32.const 4))))"#
        )
    };
    let quiet = stage::load(&engine, &text("")).unwrap();
    stage::run_once(&quiet, b"", Rows::default()).unwrap();
    let calling = stage::load(&engine, &text("(call $throw (i32.const 0) (i32.const 0))")).unwrap();
    let fault = stage::run_once(&calling, b"", Rows::default()).unwrap_err();
    assert_eq!(
        fault.message,
        "called the import __wbindgen_placeholder__.__wbindgen_throw, which is not offered here"
    );
}

#[test]
fn start_section_runs_before_the_block_and_sees_none_of_it() {
    let module = |section: &str| {
        stage::module(&format!(
            r#"(global $ran (mut i32) (i32.const 0))
               (data (i32.const 0) "\06\00\00\00\0a\01k\0a\01v")
               (func $section {section} (global.set $ran (i32.const 1)))
               (start $section)
               (func (export "_start")
                 (if (i32.eqz (global.get $ran)) (then unreachable))
                 (call $flush (i32.const 4)))"#
        ))
    };
    let writes = stage::run_once(&module("(call $log (i32.const 4))"), b"", Rows::default()).unwrap();
    assert_eq!(stage::pairs(&writes), [(&b"k"[..], &b"v"[..])]);

    let mut reading = Indexing::new(module("(call $load_input (i32.const 0))"));
    let fault = stage::run_at(&mut reading, 7, b"", Rows::default()).unwrap_err();
    assert!(fault.message.contains("__load_input in its start section"), "{fault}");
    assert_eq!(
        reading.refresh().unwrap_err().class,
        fault.class,
        "built ahead of a block it fails the same"
    );
}

#[test]
fn a_module_is_described_for_people() {
    let text = r#"(module
        (import "env" "__flush" (func (param i32)))
        (import "wbg" "throw" (func))
        (memory (export "memory") 2 32767)
        (memory 1)
        (func (export "_start"))
        (func (export "balance") (result i32) (i32.const 0))
        (func (export "add") (param i32) (result i32) (i32.const 0))
        (func (export "pi") (result f64) (f64.const 3))
        ;; As the builds do that return the address of the length.
        (data (i32.const 8) "\0b\00\00\00" "\1a\09\0a\07balance")
        (func (export "__meta") (result i32) (i32.const 8)))"#;
    let description = stage::load(&stage::engine_with_limit(MIB), text).unwrap().describe();
    assert_eq!(description.views, ["balance"]);
    let imports: Vec<_> = description
        .imports
        .iter()
        .map(|import| (import.name.as_str(), import.offered))
        .collect();
    assert_eq!(imports, [("env.__flush", true), ("wbg.throw", false)]);
    assert_eq!(
        description.unused_host_functions,
        ["__host_len", "__load_input", "__get_len", "__get", "__log", "abort"]
    );
    assert_eq!(
        (description.memory_min_bytes, description.memory_max_bytes),
        (2 * 65_536, Some(32_767 * 65_536))
    );
    assert_eq!(description.memories, 2);
    assert_eq!(description.meta.unwrap()[0].name, "balance");
}

#[test]
fn meta_that_fails_is_no_meta() {
    for meta in [
        "(i32.const 1)",
        "(i32.const 100)",
        "unreachable",
        "(loop $l (br $l)) (i32.const 0)",
    ] {
        let module = stage::module(&format!(
            r#"(func (export "_start")) (func (export "__meta") (result i32) {meta})"#
        ));
        assert_eq!(module.describe().meta, None, "{meta}");
    }
}

#[test]
fn an_instance_can_be_tried_before_any_block() {
    let tried = |start: &str| {
        let module = stage::module(&format!(
            r#"(func (export "_start")) (func $start {start}) (start $start)"#
        ));
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(500);
        module.try_instance(deadline).map_err(|fault| fault.message)
    };
    assert_eq!(tried("nop"), Ok(()));
    assert!(tried("unreachable").unwrap_err().contains("unreachable"));
    assert_eq!(
        tried("(loop $l (br $l))"),
        Err("its start section did not end in time".into())
    );
}

#[test]
fn compiled_modules_outlive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let load = || {
        let config = EngineConfig {
            cache_dir: Some(dir.path().join("compiled")),
            ..stage::config()
        };
        let engine = Engine::new(&config).unwrap();
        Module::load(&engine, &stage::guest("plain")).unwrap();
        engine.cache_hits()
    };
    // Blocks and views have an engine each, so a module is compiled once and found once.
    assert_eq!(load(), 1);
    assert_eq!(load(), 2);
}

#[test]
fn a_cache_that_cannot_be_written_is_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = EngineConfig {
        cache_dir: Some(file.path().join("compiled")),
        ..stage::config()
    };
    let error = Engine::new(&config).err().unwrap();
    assert!(error.to_string().contains("compiled"), "{error}");
}
