//! What a guest says before it fails, and where it was.

use crds::pod::FaultClass;
use indexer::guest::ViewError;

use crate::stage::{self, Rows};

/// Logs in pieces, as Rust's formatting does, and traps three calls deep.
const PANICS: &str = r#"
    (data (i32.const 0x100) "\07\00\00\00height ")
    (data (i32.const 0x120) "\02\00\00\007\0a")
    (data (i32.const 0x140) "\03\00\00\00\0aok")
    (data (i32.const 0x160) "\0c\00\00\00: panicked\0a\0a")
    (func $say (call $log (i32.const 0x104)) (call $log (i32.const 0x124)) (call $log (i32.const 0x144))
      (call $log (i32.const 0x164)))
    (func $_ZN4core9panicking5panic17h0123456789abcdefE unreachable)
    (func $assembly/index/pay (call $say) (call $_ZN4core9panicking5panic17h0123456789abcdefE))
    (func $run (export "_start") (call $assembly/index/pay))
    (func $ask (export "view") (result i32) (call $assembly/index/pay) (i32.const 4))"#;

const SAID: &str = "; last log lines: height 7 | ok: panicked; in core::panicking::panic <- assembly/index/pay <- ";

#[test]
fn a_trap_names_the_functions_and_the_last_whole_lines() {
    let module = stage::module(PANICS);
    let fault = stage::run_once(&module, b"", Rows::default()).unwrap_err();
    assert_eq!(fault.class, FaultClass::Guest);
    assert!(
        fault.message.contains("unreachable") && fault.message.ends_with(&format!("{SAID}run")),
        "{fault}"
    );
    let error = stage::view(&module, "view", b"", Rows::default()).unwrap_err();
    assert!(
        matches!(&error, ViewError::Guest(text) if text.ends_with(&format!("{SAID}ask"))),
        "{error}"
    );
}

#[test]
fn functions_without_a_name_are_numbered() {
    let module = stage::module(r#"(func unreachable) (func (export "_start") (call 7))"#);
    let fault = stage::run_once(&module, b"", Rows::default()).unwrap_err();
    assert!(
        fault.message.contains("; in function 7 at 0x") && fault.message.contains(" <- function 8 at 0x"),
        "{fault}"
    );
}

#[test]
fn a_deep_stack_is_shown_in_part() {
    let module = stage::module(
        r#"(func $deeper (param i32)
             (if (i32.eqz (local.get 0)) (then unreachable))
             (call $deeper (i32.sub (local.get 0) (i32.const 1))))
           (func (export "_start") (call $deeper (i32.const 1000)))"#,
    );
    let fault = stage::run_once(&module, b"", Rows::default()).unwrap_err();
    assert_eq!(fault.message.matches("deeper").count(), 12, "{fault}");
}

/// What a run said is no explanation of the next one's failure.
#[test]
fn last_words_are_those_of_the_run() {
    let module = stage::module(
        r#"(data (i32.const 0x100) "\05\00\00\00first")
           (func (export "_start")
             (if (i32.eq (call $host_len) (i32.const 4)) (then unreachable))
             (call $log (i32.const 0x104))
             (call $flush (i32.const 4)))"#,
    );
    let mut indexing = indexer::guest::Indexing::new(module);
    stage::run_at(&mut indexing, 1, b"talks", Rows::default()).unwrap();
    let fault = stage::run_at(&mut indexing, 2, b"", Rows::default()).unwrap_err();
    assert!(!fault.message.contains("first"), "{fault}");
}
