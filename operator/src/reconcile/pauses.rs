//! How long passes wait after one that did not get done.

use std::time::Duration;

use super::{raising, staleness::LOOK_AGAIN};

/// See the module. Tests that let many calls fail set shorter ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// First and longest one after a failed pass; it doubles in between.
    pub failed: (Duration, Duration),
    /// After one whose ground had changed meanwhile.
    pub stale: Duration,
    /// Before a claim that could not be raised is tried again.
    pub raise: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            failed: (Duration::from_secs(1), Duration::from_secs(60)),
            stale: LOOK_AGAIN,
            raise: raising::AGAIN,
        }
    }
}
