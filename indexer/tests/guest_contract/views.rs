//! Views: what they answer, and what stops them.

use std::{
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use indexer::{
    chain::Height,
    guest::{CancelFlag, Indexing, Module, ViewError, ViewLimits},
};

use crate::stage::{self, Broken, MIB, Rows};

const START: &str = r#"(func (export "_start") (call $flush (i32.const 4)))"#;

#[test]
fn input_is_the_height_of_the_view_and_the_request() {
    let module = stage::module(&format!(
        r#"{START} (func (export "echo") (result i32)
             (i32.store (i32.const 0x100) (call $host_len))
             (call $load_input (i32.const 0x104))
             (i32.const 0x104))"#
    ));
    let answer = stage::view(&module, "echo", b"request", Rows::default()).unwrap();
    assert_eq!(answer.bytes, &b"\x07\0\0\0request"[..]);
    assert!(!answer.malformed);
}

#[test]
fn only_exports_of_the_right_type_are_views() {
    let module = stage::module(&format!(
        r#"{START}
           (func (export "takes") (param i32) (result i32) (i32.const 0))
           (func (export "gives") (result i64) (i64.const 0))
           (func (export "nothing"))
           (global (export "global") i32 (i32.const 0))"#
    ));
    for name in ["absent", "", "takes", "gives", "nothing", "global", "memory", "_start"] {
        let error = stage::view(&module, name, b"", Rows::default()).unwrap_err();
        assert_eq!(error, ViewError::UnknownFunction(name.into()));
    }
}

#[test]
fn no_pointer_to_an_answer_is_an_empty_one_and_said_so() {
    for ptr in ["0", "3", "0x10001", "-1"] {
        let module = stage::module(&format!(
            r#"{START} (func (export "v") (result i32) (i32.const {ptr}))"#
        ));
        let answer = stage::view(&module, "v", b"", Rows::default()).unwrap();
        assert_eq!((answer.bytes, answer.malformed), (Bytes::new(), true), "{ptr}");
    }
}

#[test]
fn flush_changes_nothing_not_even_with_a_bad_pointer() {
    let module = stage::module(&format!(
        r#"{START} (func (export "v") (result i32) (call $flush (i32.const -1)) (i32.const 4))"#
    ));
    assert!(!stage::view(&module, "v", b"", Rows::default()).unwrap().malformed);
}

#[test]
fn nothing_passes_from_one_view_to_the_next() {
    let module = stage::module(&format!(
        r#"{START} (global $n (mut i32) (i32.const 0))
           (func (export "v") (result i32)
             (global.set $n (i32.add (global.get $n) (i32.const 1)))
             (i32.store (i32.const 0x104) (i32.add (i32.load (i32.const 0x104)) (global.get $n)))
             (i32.store (i32.const 0x100) (i32.const 4))
             (i32.const 0x104))"#
    ));
    for _ in 0..3 {
        assert_eq!(
            stage::view(&module, "v", b"", Rows::default()).unwrap().bytes,
            &b"\x01\0\0\0"[..]
        );
    }
}

#[test]
fn a_view_that_fails_says_whose_fault_it_is() {
    let module = stage::module(&format!(
        r#"{START}
           (func (export "traps") (result i32) unreachable)
           (func (export "reads") (result i32) (call $get_len (i32.const 4)))"#
    ));
    let error = stage::view(&module, "traps", b"", Rows::default()).unwrap_err();
    assert!(
        matches!(&error, ViewError::Guest(text) if text.contains("unreachable")),
        "{error}"
    );
    let error = stage::view(&module, "reads", b"", Broken).unwrap_err();
    assert_eq!(error, ViewError::Host("disk on fire".into()));
}

fn spin(module: &Module, time: Duration, cancel: &CancelFlag) -> (ViewError, Duration) {
    let began = Instant::now();
    let limits = ViewLimits {
        deadline: began + time,
        max_response_bytes: MIB,
    };
    let error = module
        .view(
            "spin",
            Height(7),
            Bytes::new(),
            Box::new(Rows::default()),
            limits,
            cancel,
        )
        .unwrap_err();
    (error, began.elapsed())
}

fn loop_view() -> Module {
    Module::load(&stage::engine_with_limit(64 * MIB), &stage::guest("loop-view")).unwrap()
}

