use super::*;

/// Guests for blocks that a process can have at once: see `guest::engine`.
pub(super) const SLOTS: usize = 3 + crate::guest::SCOUTS_MAX as usize;

/// Does something while so many guests are taken by others.
pub(super) fn while_taken(process: &Process, guests: usize, act: impl FnOnce()) {
    let taken: Vec<_> = (0..guests)
        .map(|_| {
            let mut guest = Indexing::new(process.module.clone());
            guest.refresh().unwrap();
            guest
        })
        .collect();
    act();
    drop(taken);
}

#[test]
fn a_machine_without_room_for_the_guest_is_shown_until_the_next_block() {
    let process = Process::start(LEAKY, MemorySource::up_to(1, 10), |c| {
        c.views.memory_limit_bytes = 16 << 20;
    });
    assert!(process.wait_for_tip(1, 10).trouble.is_none());
    while_taken(&process, SLOTS, || {
        process.source.replace(11, 1, 12);
        let status = process.wait("trouble", |s| s.trouble.is_some());
        let first = status.trouble.unwrap();
        assert_eq!(first.class, FaultClass::Host);
        assert!(
            first.message.starts_with("no room for another guest"),
            "{}",
            first.message
        );
        assert_eq!((status.height, status.halt), (Some(10), None));
        let failures = || process.metric("refresh_failures_total").unwrap();
        let before = failures();
        let again = process.wait("two more attempts", |_| failures() >= before + 2);
        assert_eq!(again.trouble.unwrap().since, first.since);
    });
    let status = process.wait_for_tip(1, 12);
    assert!(status.trouble.is_none());
    assert_eq!(process.stop().0, PipelineEnd::Stopped);
}
