//! Each block is fetched once, and a block that is run twice writes what it would have written at once.

use super::*;

const OLD_INSTANCE: &str = include_str!("../../../../tests/guests/old-instance.wat");

/// Contract §8.11: the guest fails whatever an instance is given as its 101st block.
#[test]
fn a_block_that_is_run_again_writes_what_a_fresh_instance_writes() {
    let change = |config: &mut Config| config.refresh = RefreshPolicy::OnThreshold;
    let process = Process::start(OLD_INSTANCE, MemorySource::up_to(1, 250), change);
    let status = process.wait_for_tip(1, 250);
    assert_eq!(status.memory.refreshes.failure, 2);
    assert_eq!(
        process.stop().1,
        fresh(OLD_INSTANCE, MemorySource::up_to(1, 250), (1, 250))
    );
}

/// Contract §8.12.
#[test]
fn a_slow_guest_has_no_block_fetched_twice() {
    let process = Process::start(SLOW, MemorySource::up_to(1, 60), |_| {});
    process.wait_for_tip(1, 60);
    assert_eq!(process.source.served(), 61);
    assert_eq!(process.stop().0, PipelineEnd::Stopped);
}

/// Contract §8.12.
#[test]
fn after_an_unwind_only_the_blocks_of_the_other_branch_are_fetched() {
    let process = Process::start(LEAKY, MemorySource::up_to(1, 60), |_| {});
    process.wait_for_tip(1, 60);
    assert_eq!(process.source.served(), 61);
    process.source.replace(53, 2, 63);
    process.wait_for_tip(2, 63);
    assert_eq!(process.source.served(), 61 + 11);
    assert_eq!(process.stop().1, fresh(LEAKY, forked(53, 63), (2, 63)));
}
