//! Requests for a snapshot: from the ops port to whoever publishes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::chain::BlockRef;

/// Shared by the ops port and whoever publishes. Holds at most one request.
#[derive(Default)]
pub struct SnapshotRequests {
    came: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    latest: Option<String>,
    waiting: Option<Asked>,
    done: Option<String>,
}

/// A request that has not been carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its id.
    pub id: String,
    /// The newest block of the index when it came; none if that was not known yet.
    pub at: Option<BlockRef>,
}

impl Asked {
    /// Whether a snapshot of this block is what was asked for. `before` is the request that waited when links to the files
    /// were made: whatever waited then is answered, also where blocks were undone since it came.
    #[must_use]
    pub fn is_met(&self, before: Option<&Self>, published: BlockRef) -> bool {
        Some(self) == before
            || self
                .at
                .is_some_and(|at| at == published || at.height < published.height)
    }
}

impl SnapshotRequests {
    /// Requests a snapshot of the index, whose newest block is this one; a request that waits is replaced by it.
    ///
    /// Returns false, and does nothing, if the latest request had this id: a caller that repeats a request until the id
    /// appears in the status causes one snapshot.
    pub fn request(&self, id: String, at: Option<BlockRef>) -> bool {
        let mut state = self.lock();
        if state.latest.as_ref() == Some(&id) {
            return false;
        }
        state.latest = Some(id.clone());
        state.waiting = Some(Asked { id, at });
        drop(state);
        self.came.notify_one();
        true
    }

    /// Waits for the next request. One that came since the last call counts.
    pub async fn came(&self) {
        self.came.notified().await;
    }

    /// The request that waits, if there is one.
    pub fn waiting(&self) -> Option<Asked> {
        self.lock().waiting.clone()
    }

    /// A request is carried out. One that came meanwhile still waits.
    pub fn carried_out(&self, asked: Asked) {
        let mut state = self.lock();
        if state.waiting.as_ref() == Some(&asked) {
            state.waiting = None;
            state.done = Some(asked.id);
        }
    }

    /// The id of the last request that was carried out.
    pub fn done(&self) -> Option<String> {
        self.lock().done.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain values; a panic between lock and unlock leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::{BlockHash, hashes::Hash as _};

    use super::*;
    use crate::chain::Height;

    fn block(height: u32, branch: u8) -> BlockRef {
        BlockRef {
            height: Height(height),
            hash: BlockHash::from_byte_array([branch; 32]),
        }
    }

    fn asked(id: &str, at: Option<BlockRef>) -> Asked {
        Asked { id: id.into(), at }
    }

    #[test]
    fn a_request_waits_until_it_is_carried_out_and_its_repetition_is_ignored() {
        let requests = SnapshotRequests::default();
        assert_eq!((requests.waiting(), requests.done()), (None, None));
        assert!(requests.request("a".into(), None));
        assert!(!requests.request("a".into(), Some(block(7, 0))));
        let waiting = requests.waiting().unwrap();
        assert_eq!(waiting, asked("a", None));
        requests.carried_out(waiting);
        assert_eq!((requests.waiting(), requests.done().as_deref()), (None, Some("a")));
        assert!(!requests.request("a".into(), None));
        assert_eq!(requests.waiting(), None);
    }

    #[test]
    fn the_newest_of_several_requests_waits_and_is_not_done_with_the_one_before() {
        let requests = SnapshotRequests::default();
        requests.request("a".into(), None);
        let first = requests.waiting().unwrap();
        assert!(requests.request("b".into(), Some(block(7, 0))));
        requests.carried_out(first);
        assert_eq!(requests.waiting(), Some(asked("b", Some(block(7, 0)))));
        assert_eq!(requests.done(), None);
    }

    #[test]
    fn a_snapshot_meets_what_waited_for_it_and_what_came_before_a_later_block() {
        let at = |height| asked("a", Some(block(height, 0)));
        let cases = [
            // Asked before the links were made: whatever became of the block since.
            (at(9), Some(at(9)), block(7, 0), true),
            (asked("a", None), Some(asked("a", None)), block(7, 0), true),
            // Asked while files were uploaded.
            (at(7), None, block(7, 0), true),
            (at(6), None, block(7, 0), true),
            (at(8), None, block(7, 0), false),
            (at(7), None, block(7, 1), false),
            (asked("a", None), None, block(7, 0), false),
            (at(8), Some(asked("b", None)), block(7, 0), false),
        ];
        for (asked, before, published, expected) in cases {
            assert_eq!(
                asked.is_met(before.as_ref(), published),
                expected,
                "{asked:?} {before:?} {published:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_request_wakes_the_one_that_waits_for_it() {
        let requests = SnapshotRequests::default();
        requests.request("a".into(), None);
        requests.came().await;
        assert!(requests.waiting().is_some());
    }
}
