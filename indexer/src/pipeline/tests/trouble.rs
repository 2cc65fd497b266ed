use std::sync::Barrier;

use bytes::Bytes;

use super::*;
use crate::{
    guest::{CancelFlag, ViewLimits},
    state::State,
};

/// Guests that a process can have at once that runs one view at a time: see `guest::engine`.
pub(super) const SLOTS: usize = 5;

/// An index that lets a view wait: first until all of them run, then until they may end.
struct Waits {
    running: Arc<Barrier>,
    done: Arc<Barrier>,
}

impl State for Waits {
    fn get(&mut self, _key: &[u8]) -> Result<Option<Bytes>, Fault> {
        self.running.wait();
        self.done.wait();
        Ok(None)
    }
}

/// Lets the views end, also when a test fails in between.
struct WaitOnDrop<'a>(&'a Barrier);

impl Drop for WaitOnDrop<'_> {
    fn drop(&mut self) {
        self.0.wait();
    }
}

/// Does something while so many guests are taken by views.
pub(super) fn while_taken(process: &Process, guests: usize, act: impl FnOnce()) {
    let (running, done) = (Arc::new(Barrier::new(guests + 1)), Arc::new(Barrier::new(guests + 1)));
    let view = || {
        let limits = ViewLimits {
            deadline: Instant::now() + PATIENCE,
            max_response_bytes: 1,
        };
        let (running, done) = (running.clone(), done.clone());
        let state = Box::new(Waits { running, done });
        process
            .module
            .view("get", Height(0), Bytes::new(), state, limits, &CancelFlag::new())
    };
    let views: Vec<_> = std::thread::scope(|scope| {
        let views: Vec<_> = (0..guests).map(|_| scope.spawn(view)).collect();
        running.wait();
        let end = WaitOnDrop(&done);
        act();
        drop(end);
        views.into_iter().map(|view| view.join().unwrap()).collect()
    });
    assert!(views.iter().all(Result::is_ok), "{views:?}");
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
        // Time for it to be tried again.
        std::thread::sleep(PAUSES.0 * 3);
        let again = process.shared.report.status().trouble.unwrap();
        assert_eq!(again.since, first.since);
    });
    let status = process.wait_for_tip(1, 12);
    assert!(status.trouble.is_none());
    assert_eq!(process.stop().0, Finished::Stopped);
}
