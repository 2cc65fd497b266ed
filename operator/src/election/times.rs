//! How long what takes in an election.

use std::time::Duration;

/// A Lease that was not renewed for this long may be taken.
pub const LEASE: Duration = Duration::from_secs(12);
/// So long a holder may write after it sent a renewal that succeeded. What it has sent by then has the rest of [`LEASE`]
/// to arrive.
pub const REIGN: Duration = Duration::from_secs(8);
/// Interval of renewals: two may fail within [`REIGN`].
pub(super) const RENEW_EVERY: Duration = Duration::from_secs(2);
/// Interval of looks of those who wait: a Lease that was released is taken within this time.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The longest wait for one answer. No webhook has a say in Leases as a rule, so an answer takes milliseconds.
pub(super) const CALL_MAX: Duration = Duration::from_secs(3);
/// Pause after a renewal that failed.
pub(super) const RENEW_AGAIN: Duration = Duration::from_millis(500);
/// The longest time for which somebody else's Lease is respected: what is written there is no reason to wait without limit.
pub(super) const LONGEST: Duration = Duration::from_secs(60);
