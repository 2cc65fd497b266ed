//! Views: what they answer, and what stops them.

use std::{
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use indexer::{
    chain::Height,
    guest::{Budget, CancelFlag, Indexing, Module, ViewError, ViewLimits},
};

use crate::stage::{self, Broken, MIB, PAGE, Rows, Signal};

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

/// A view that reads and then never ends, until its time is up or it is cancelled.
fn spin(module: &Module, time: Duration, cancel: &CancelFlag, runs: &Signal) -> (ViewError, Duration) {
    let began = Instant::now();
    let limits = stage::limits(time);
    let state = Box::new(runs.clone());
    let view = module.view("spin", Height(7), Bytes::new(), state, &limits, cancel);
    (view.unwrap_err(), began.elapsed())
}

fn spinning() -> Module {
    stage::module(&format!(
        r#"{START} (func (export "spin") (result i32)
             (drop (call $get_len (i32.const 4)))
             (loop $for_ever (br $for_ever))
             (i32.const 4))"#
    ))
}

/// Contract §8.13.
#[test]
fn a_view_that_never_ends_is_stopped_at_its_deadline() {
    let time = Duration::from_millis(200);
    let (error, took) = spin(&spinning(), time, &CancelFlag::new(), &Signal::default());
    assert_eq!(error, ViewError::Deadline);
    assert!((time..Duration::from_secs(5)).contains(&took), "took {took:?}");
}

/// Contract §8.13.
#[test]
fn a_view_is_stopped_when_its_client_is_gone() {
    let (cancel, runs) = (CancelFlag::new(), Signal::default());
    let (error, took) = thread::scope(|scope| {
        scope.spawn(|| {
            runs.wait_for(1);
            cancel.cancel();
        });
        spin(&spinning(), Duration::from_secs(60), &cancel, &runs)
    });
    assert_eq!(error, ViewError::Cancelled);
    assert!(took < Duration::from_secs(50), "took {took:?}");
}

/// Contract §8.13.
#[test]
fn views_that_never_end_do_not_stop_indexing() {
    let module = spinning();
    let mut indexing = Indexing::new(module.clone());
    let (cancel, runs) = (CancelFlag::new(), Signal::default());
    thread::scope(|scope| {
        let views: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| spin(&module, Duration::from_secs(600), &cancel, &runs).0))
            .collect();
        runs.wait_for(4);
        for height in 0..100 {
            indexing.refresh().unwrap();
            stage::run_at(&mut indexing, height, &[0; 80], Rows::default()).unwrap();
        }
        cancel.cancel();
        for view in views {
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
        matches!(&error, ViewError::Limit(text) if text.contains("views.memoryLimit is 33554432")),
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
        ViewError::Limit("the answer has 1048577 bytes, a view may give 1048576 (views.maxResponseBytes)".into())
    );
}

#[test]
fn start_section_of_a_view_that_never_ends_is_stopped_too() {
    let module = stage::module(&format!(
        r#"{START} (func $section (loop $for_ever (br $for_ever))) (start $section)
           (func (export "spin") (result i32) (i32.const 4))"#
    ));
    let (error, _) = spin(
        &module,
        Duration::from_millis(100),
        &CancelFlag::new(),
        &Signal::default(),
    );
    assert_eq!(error, ViewError::Deadline);
}

/// A view of the limits with a budget of so many bytes.
fn within(module: &Module, function: &str, input: &[u8], budget: &Budget) -> Result<usize, ViewError> {
    let limits = ViewLimits {
        budget: budget.clone(),
        ..stage::limits(Duration::from_secs(10))
    };
    let (input, state) = (Bytes::copy_from_slice(input), Box::new(Rows::default()));
    let answer = module.view(function, Height(7), input, state, &limits, &CancelFlag::new())?;
    assert_eq!(
        budget.in_use_bytes(),
        answer.bytes.len() as u64,
        "the guest is gone, its answer is not"
    );
    Ok(answer.bytes.len())
}