/// Contract §8.13.
#[test]
fn a_view_that_never_ends_is_stopped_at_its_deadline() {
    let (error, took) = spin(&loop_view(), Duration::from_millis(200), &CancelFlag::new());
    assert_eq!(error, ViewError::Limit("the view took longer than it may".into()));
    assert!(
        (Duration::from_millis(200)..Duration::from_secs(5)).contains(&took),
        "took {took:?}"
    );
}

/// Contract §8.13.
#[test]
fn a_view_is_stopped_when_its_client_is_gone() {
    let cancel = CancelFlag::new();
    let asker = {
        let cancel = cancel.clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            cancel.cancel();
        })
    };
    let (error, took) = spin(&loop_view(), Duration::from_secs(60), &cancel);
    assert_eq!(error, ViewError::Cancelled);
    assert!(took < Duration::from_secs(5), "took {took:?}");
    asker.join().unwrap();
}

/// Contract §8.13.
#[test]
fn views_that_never_end_do_not_stop_indexing() {
    let module = loop_view();
    let mut indexing = Indexing::new(module.clone());
    let cancel = CancelFlag::new();
    thread::scope(|scope| {
        let spinning: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| spin(&module, Duration::from_secs(60), &cancel).0))
            .collect();
        for height in 0..100 {
            indexing.refresh().unwrap();
            stage::run_at(&mut indexing, height, &[0; 80], Rows::default()).unwrap();
        }
        cancel.cancel();
        for view in spinning {
            assert_eq!(view.join().unwrap(), ViewError::Cancelled);
        }
    });
}

/// Contract §8.13.
#[test]
fn a_view_has_its_own_memory_limit() {
    // 32 MiB for views, 64 MiB for blocks.
    let module = Module::load(&stage::engine_with_limit(64 * MIB), &stage::guest("greedy")).unwrap();
    let error = stage::view(&module, "hoard", b"", Rows::default()).unwrap_err();
    assert!(
        matches!(&error, ViewError::Limit(text) if text.contains("its limit is 33554432")),
        "{error}"
    );
    let error = stage::view(&big(513), "v", b"", Rows::default()).unwrap_err();
    assert!(
        matches!(error, ViewError::Limit(_)),
        "more than a view may have from the start: {error}"
    );
    assert!(stage::view(&big(512), "v", b"", Rows::default()).is_ok());
}

fn big(pages: u32) -> Module {
    let text = stage::with_imports(&format!(
        r#"(memory (export "memory") {pages}) {START} (func (export "v") (result i32) (i32.const 4))"#
    ));
    stage::load(&stage::engine_with_limit(64 * MIB), &text).unwrap()
}

/// Answers with as many bytes as the request says (u32 LE).
fn sized() -> Module {
    let text = stage::with_imports(&format!(
        r#"(memory (export "memory") 64) {START}
           (func (export "v") (result i32)
             (call $load_input (i32.const 0))
             (i32.const 8))"#
    ));
    stage::load(&stage::engine_with_limit(64 * MIB), &text).unwrap()
}

/// Contract §8.13.
#[test]
fn answer_size_obeyed() {
    let len = u32::try_from(MIB).unwrap();
    let answer = stage::view(&sized(), "v", &len.to_le_bytes(), Rows::default()).unwrap();
    assert_eq!(answer.bytes.len() as u64, MIB);
}

/// Contract §8.13.
#[test]
fn answer_size_violated() {
    let len = u32::try_from(MIB).unwrap() + 1;
    let error = stage::view(&sized(), "v", &len.to_le_bytes(), Rows::default()).unwrap_err();
    assert_eq!(
        error,
        ViewError::Limit("the answer has 1048577 bytes, a view may give 1048576".into())
    );
}

#[test]
fn start_section_of_a_view_that_never_ends_is_stopped_too() {
    let module = stage::module(&format!(
        r#"{START} (func $section (loop $for_ever (br $for_ever))) (start $section)
           (func (export "spin") (result i32) (i32.const 4))"#
    ));
    let (error, _) = spin(&module, Duration::from_millis(100), &CancelFlag::new());
    assert!(matches!(error, ViewError::Limit(_)), "{error}");
}
