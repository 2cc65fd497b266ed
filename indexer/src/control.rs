//! What reaches the pipeline from outside: the wish that it stops, and the wish for a fresh instance.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::guest::CancelFlag;

/// Handed to everything that runs. Cheap to ask; holds at most one refresh request.
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
    /// Asks everything to end: what waits by the token, what computes by the flag.
    pub fn stop(&self) {
        // In this order: a guest that is stopped finds the token cancelled, and is not taken for a failed one.
        self.stop_token.cancel();
        self.stop_flag.cancel();
    }

    /// Cancelled once the process is to end.
    #[must_use]
    pub fn stop_token(&self) -> &CancellationToken {
        &self.stop_token
    }

    /// The same for a guest at work, which looks at it while it runs.
    #[must_use]
    pub fn stop_flag(&self) -> &CancelFlag {
        &self.stop_flag
    }

    /// Asks for a fresh instance before the next block; a request that still waits is replaced by this one.
    ///
    /// Gives false, and does nothing, if this id was the latest one asked for: whoever asks until the id shows in the
    /// status asks for one refresh.
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

    /// Waits until a request waits in [`Self::take_refresh`].
    pub async fn refresh_requested(&self) {
        // A notification may be left over from a request that was taken without waiting for it.
        while self.lock().waiting.is_none() {
            self.refresh.notified().await;
        }
    }

    /// The request that waits, if one does. It is the caller's from here on.
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
    fn stopping_is_told_to_what_waits_and_to_what_computes() {
        let control = Control::default();
        assert!(!control.stop_token().is_cancelled() && !control.stop_flag().is_cancelled());
        control.stop();
        assert!(control.stop_token().is_cancelled() && control.stop_flag().is_cancelled());
    }

    #[test]
    fn a_request_is_taken_once_and_its_repetition_is_no_new_request() {
        let control = Control::default();
        assert_eq!(control.take_refresh(), None);
        assert!(control.request_refresh("a".into()));
        assert!(!control.request_refresh("a".into()));
        assert_eq!(control.take_refresh(), Some("a".into()));
        assert!(!control.request_refresh("a".into()));
        assert_eq!(control.take_refresh(), None);
    }

    #[test]
    fn the_newest_of_several_requests_waits() {
        let control = Control::default();
        assert!(control.request_refresh("a".into()));
        assert!(control.request_refresh("b".into()));
        assert_eq!(control.take_refresh(), Some("b".into()));
        assert!(control.request_refresh("a".into()));
    }

    #[tokio::test]
    async fn whoever_waits_for_a_request_is_woken() {
        let control = Control::default();
        control.request_refresh("a".into());
        control.refresh_requested().await;
        assert_eq!(control.take_refresh(), Some("a".into()));
    }
}