#[test]
fn budget_of_all_views_obeyed() {
    // 64 pages, and the answer.
    let budget = Budget::new(64 * PAGE + 100);
    assert_eq!(within(&sized(), "v", &100_u32.to_le_bytes(), &budget), Ok(100));
    assert_eq!(budget.in_use_bytes(), 0);
}

#[test]
fn budget_of_all_views_violated() {
    let too_little = |error: Result<usize, ViewError>| match error {
        Err(ViewError::Limit(text)) => assert!(
            text.contains("may take") && text.contains("views.memoryLimit"),
            "{text}"
        ),
        other => panic!("{other:?}"),
    };
    // By the answer, by the memory a guest starts with, and by what it takes later.
    let budget = Budget::new(64 * PAGE + 99);
    too_little(within(&sized(), "v", &100_u32.to_le_bytes(), &budget));
    let budget = Budget::new(63 * PAGE);
    too_little(within(&sized(), "v", &0_u32.to_le_bytes(), &budget));
    let greedy = Module::load(&stage::engine_with_limit(64 * MIB), &stage::guest("greedy")).unwrap();
    let budget = Budget::new(16 * MIB);
    too_little(within(&greedy, "hoard", b"", &budget));
    assert_eq!(budget.in_use_bytes(), 0, "and all of it comes back");
}

/// A guest that cannot be built yet waits for others as long as it may: they end, for each view has a deadline.
#[test]
fn a_view_waits_for_the_memory_it_starts_with() {
    let (module, time) = (sized(), Duration::from_millis(200));
    let began = Instant::now();
    let limits = ViewLimits {
        budget: Budget::new(64 * PAGE),
        ..stage::limits(time)
    };
    let _others = limits.budget.charge(1).unwrap();
    let state = Box::new(Rows::default());
    let view = module.view("v", Height(7), Bytes::new(), state, &limits, &CancelFlag::new());
    let error = view.unwrap_err();
    assert!(matches!(error, ViewError::Limit(_)), "{error}");
    assert!(began.elapsed() >= time, "it gave up after {:?}", began.elapsed());
}

/// Keys and values that are long are charged while the host holds a copy of them.
#[test]
fn what_a_view_reads_is_charged() {
    let module = stage::module(&format!(
        r#"{START} (data (i32.const 0x100) "\40\9c\00\00") (func (export "v") (result i32)
             (drop (call $get_len (i32.const 0x104)))
             (i32.const 4))"#
    ));
    // A key of 40,000 bytes beside one page of memory.
    let enough = Budget::new(PAGE + 40_000);
    assert_eq!(within(&module, "v", b"", &enough), Ok(0));
    let error = within(&module, "v", b"", &Budget::new(PAGE + 39_999)).unwrap_err();
    assert!(matches!(error, ViewError::Limit(_)), "{error}");
}

/// What a previewed block writes is charged until the view after it has ended, twice: as it came, and in order.
#[test]
fn what_a_preview_flushes_is_charged() {
    let module = stage::module(
        r#"(data (i32.const 0x100) "\06\00\00\00" "\0a\01k" "\0a\01v")
           (func (export "_start") (call $flush (i32.const 0x104)))"#,
    );
    let preview = |budget: &Budget| {
        let limits = ViewLimits {
            budget: budget.clone(),
            ..stage::limits(Duration::from_secs(10))
        };
        let state = Box::new(Rows::default());
        module.preview(Height(7), Bytes::new(), state, &limits, &CancelFlag::new())
    };
    // The message's 6 bytes, and 32 for each key and value.
    let charged = 2 * (6 + 2 * 32);
    let budget = Budget::new(PAGE + charged);
    let previewed = preview(&budget).unwrap();
    assert_eq!(stage::pairs(&previewed.writes), [(&b"k"[..], &b"v"[..])]);
    assert_eq!(budget.in_use_bytes(), charged, "the guest is gone, its pairs are not");
    drop(previewed);
    assert_eq!(budget.in_use_bytes(), 0);
    let error = preview(&Budget::new(PAGE + charged - 1)).unwrap_err();
    assert!(
        matches!(&error, ViewError::Limit(text) if text.starts_with("block 7 of the preview: ")),
        "{error}"
    );
}
