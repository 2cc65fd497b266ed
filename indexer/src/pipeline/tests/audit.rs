use super::{
    trouble::{SLOTS, while_taken},
    *,
};

const COUNTS_BLOCKS: &str = include_str!("../../../../tests/guests/counts-blocks.wat");

fn audits(process: &Process, outcome: &str) -> u64 {
    let metric = format!("audits_total{{outcome=\"{outcome}\"}}");
    process.metric(&metric).unwrap()
}

fn audited(guest: &str, policy: RefreshPolicy, every: u32) -> Process {
    Process::start(guest, MemorySource::up_to(1, 30), |c| {
        c.refresh = policy;
        c.audit_every = every;
    })
}

#[test]
fn a_guest_that_remembers_blocks_is_found_before_the_block_is_committed() {
    let process = audited(COUNTS_BLOCKS, RefreshPolicy::OnThreshold, 10);
    let status = process.wait("a halt", |s| s.halt.is_some());
    let halt = status.halt.unwrap();
    assert_eq!(
        (halt.class, halt.height, halt.runs),
        (FaultClass::Nondeterminism, 10, 1)
    );
    let expected = "The first key that differs is 0x6e: the kept instance wrote 0x0b000000, a fresh one 0x01000000";
    assert!(halt.message.ends_with(expected), "{}", halt.message);
    assert!(
        halt.message.contains("set memory.refresh: EveryBlock"),
        "{}",
        halt.message
    );
    assert_eq!((status.height, status.phase), (Some(9), Phase::Halted));
    // Height 0 as well: its instance was fresh, so there was nothing to find.
    assert_eq!((audits(&process, "equal"), audits(&process, "different")), (1, 1));
    assert_eq!(process.shared.store.stats().entries, 10);
    process.shared.control.request_refresh("go on".into());
    let status = process.wait("the next audit", |s| s.halt.as_ref().is_some_and(|h| h.height == 20));
    assert_eq!(
        status.height,
        Some(19),
        "the refresh made the block right, and the next audit found the next one"
    );
    assert_eq!(process.stop().0, PipelineEnd::Stopped);
}

#[test]
fn a_guest_that_remembers_nothing_passes_every_audit() {
    let process = audited(LEAKY, RefreshPolicy::OnThreshold, 3);
    let status = process.wait_for_tip(1, 30);
    assert_eq!((audits(&process, "equal"), audits(&process, "different")), (11, 0));
    assert_eq!(
        status.memory.refreshes.threshold, 1,
        "the kept instance is not touched by an audit"
    );
    assert_eq!(process.stop().1, fresh(LEAKY, MemorySource::up_to(1, 30), (1, 30)));
}

#[test]
fn nothing_is_audited_with_a_fresh_instance_for_every_block_or_when_it_is_switched_off() {
    for (policy, every) in [(RefreshPolicy::EveryBlock, 10), (RefreshPolicy::OnThreshold, 0)] {
        let process = audited(COUNTS_BLOCKS, policy, every);
        process.wait_for_tip(1, 30);
        assert_eq!((audits(&process, "equal"), audits(&process, "different")), (0, 0));
        process.stop();
    }
}

#[test]
fn an_audit_that_this_machine_has_no_room_for_holds_up_nothing() {
    let process = Process::start(LEAKY, MemorySource::up_to(1, 9), |c| {
        c.refresh = RefreshPolicy::OnThreshold;
        c.audit_every = 10;
        c.views.memory_limit_bytes = 16 << 20;
    });
    process.wait_for_tip(1, 9);
    // The kept instance has the one room that is left.
    while_taken(&process, SLOTS - 1, || {
        process.source.replace(10, 1, 12);
        assert!(process.wait_for_tip(1, 12).trouble.is_none());
    });
    assert_eq!((audits(&process, "equal"), audits(&process, "failed")), (1, 1));
    process.stop();
}
