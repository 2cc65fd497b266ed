//! (pure) What a Lease says, and what is written into one.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::{SignedDuration, Timestamp},
};

use super::times::{LEASE, LONGEST};

/// Who has a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Nobody,
    Somebody(String),
}

/// What of a Lease changes with each renewal. It is compared with itself only: its times are another machine's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    holder: Holder,
    renewed: Option<Timestamp>,
    transitions: Option<i32>,
}

pub(super) fn holder(lease: &Lease) -> Holder {
    let name = lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone());
    name.filter(|name| !name.is_empty())
        .map_or(Holder::Nobody, Holder::Somebody)
}

pub(super) fn mark(lease: &Lease) -> Mark {
    let spec = lease.spec.as_ref();
    Mark {
        holder: holder(lease),
        renewed: spec.and_then(|spec| Some(spec.renew_time.as_ref()?.0)),
        transitions: spec.and_then(|spec| spec.lease_transitions),
    }
}

/// How long a holder that does not renew is waited for: as long as it said, but never less than our own holders need to
/// notice.
pub(super) fn patience(lease: &Lease) -> Duration {
    let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
    let said = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    said.map_or(LEASE, Duration::from_secs).clamp(LEASE, LONGEST)
}

/// What is found, taken. Nothing found: one that is to be created.
pub(super) fn taken(found: Option<&Lease>, name: &str, identity: &str, now: Timestamp) -> Lease {
    let before = found.and_then(|lease| lease.spec.as_ref());
    let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or(0);
    let metadata = found.map_or_else(
        || ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        |lease| lease.metadata.clone(),
    );
    Lease {
        metadata,
        spec: Some(LeaseSpec {
            acquire_time: Some(MicroTime(now)),
            holder_identity: Some(identity.to_owned()),
            lease_duration_seconds: i32::try_from(LEASE.as_secs()).ok(),
            lease_transitions: Some(transitions.saturating_add(1)),
            renew_time: Some(MicroTime(later(before, now))),
            ..LeaseSpec::default()
        }),
    }
}

/// What is held, renewed.
pub(super) fn next(held: &Lease, now: Timestamp) -> Lease {
    let mut lease = held.clone();
    let spec = lease.spec.get_or_insert_default();
    spec.renew_time = Some(MicroTime(later(held.spec.as_ref(), now)));
    lease
}

/// What is held, released.
pub(super) fn released(held: &Lease) -> Lease {
    let mut lease = held.clone();
    lease.spec.get_or_insert_default().holder_identity = None;
    lease
}

/// Now, or right after what was written before: a clock that was set back must not write the same time again, which would
/// show nobody that the Lease was renewed.
fn later(before: Option<&LeaseSpec>, now: Timestamp) -> Timestamp {
    let before = before.and_then(|spec| spec.renew_time.as_ref());
    let after = before.and_then(|time| time.0.checked_add(SignedDuration::from_micros(1)).ok());
    after.map_or(now, |after| now.max(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn every_renewal_shows_whatever_the_clock_does() {
        let mut held = taken(None, "lease", "a", at(1_000));
        for second in [1_000, 1_002, 400, 400, 1_001, 2_000] {
            let renewed = next(&held, at(second));
            assert_ne!(mark(&renewed), mark(&held), "at {second}");
            held = renewed;
        }
        let spec = held.spec.unwrap();
        assert_eq!(
            spec.renew_time.unwrap().0,
            at(2_000),
            "the clock's own time once it is ahead"
        );
        assert_eq!(spec.acquire_time.unwrap().0, at(1_000));
    }

    #[test]
    fn a_lease_that_is_taken_keeps_what_others_wrote_and_says_who() {
        let mut found = taken(None, "lease", "a", at(1));
        found.metadata.resource_version = Some("7".into());
        found.metadata.labels = Some([("theirs".to_owned(), "stays".to_owned())].into());
        let taken = taken(Some(&found), "lease", "b", at(2));
        assert_eq!(taken.metadata, found.metadata);
        assert_eq!(holder(&taken), Holder::Somebody("b".into()));
        assert_eq!(taken.spec.as_ref().unwrap().lease_transitions, Some(2));
        assert_eq!(holder(&released(&taken)), Holder::Nobody);
    }

    #[test]
    fn nobody_is_waited_for_less_than_it_takes_to_notice_or_for_ever() {
        let mut lease = Lease::default();
        assert_eq!(patience(&lease), LEASE);
        let cases = [
            (-5, LEASE),
            (0, LEASE),
            (1, LEASE),
            (30, Duration::from_secs(30)),
            (i32::MAX, LONGEST),
        ];
        for (seconds, expected) in cases {
            lease.spec.get_or_insert_default().lease_duration_seconds = Some(seconds);
            assert_eq!(patience(&lease), expected, "{seconds}");
        }
    }
}
