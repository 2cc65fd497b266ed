//! (pure) What is as it should be, and what is not.

use crds::{
    Phase,
    conditions::{reasons, types},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::style::Tone;

/// Free room below this share of a disk, in percent, deserves a look: the operator's own bound for `VolumeLow`.
const FREE_PERCENT_LOW: u64 = 10;
/// A disk that is full within so many days deserves one too.
const DAYS_LOW: u32 = 3;

/// Types of conditions that say by `True` that something is under way or wrong.
const UNDESIRED: [&str; 6] = [
    types::MEMORY_PRESSURE,
    types::MEMORY_UNDERSIZED,
    types::ROLLOUT_IN_PROGRESS,
    types::RECONCILING,
    types::STALLED,
    types::SUSPENDED,
];

/// Types that say that something passes by itself, or is as declared.
const PASSING: [&str; 3] = [types::ROLLOUT_IN_PROGRESS, types::RECONCILING, types::SUSPENDED];

/// Reasons for which a rollout is not in progress although another identity is declared.
const FAILED_ROLLOUTS: [&str; 3] = [
    reasons::CANDIDATE_FAILED,
    reasons::IN_PLACE_REFUSED,
    reasons::SEED_REFUSED,
];

/// Whether a condition says that all is as it should be. A type of a newer operator is taken to be desired.
#[must_use]
pub fn is_desired(condition: &Condition) -> bool {
    let undesired = UNDESIRED.contains(&condition.type_.as_str());
    let is_failed_rollout =
        condition.type_ == types::ROLLOUT_IN_PROGRESS && FAILED_ROLLOUTS.contains(&condition.reason.as_str());
    let desired = if undesired { "False" } else { "True" };
    condition.status == desired && !is_failed_rollout
}

/// How a condition is shown.
#[must_use]
pub fn tone(condition: &Condition) -> Tone {
    match condition.status.as_str() {
        _ if is_desired(condition) => Tone::Good,
        "Unknown" => Tone::Faint,
        _ if PASSING.contains(&condition.type_.as_str()) => Tone::Warning,
        _ => Tone::Bad,
    }
}

/// How a pod's phase is shown.
#[must_use]
pub fn phase(phase: Phase) -> Tone {
    match phase {
        Phase::Following | Phase::AtStopHeight => Tone::Good,
        Phase::Starting | Phase::Syncing | Phase::Stopping => Tone::Warning,
        Phase::Unknown | Phase::ModuleInvalid | Phase::WaitingForSource | Phase::Halted => Tone::Bad,
    }
}

/// How the room of a disk is shown; none: as everything else.
#[must_use]
pub fn room(free_bytes: u64, whole_bytes: u64, days_left: Option<u32>) -> Option<Tone> {
    let is_low = u128::from(free_bytes) * 100 < u128::from(whole_bytes) * u128::from(FREE_PERCENT_LOW);
    (is_low || days_left.is_some_and(|days| days < DAYS_LOW)).then_some(Tone::Bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn an_index_that_follows_is_as_it_should_be() {
        let status = fixtures::following().status.unwrap();
        assert_eq!(status.conditions.len(), types::ALL.len());
        assert!(status.conditions.iter().all(is_desired));
    }

    #[test]
    fn a_rollout_that_failed_is_not_as_it_should_be() {
        let status = fixtures::following().status.unwrap();
        let mut rollout = status
            .conditions
            .into_iter()
            .find(|it| it.type_ == types::ROLLOUT_IN_PROGRESS)
            .unwrap();
        rollout.reason = reasons::CANDIDATE_FAILED.into();
        assert_eq!((is_desired(&rollout), tone(&rollout)), (false, Tone::Warning));
    }

    #[test]
    fn little_room_or_little_time_shows() {
        assert_eq!(room(10, 100, None), None);
        assert_eq!(room(9, 100, None), Some(Tone::Bad));
        assert_eq!(room(50, 100, Some(2)), Some(Tone::Bad));
    }
}
