//! Contract, section 8, items 9 and 13 for blocks: memory, and how a guest is stopped.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use crds::pod::FaultClass;
use indexer::{
    chain::Height,
    guest::{CancelFlag, Indexing, Module},
};

use crate::{
    alone,
    stage::{self, MIB, PAGE, Rows, Signal},
};

/// Grows by as many pages as the block has bytes and traps if that is refused.
fn growing(limit_bytes: u64, memory: &str) -> Indexing {
    let text = stage::with_imports(&format!(
        r#"(memory (export "memory") {memory})
        (func (export "_start")
          (if (i32.eq (memory.grow (i32.sub (call $host_len) (i32.const 4))) (i32.const -1)) (then unreachable))
          (call $flush (i32.const 4)))"#
    ));
    Indexing::new(stage::load(&stage::engine_with_limit(limit_bytes), &text).unwrap())
}

#[test]
fn memory_limit_obeyed() {
    let mut indexing = growing(3 * PAGE, "1");
    stage::run_at(&mut indexing, 1, b"22", Rows::default()).unwrap();
    assert_eq!(indexing.guest_bytes(), 3 * PAGE);
}

#[test]
fn memory_limit_violated() {
    let mut indexing = growing(3 * PAGE, "1");
    let fault = stage::run_at(&mut indexing, 1, b"333", Rows::default()).unwrap_err();
    assert_eq!(fault.class, FaultClass::Limit);
    assert!(
        fault
            .message
            .contains("; before that it was refused memory: it wanted 262144 bytes, memory.limit is 196608"),
        "{fault}"
    );
    assert!(!indexing.has_instance(), "a trap leaves no instance");
    assert_eq!(indexing.guest_bytes(), 0);
    stage::run_at(&mut indexing, 1, b"22", Rows::default()).unwrap();
}

#[test]
fn the_modules_own_maximum_is_no_matter_of_the_limit() {
    let mut indexing = growing(64 * PAGE, "1 2");
    let fault = stage::run_at(&mut indexing, 1, b"22", Rows::default()).unwrap_err();
    assert_eq!(fault.class, FaultClass::Guest, "{fault}");
}

#[test]
fn an_earlier_refusal_does_not_explain_a_later_trap() {
    // The first block asks for too much and lives with it, the second traps for another reason.
    let text = stage::with_imports(
        r#"(memory (export "memory") 1)
        (func (export "_start")
          (if (i32.eq (call $host_len) (i32.const 4)) (then unreachable))
          (drop (memory.grow (i32.const 100)))
          (call $flush (i32.const 4)))"#,
    );
    let mut indexing = Indexing::new(stage::load(&stage::engine_with_limit(2 * PAGE), &text).unwrap());
    stage::run_at(&mut indexing, 1, b"asks", Rows::default()).unwrap();
    let fault = stage::run_at(&mut indexing, 2, b"", Rows::default()).unwrap_err();
    assert_eq!(fault.class, FaultClass::Guest, "{fault}");
}

