//! (pure) How long ago something was.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use crate::units;

/// The time from a moment to now, as kubectl writes ages; `0s` if it is to come.
#[must_use]
pub fn age(moment: &Time, now: Timestamp) -> String {
    units::span(between(moment.0, now))
}

/// The time from now to a moment; `0s` if it is past.
#[must_use]
pub fn until(moment: &Time, now: Timestamp) -> String {
    units::span(between(now, moment.0))
}

/// Seconds from one moment to a later one.
fn between(earlier: Timestamp, later: Timestamp) -> u64 {
    u64::try_from(later.as_second().saturating_sub(earlier.as_second())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_past_or_to_come() {
        let now = Timestamp::from_second(1_000).unwrap();
        let moment = |second| Time(Timestamp::from_second(second).unwrap());
        assert_eq!(
            (age(&moment(950), now), until(&moment(950), now)),
            ("50s".into(), "0s".into())
        );
        assert_eq!(
            (age(&moment(1_010), now), until(&moment(1_010), now)),
            ("0s".into(), "10s".into())
        );
    }
}
