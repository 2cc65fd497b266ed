//! Requests to the pipeline from outside: to stop, and to refresh the guest's instance.

pub mod snapshot_requests;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::guest::CancelFlag;

/// Shared by everything that runs. Cheap to check; holds at most one refresh request.
#[derive(Default)]
pub struct Control {
    stop_token: CancellationToken,
    stop_flag: CancelFlag,
    refresh: Notify,
    requests: Mutex<Requests>,
}

#[derive(Default)]
struct Requests {
    waiting: Option<String>,
    latest: Option<String>,
}

impl Control {
    /// Ends everything: whatever waits, through the token; whatever computes, through the flag.
    pub fn stop(&self) {
        // In this order, so that a guest stopped by the flag is not mistaken for a failed one: the token is cancelled by then.
        self.stop_token.cancel();
        self.stop_flag.cancel();
    }

    /// Cancelled once the process is to end.
    #[must_use]
    pub fn stop_token(&self) -> &CancellationToken {
        &self.stop_token
    }

    /// The same for a running guest, which checks it while it runs.
    #[must_use]
    pub fn stop_flag(&self) -> &CancelFlag {
        &self.stop_flag
    }

    /// Requests a fresh instance before the next block; a pending request is replaced by this one.
    ///
    /// Returns false, and does nothing, if the latest request had this id: a caller that repeats a request until the id
    /// appears in the status causes one refresh.
    pub fn request_refresh(&self, id: String) -> bool {
        let mut requests = self.lock();
        if requests.latest.as_ref() == Some(&id) {
            return false;
        }
        requests.latest = Some(id.clone());
        requests.waiting = Some(id);
        drop(requests);
        self.refresh.notify_one();
        true
    }

    /// Waits until a request is pending for [`Self::take_refresh`].
    pub async fn refresh_requested(&self) {
        // A notification may be left over from a request that was taken without waiting for it.
        while self.lock().waiting.is_none() {
            self.refresh.notified().await;
        }
    }

    /// The pending request, if there is one. It is pending no longer.
    pub fn take_refresh(&self) -> Option<String> {
        self.lock().waiting.take()
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        // Two plain values; a panic between lock and unlock leaves nothing half done.
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stopping_reaches_what_waits_and_what_computes() {
        let control = Control::default();
        assert!(!control.stop_token().is_cancelled() && !control.stop_flag().is_cancelled());
        control.stop();
        assert!(control.stop_token().is_cancelled() && control.stop_flag().is_cancelled());
    }

    #[test]
    fn a_request_is_taken_once_and_its_repetition_is_ignored() {
        let control = Control::default();
        assert_eq!(control.take_refresh(), None);
        assert!(control.request_refresh("a".into()));
        assert!(!control.request_refresh("a".into()));
        assert_eq!(control.take_refresh(), Some("a".into()));
        assert!(!control.request_refresh("a".into()));
        assert_eq!(control.take_refresh(), None);
    }

    #[test]
    fn the_newest_of_several_requests_is_pending() {
        let control = Control::default();
        assert!(control.request_refresh("a".into()));
        assert!(control.request_refresh("b".into()));
        assert_eq!(control.take_refresh(), Some("b".into()));
        assert!(control.request_refresh("a".into()));
    }

    #[tokio::test]
    async fn a_request_wakes_the_one_that_waits_for_it() {
        let control = Control::default();
        control.request_refresh("a".into());
        control.refresh_requested().await;
        assert_eq!(control.take_refresh(), Some("a".into()));
    }
}