#[test]
fn memories_that_are_too_large_together_are_a_matter_of_the_limit() {
    let text = stage::with_imports(r#"(memory (export "memory") 2) (memory 2) (func (export "_start"))"#);
    let mut indexing = Indexing::new(stage::load(&stage::engine_with_limit(3 * PAGE), &text).unwrap());
    let fault = stage::run_at(&mut indexing, 1, b"", Rows::default()).unwrap_err();
    assert_eq!(fault.class, FaultClass::Limit, "{fault}");
}

/// Contract §8.9.
#[test]
fn the_refusal_comes_at_the_limit_and_becomes_part_of_the_index() {
    for limit_bytes in [8 * MIB, 100 * MIB, 4096 * MIB] {
        let module = Module::load(&stage::engine_with_limit(limit_bytes), &stage::guest("greedy")).unwrap();
        let writes = stage::run_once(&module, b"", Rows::default()).unwrap();
        let pages = u32::try_from(limit_bytes / PAGE).unwrap();
        assert_eq!(
            stage::value(&writes, b"size"),
            &pages.to_le_bytes()[..],
            "limit {limit_bytes}"
        );
    }
}

/// Contract §8.9.
#[test]
fn a_machine_short_of_memory_fails_the_block_instead() {
    // 1 GiB of data, a quarter of the guest's limit.
    let little = r#"ulimit -d 1048576 && exec "$0" "$@""#;
    let this = "limits::a_machine_short_of_memory_fails_the_block_instead";
    alone::run(this, Command::new("sh").args(["-c", little]), || {
        let module = Module::load(&stage::engine_with_limit(4096 * MIB), &stage::guest("greedy")).unwrap();
        let mut indexing = Indexing::new(module);
        let fault = stage::run_at(&mut indexing, 1, b"", Rows::default()).unwrap_err();
        assert_eq!(fault.class, FaultClass::Host, "{fault}");
        assert!(
            fault.message.starts_with("this machine cannot give the guest its"),
            "{fault}"
        );
        assert!(!indexing.has_instance());
    });
}

#[test]
fn a_leak_grows_block_by_block_and_a_refresh_frees_it() {
    let module = Module::load(&stage::engine_with_limit(64 * MIB), &stage::guest("leaky")).unwrap();
    let mut indexing = Indexing::new(module);
    assert!(!indexing.has_instance());
    assert_eq!(indexing.guest_bytes(), 0);
    for height in 1..=10 {
        stage::run_at(&mut indexing, height, &[0; 80], Rows::default()).unwrap();
        assert_eq!(indexing.guest_bytes(), (5 + u64::from(height)) * MIB);
    }
    indexing.refresh().unwrap();
    assert_eq!(indexing.guest_bytes(), 5 * MIB);
    indexing.drop_instance();
    assert!(!indexing.has_instance());
}

/// In a process of its own, where nothing else takes memory: a thousand refreshes may leave less behind than what one
/// instance touches.
#[test]
fn a_thousand_refreshes_leave_no_memory_behind() {
    let this = "limits::a_thousand_refreshes_leave_no_memory_behind";
    alone::run(this, &mut Command::new("env"), || {
        let module = Module::load(&stage::engine_with_limit(64 * MIB), &stage::guest("leaky")).unwrap();
        let mut indexing = Indexing::new(module);
        let mut resident_after = |runs: u32| {
            for height in 0..runs {
                indexing.refresh().unwrap();
                stage::run_at(&mut indexing, height, &[0; 80], Rows::default()).unwrap();
            }
            indexer::telemetry::report::resident_bytes()
        };
        // The allocator and the slots have what they need after a few.
        let early = resident_after(50);
        let late = resident_after(1000);
        println!("{early} bytes resident, then {late}");
        // `leaky` touches the MiB that it leaks and a few pages.
        assert!(late < early + MIB, "{early} bytes resident, then {late}");
    });
}

#[test]
fn a_refresh_that_fails_keeps_the_old_instance() {
    let text = stage::with_imports(
        r#"(memory (export "memory") 1)
        (func (export "_start") (call $flush (i32.const 4)))"#,
    );
    let engine = stage::engine_with_limit(MIB);
    let module = stage::load(&engine, &text).unwrap();
    let mut indexing = Indexing::new(module.clone());
    stage::run_at(&mut indexing, 1, b"", Rows::default()).unwrap();
    // Take all other slots of the engine.
    let mut others = Vec::new();
    let fault = loop {
        let mut other = Indexing::new(module.clone());
        match other.refresh() {
            Ok(()) => others.push(other),
            Err(fault) => break fault,
        }
        assert!(others.len() < 100, "the number of instances has a bound");
    };
    assert_eq!(fault.class, FaultClass::Host, "{fault}");
    assert_eq!(indexing.refresh().unwrap_err().class, FaultClass::Host);
    assert!(indexing.has_instance());
    stage::run_at(&mut indexing, 2, b"", Rows::default()).unwrap();
    drop(others);
    indexing.refresh().unwrap();
}

/// Contract §8.14.
#[test]
fn a_block_is_stopped_when_asked_and_that_is_nobodys_fault() {
    let module = stage::module(
        r#"(func (export "_start") (drop (call $get_len (i32.const 4))) (loop $for_ever (br $for_ever)))"#,
    );
    let mut indexing = Indexing::new(module);
    let (stop, runs) = (CancelFlag::new(), Signal::default());
    let began = Instant::now();
    let fault = thread::scope(|scope| {
        scope.spawn(|| {
            runs.wait_for(1);
            stop.cancel();
        });
        indexing
            .run(Height(1), Bytes::new(), Box::new(runs.clone()), &stop)
            .unwrap_err()
    });
    assert_eq!(fault.class, FaultClass::Host);
    assert!(fault.message.contains("stopped"), "{fault}");
    assert!(began.elapsed() < Duration::from_secs(5), "took {:?}", began.elapsed());
    assert!(!indexing.has_instance());
}

#[test]
fn a_trap_drops_the_instance_and_what_it_held() {
    let dropped = std::sync::Arc::new(());
    struct Held(#[allow(dead_code)] std::sync::Arc<()>);
    impl indexer::state::State for Held {
        fn get(&mut self, _: &[u8]) -> Result<Option<Bytes>, indexer::fault::Fault> {
            Ok(None)
        }
    }
    let mut indexing = Indexing::new(stage::module(r#"(func (export "_start") unreachable)"#));
    let fault = stage::run_at(&mut indexing, 1, b"", Held(dropped.clone())).unwrap_err();
    assert_eq!(fault.class, FaultClass::Guest);
    assert!(fault.message.contains("unreachable"), "{fault}");
    assert!(!indexing.has_instance());
    assert_eq!(std::sync::Arc::strong_count(&dropped), 1, "the reader is gone too");
}
