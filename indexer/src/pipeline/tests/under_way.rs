//! A block that never ends is visible: which one, and in which run of it. Nothing stops it but the end of the process.

use crds::pod::BlockRun;

use super::*;

/// Row of each block N: "h/" + N as u32 LE -> the first 32 bytes of the block. Block 5 never ends in an instance that has
/// run no block before, and what `$OTHERWISE` says happens in every other one.
const ENDLESS_AT_5: &str = r#"
(module
  (import "env" "__host_len" (func $host_len (result i32)))
  (import "env" "__load_input" (func $load_input (param i32)))
  (import "env" "__flush" (func $flush (param i32)))
  (memory (export "memory") 66)
  (global $blocks (mut i32) (i32.const 0))
  (data (i32.const 64) "\2a\00\00\00" "\0a\06h/....")
  (data (i32.const 76) "\0a\20")
  (func (export "_start")
    (drop (call $host_len))
    (call $load_input (i32.const 1024))
    (if (i32.eq (i32.load (i32.const 1024)) (i32.const 5)) (then
      (if (i32.eqz (global.get $blocks)) (then (loop $endless (br $endless))))
      $OTHERWISE))
    (global.set $blocks (i32.add (global.get $blocks) (i32.const 1)))
    (i32.store (i32.const 72) (i32.load (i32.const 1024)))
    (memory.copy (i32.const 78) (i32.const 1028) (i32.const 32))
    (call $flush (i32.const 68))))
"#;

#[test]
fn a_block_that_never_ends_is_shown_with_the_run_it_is_in() {
    type Case<'a> = (&'a str, fn(&mut Config), BlockRun);
    let cases: [Case<'_>; 3] = [
        ("(nop)", |c| c.refresh = RefreshPolicy::EveryBlock, BlockRun::First),
        (
            "(unreachable)",
            |c| c.refresh = RefreshPolicy::OnThreshold,
            BlockRun::Retry,
        ),
        (
            "(nop)",
            |c| {
                c.refresh = RefreshPolicy::OnThreshold;
                c.audit_every = 5;
            },
            BlockRun::Audit,
        ),
    ];
    for (otherwise, change, run) in cases {
        let guest = ENDLESS_AT_5.replace("$OTHERWISE", otherwise);
        let process = Process::start(&guest, MemorySource::up_to(1, 8), change);
        let status = process.wait("the endless run", |status| {
            status.height == Some(4) && status.block_under_way.as_ref().is_some_and(|block| block.run == run)
        });
        let block = status.block_under_way.unwrap();
        assert_eq!((block.height, block.block_hash), (5, hash(1, 5).to_string()), "{run:?}");
        assert_eq!(block.attempt, 1, "{run:?}");
        let later = process.wait("its second second", |status| {
            status.block_under_way.as_ref().is_some_and(|block| block.seconds >= 1)
        });
        assert_eq!(later.block_under_way.unwrap().since, block.since, "{run:?}");
        assert_eq!((later.height, later.halt), (Some(4), None), "time is no failure");
        assert_eq!(process.stop().0, PipelineEnd::Stopped, "{run:?}");
    }
}

#[test]
fn between_blocks_none_is_under_way() {
    let process = Process::start(LEAKY, MemorySource::up_to(1, 10), |_| {});
    process.wait_for_tip(1, 10);
    assert_eq!(
        process
            .wait("the end of the last block", |s| s.block_under_way.is_none())
            .height,
        Some(10)
    );
    assert_eq!(process.stop().0, PipelineEnd::Stopped);
}
