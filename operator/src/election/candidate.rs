//! (pure) When a candidate may take a Lease. Only intervals on its own clock count: what a holder wrote is on another
//! machine's, which may be wrong by any amount.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

use super::{
    record::{Holder, Mark, holder, mark, patience},
    times::LEASE,
};

/// What a candidate has seen so far.
#[derive(Debug, Default)]
pub(super) struct Candidate {
    last: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    /// None: there was no Lease.
    mark: Option<Mark>,
    /// When it was seen first.
    since: Instant,
    /// How long its holder has to renew it from then on.
    patience: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Take,
    Wait,
}

impl Candidate {
    /// What to do about what was found at this moment. A Lease that was released is taken at once. One that is not there may
    /// have been deleted under a holder, who recreates it: that is waited for as a renewal is.
    pub(super) fn see(&mut self, found: Option<&Lease>, identity: &str, now: Instant) -> Verdict {
        match found.map(holder) {
            Some(Holder::Nobody) => return Verdict::Take,
            // Taken by a call whose answer was lost.
            Some(Holder::Somebody(name)) if name == identity => return Verdict::Take,
            Some(Holder::Somebody(_)) | None => {}
        }
        let mark = found.map(mark);
        let last = self.last.take().filter(|seen| seen.mark == mark);
        let seen = self.last.insert(last.unwrap_or_else(|| Seen {
            mark,
            since: now,
            patience: found.map_or(LEASE, patience),
        }));
        if now.saturating_duration_since(seen.since) >= seen.patience {
            Verdict::Take
        } else {
            Verdict::Wait
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::{
        super::{
            record::{next, released, taken},
            times::{LOOK_EVERY, REIGN, RENEW_EVERY},
        },
        *,
    };

    /// A Lease held by `a`, whose clock says that many seconds.
    fn held(by_its_clock: i64) -> Lease {
        taken(None, "lease", "a", Timestamp::from_second(by_its_clock).unwrap())
    }

    fn renewed(lease: &Lease, by_its_clock: i64) -> Lease {
        next(lease, Timestamp::from_second(by_its_clock).unwrap())
    }

    #[test]
    fn what_is_free_is_taken_at_once() {
        let now = Instant::now();
        let cases = [
            ("nothing is in it", Lease::default()),
            ("it was released", released(&held(5))),
            ("the answer of our own call was lost", {
                taken(None, "lease", "b", Timestamp::from_second(5).unwrap())
            }),
        ];
        for (what, found) in cases {
            let verdict = Candidate::default().see(Some(&found), "b", now);
            assert_eq!(verdict, Verdict::Take, "{what}");
        }
    }

    /// Whatever the holder's clock says, it is waited for from the moment at which its last renewal was seen.
    #[test]
    fn a_holder_is_waited_for_by_the_clock_of_who_waits() {
        for clock in [0, 1_000_000_000, 1_800_000_000, 9_000_000_000] {
            for step in [-60, 0, 1, 60] {
                let (start, mut candidate) = (Instant::now(), Candidate::default());
                let mut see =
                    |lease: &Lease, second: u64| candidate.see(Some(lease), "b", start + Duration::from_secs(second));
                let first = held(clock);
                assert_eq!(see(&first, 0), Verdict::Wait);
                assert_eq!(see(&first, LEASE.as_secs() - 1), Verdict::Wait);
                let second = renewed(&first, clock + step);
                assert_eq!(see(&second, LEASE.as_secs()), Verdict::Wait, "renewed: {clock} {step}");
                assert_eq!(see(&second, 2 * LEASE.as_secs() - 1), Verdict::Wait);
                assert_eq!(see(&second, 2 * LEASE.as_secs()), Verdict::Take, "{clock} {step}");
            }
        }
    }

    /// Also by a candidate that never saw it: its holder may write for a while yet, and recreates it meanwhile.
    #[test]
    fn a_lease_that_is_deleted_is_still_its_holders() {
        let start = Instant::now();
        for has_seen_it in [false, true] {
            let mut candidate = Candidate::default();
            if has_seen_it {
                assert_eq!(candidate.see(Some(&held(5)), "b", start), Verdict::Wait);
            }
            let deleted = start + Duration::from_secs(11);
            assert_eq!(candidate.see(None, "b", deleted), Verdict::Wait);
            assert_eq!(candidate.see(None, "b", deleted + REIGN), Verdict::Wait);
            assert_eq!(
                candidate.see(None, "b", deleted + LEASE),
                Verdict::Take,
                "there is no holder"
            );
            assert_eq!(
                candidate.see(Some(&held(5)), "b", deleted + LEASE),
                Verdict::Wait,
                "it is back"
            );
        }
    }

    #[test]
    fn another_holder_gets_its_own_time() {
        let (start, mut candidate) = (Instant::now(), Candidate::default());
        let of_a = held(5);
        assert_eq!(candidate.see(Some(&of_a), "c", start), Verdict::Wait);
        let of_b = taken(Some(&of_a), "lease", "b", Timestamp::from_second(5).unwrap());
        assert_eq!(candidate.see(Some(&of_b), "c", start + LEASE), Verdict::Wait);
        assert_eq!(candidate.see(Some(&of_b), "c", start + LEASE * 2), Verdict::Take);
    }

    /// For renewals sent and seen at every offset: the last write of the old holder ends before the first of the new one,
    /// and clients of the operator wait less than 20 s.
    #[test]
    fn reigns_do_not_overlap_and_gaps_are_short() {
        for part in 0..=100 {
            let sent = Instant::now();
            let seen = sent + LOOK_EVERY * part / 100;
            let mut candidate = Candidate::default();
            let last = held(5);
            let mut now = seen;
            while candidate.see(Some(&last), "b", now) == Verdict::Wait {
                now += LOOK_EVERY;
            }
            assert!(now >= sent + REIGN + Duration::from_secs(4), "{part} %");
            assert!(now <= sent + Duration::from_secs(15), "{part} %");
        }
        assert!(RENEW_EVERY * 3 < REIGN, "two renewals may fail");
    }
}
