//! When a fresh instance is due before a block, and why.

use crds::{RefreshPolicy, RefreshReason};

/// Why the next block needs a fresh instance, or none if the kept one will do.
///
/// `guest_bytes` is the linear memory of the kept instance after its last block; none: there is no instance. `pending`
/// is what happened since: a failure, an unwind, a request. The first instance of a process is no refresh.
#[must_use]
pub fn decide(
    policy: RefreshPolicy,
    threshold_bytes: u64,
    guest_bytes: Option<u64>,
    pending: Option<RefreshReason>,
) -> Option<RefreshReason> {
    if pending.is_some() {
        return pending;
    }
    let guest_bytes = guest_bytes?;
    if guest_bytes >= threshold_bytes {
        return Some(RefreshReason::Threshold);
    }
    match policy {
        RefreshPolicy::EveryBlock => Some(RefreshReason::Block),
        RefreshPolicy::OnThreshold => None,
    }
}

/// The one reason to name when two are due: failure before unwind, request, threshold, block.
#[must_use]
pub fn weightier(one: Option<RefreshReason>, other: RefreshReason) -> RefreshReason {
    match one {
        Some(one) if weight(one) >= weight(other) => one,
        _ => other,
    }
}

fn weight(reason: RefreshReason) -> u8 {
    match reason {
        RefreshReason::Failure => 4,
        RefreshReason::Unwind => 3,
        RefreshReason::Manual => 2,
        RefreshReason::Threshold => 1,
        RefreshReason::Block => 0,
    }
}

#[cfg(test)]
mod tests {
    use RefreshPolicy::{EveryBlock, OnThreshold};
    use RefreshReason::{Block, Failure, Manual, Threshold, Unwind};

    use super::*;

    #[test]
    fn every_case_has_its_reason() {
        let cases = [
            ("first instance, every block", EveryBlock, None, None, None),
            ("first instance, on threshold", OnThreshold, None, None, None),
            ("below, every block", EveryBlock, Some(99), None, Some(Block)),
            ("below, on threshold", OnThreshold, Some(99), None, None),
            ("reached, every block", EveryBlock, Some(100), None, Some(Threshold)),
            ("reached, on threshold", OnThreshold, Some(100), None, Some(Threshold)),
            ("above, on threshold", OnThreshold, Some(101), None, Some(Threshold)),
            ("failed, instance gone", OnThreshold, None, Some(Failure), Some(Failure)),
            ("failed, every block", EveryBlock, None, Some(Failure), Some(Failure)),
            ("unwound, every block", EveryBlock, Some(1), Some(Unwind), Some(Unwind)),
            (
                "unwound, on threshold",
                OnThreshold,
                Some(1),
                Some(Unwind),
                Some(Unwind),
            ),
            ("asked, on threshold", OnThreshold, Some(1), Some(Manual), Some(Manual)),
            (
                "asked before the first block",
                OnThreshold,
                None,
                Some(Manual),
                Some(Manual),
            ),
            ("asked and reached", OnThreshold, Some(100), Some(Manual), Some(Manual)),
        ];
        for (name, policy, guest_bytes, pending, expected) in cases {
            assert_eq!(decide(policy, 100, guest_bytes, pending), expected, "{name}");
        }
    }

    #[test]
    fn the_weightier_reason_is_named() {
        let ascending = [Block, Threshold, Manual, Unwind, Failure];
        for (i, one) in ascending.into_iter().enumerate() {
            assert_eq!(weightier(None, one), one);
            for (j, other) in ascending.into_iter().enumerate() {
                assert_eq!(weightier(Some(one), other), ascending[i.max(j)]);
            }
        }
    }
}
