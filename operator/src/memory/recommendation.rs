//! What a container should have, from what was seen.
//!
//! A peak says at once that more is needed; that less is enough, only time says. So figures rise as soon as they must, in
//! steps, and fall by a quarter or more, after a day.

use crds::{ByteSize, MemoryRecommendation, memory_budget, pod::Views};

use super::{headroom::with_headroom, seen::Seen};
use crate::resources::quantity_text;

/// Fewer blocks say too little, unless they say that a container has too little already.
const BLOCKS_MIN: u64 = 100;
/// Figures fall by one part in so many or stay.
const LOWER_PART: u64 = 4;
/// The smallest step between figures: that in which resident memory is published.
const STEP_MIN_BYTES: u64 = 64 << 20;
/// Larger figures have steps of one part in so many of the power of two below them, 6 to 12 percent.
const STEP_PART: u64 = 8;
const MIB: u64 = 1 << 20;

/// What is declared and what there is, whatever was seen.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<'a> {
    /// The size that the guest may grow to before it is refreshed; none where each block has a fresh one.
    pub threshold_bytes: Option<u64>,
    /// The most that a guest may have, in bytes.
    pub guest_limit_bytes: u64,
    /// Bounds on queries.
    pub views: &'a Views,
    /// Memory of the store, if it is declared, in bytes.
    pub cache_bytes: Option<u64>,
    /// The least that a container has as its limit now, in bytes; none: no container has one.
    pub present_limit: Option<u64>,
}

/// Bytes that a container should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Figures {
    request: u64,
    limit: u64,
}

/// Recommends memory for the containers of a revision: the request a quarter above the process, the limit such that the
/// guest can take a quarter more than it did, and views, store and blocks in flight what they may take, but never less
/// than the request. `last` is what was recommended before, and is returned as it is unless the figures move;
/// `is_long` says that `seen` covers a day, so that less may be recommended. None while too little was seen.
#[must_use]
pub fn recommend(
    last: Option<&MemoryRecommendation>,
    seen: &Seen,
    bounds: &Bounds<'_>,
    is_long: bool,
) -> Option<MemoryRecommendation> {
    if seen.process_bytes == 0 || seen.guest_bytes == 0 {
        return last.cloned();
    }
    let needed = needed(seen, bounds);
    let before = last.and_then(figures);
    let next = match before {
        Some(before) => moved(before, needed, is_long),
        None => {
            let is_short = bounds.present_limit.is_some_and(|present| present < needed.limit);
            if seen.blocks() < BLOCKS_MIN && !is_short {
                return None;
            }
            needed
        }
    };
    if before == Some(next) {
        return last.cloned();
    }
    Some(MemoryRecommendation {
        request: ByteSize(quantity_text(next.request)),
        limit: ByteSize(quantity_text(next.limit)),
        reason: reason(seen, bounds),
    })
}

/// What there must be, in steps.
fn needed(seen: &Seen, bounds: &Bounds<'_>) -> Figures {
    let process = with_headroom(seen.process_bytes);
    let guest = with_headroom(guest(seen, bounds)).min(bounds.guest_limit_bytes);
    let budget = memory_budget(0, guest, bounds.views, store(seen, bounds));
    let request = in_steps(process);
    Figures {
        request,
        limit: in_steps(budget.limit_bytes).max(request),
    }
}

/// What the guest took, or may take before it is refreshed.
fn guest(seen: &Seen, bounds: &Bounds<'_>) -> u64 {
    seen.guest_bytes.max(bounds.threshold_bytes.unwrap_or(0))
}

fn store(seen: &Seen, bounds: &Bounds<'_>) -> Option<u64> {
    bounds.cache_bytes.or(seen.store_bytes)
}

/// Up at once, down after a day and by much. Each of the two figures moves for itself, the request never above the limit.
fn moved(before: Figures, needed: Figures, is_long: bool) -> Figures {
    let figure = |before: u64, needed: u64| {
        let is_much = needed <= before - before / LOWER_PART;
        if needed > before || (is_long && is_much) {
            needed
        } else {
            before
        }
    };
    let limit = figure(before.limit, needed.limit);
    let request = figure(before.request, needed.request);
    Figures {
        request: if request > limit { needed.request } else { request },
        limit,
    }
}

/// The next step; the largest number of whole MiB for what is beyond all steps.
fn in_steps(bytes: u64) -> u64 {
    let power = bytes.checked_ilog2().map_or(0, |log| 1_u64 << log);
    let step = (power / STEP_PART).max(STEP_MIN_BYTES);
    bytes.checked_next_multiple_of(step).unwrap_or(u64::MAX / MIB * MIB)
}

fn figures(recommended: &MemoryRecommendation) -> Option<Figures> {
    Some(Figures {
        request: recommended.request.bytes().ok()?,
        limit: recommended.limit.bytes().ok()?,
    })
}

fn reason(seen: &Seen, bounds: &Bounds<'_>) -> String {
    let mib = |bytes: u64| format!("{}Mi", bytes.div_ceil(MIB));
    let at = seen
        .guest_height
        .map_or(String::new(), |height| format!(" at height {height}"));
    let kept = match bounds.threshold_bytes {
        Some(threshold) if threshold > seen.guest_bytes => {
            format!(
                ", and may grow to memory.threshold, {}, before it is refreshed",
                mib(threshold)
            )
        }
        _ => String::new(),
    };
    let rest = memory_budget(0, 0, bounds.views, store(seen, bounds)).limit_bytes;
    format!(
        "the guest took up to {} in {}{at}{kept}; the process had up to {} in {}. The request is a quarter above the \
         process; the limit is a quarter above the guest and {} for views, store and blocks in flight, or the request if \
         that is more",
        mib(seen.guest_bytes),
        seen.guest_pod,
        mib(seen.process_bytes),
        seen.process_pod,
        mib(rest),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        facts::{ObservedPod, Sample},
        fixtures::{following, observed_pod, valid},
    };

    const GIB: u64 = 1 << 30;

    /// A pod that has indexed up to this height, with this much resident and this much in its guest.
    fn pod(height: u32, resident: u64, guest: u64) -> ObservedPod {
        let mut report = following(height);
        (report.memory.resident_bytes, report.memory.guest_peak_bytes) = (resident, guest);
        ObservedPod {
            sample: Sample::Answer(Box::new(report)),
            ..observed_pod("one-0")
        }
    }

    fn seen(blocks: u32, resident: u64, guest: u64) -> Seen {
        let mut seen = Seen::default();
        seen.add(&pod(100, resident, guest));
        seen.add(&pod(100 + blocks, resident, guest));
        seen
    }

    fn bounds(views: &Views) -> Bounds<'_> {
        Bounds {
            threshold_bytes: None,
            guest_limit_bytes: 4 * GIB,
            views,
            cache_bytes: None,
            present_limit: Some(7 * GIB),
        }
    }

    fn texts(recommended: Option<&MemoryRecommendation>) -> Option<(&str, &str)> {
        recommended.map(|it| (it.request.0.as_str(), it.limit.0.as_str()))
    }

    fn given(request: &str, limit: &str) -> MemoryRecommendation {
        MemoryRecommendation {
            request: ByteSize(request.into()),
            limit: ByteSize(limit.into()),
            reason: "before".into(),
        }
    }

    /// Views take 1100Mi, the store 704Mi, the rest 320Mi.
    #[test]
    fn figures_follow_from_what_was_seen() {
        type Case<'a> = (&'a str, Seen, fn(&mut Bounds<'_>), Option<(&'a str, &'a str)>);
        let cases: [Case<'_>; 9] = [
            ("nothing", Seen::default(), |_| {}, None),
            ("too few blocks", seen(99, 400 * MIB, 60 * MIB), |_| {}, None),
            (
                "a small guest",
                seen(100, 400 * MIB, 60 * MIB),
                |_| {},
                Some(("512Mi", "2304Mi")),
            ),
            (
                "few blocks in too little",
                seen(0, 400 * MIB, 60 * MIB),
                |bounds| bounds.present_limit = Some(2 * GIB),
                Some(("512Mi", "2304Mi")),
            ),
            (
                "a guest that may grow to the threshold",
                seen(100, 400 * MIB, 60 * MIB),
                |bounds| bounds.threshold_bytes = Some(GIB),
                Some(("512Mi", "3584Mi")),
            ),
            (
                "a guest at its limit has no headroom",
                seen(100, 3 * GIB, 4 * GIB),
                |_| {},
                Some(("3840Mi", "6656Mi")),
            ),
            (
                "a process that takes more than all may",
                seen(100, 8 * GIB, 60 * MIB),
                |_| {},
                Some(("10Gi", "10Gi")),
            ),
            (
                "a declared cache",
                seen(100, 400 * MIB, 60 * MIB),
                |bounds| bounds.cache_bytes = Some(4 * GIB),
                Some(("512Mi", "5632Mi")),
            ),
            ("beyond all steps", seen(100, u64::MAX, u64::MAX), |_| {}, {
                Some(("17592186044415Mi", "17592186044415Mi"))
            }),
        ];
        let views = valid().views;
        for (what, seen, edit, expected) in cases {
            let mut bounds = bounds(&views);
            edit(&mut bounds);
            let found = recommend(None, &seen, &bounds, false);
            assert_eq!(texts(found.as_ref()), expected, "{what}");
        }
    }

    #[test]
    fn figures_rise_at_once_and_fall_after_a_day_and_by_much() {
        let views = valid().views;
        let same = given("512Mi", "2304Mi");
        let cases = [
            ("as before", given("512Mi", "2304Mi"), false, ("512Mi", "2304Mi")),
            ("one must rise", given("448Mi", "2304Mi"), false, ("512Mi", "2304Mi")),
            ("both must rise", given("64Mi", "1Gi"), false, ("512Mi", "2304Mi")),
            ("less is enough", given("1Gi", "6Gi"), false, ("1Gi", "6Gi")),
            (
                "less was enough for a day",
                given("1Gi", "6Gi"),
                true,
                ("512Mi", "2304Mi"),
            ),
            ("a little less was", given("640Mi", "2560Mi"), true, ("640Mi", "2560Mi")),
            ("a quarter less", given("512Mi", "3Gi"), true, ("512Mi", "2304Mi")),
            ("no figures", given("soon", "later"), false, ("512Mi", "2304Mi")),
        ];
        for (what, last, is_long, expected) in cases {
            let found = recommend(Some(&last), &seen(100, 400 * MIB, 60 * MIB), &bounds(&views), is_long);
            assert_eq!(texts(found.as_ref()), Some(expected), "{what}");
        }
        let found = recommend(Some(&same), &seen(9, 399 * MIB, 59 * MIB), &bounds(&views), true);
        assert_eq!(found, Some(same.clone()), "its words stay too");
        assert_eq!(
            recommend(Some(&same), &Seen::default(), &bounds(&views), true),
            Some(same)
        );
    }

    #[test]
    fn the_reason_says_what_was_seen_and_where() {
        let views = valid().views;
        let mut bounds = bounds(&views);
        bounds.threshold_bytes = Some(GIB);
        let found = recommend(None, &seen(100, 400 * MIB, 60 * MIB), &bounds, false).unwrap();
        assert_eq!(
            found.reason,
            "the guest took up to 60Mi in one-0 at height 90, and may grow to memory.threshold, 1024Mi, before it is \
             refreshed; the process had up to 400Mi in one-0. The request is a quarter above the process; the limit is a \
             quarter above the guest and 2124Mi for views, store and blocks in flight, or the request if that is more"
        );
    }

    proptest! {
        #[test]
        fn jitter_never_flips_it(
            process in 64 * MIB..64 * GIB,
            guest in MIB..3 * GIB,
            // Per mille of what is resident, every five seconds or so.
            jitter in prop::collection::vec((0..20_u64, any::<bool>()), 200),
        ) {
            let views = valid().views;
            let mut last: Option<MemoryRecommendation> = None;
            let mut changes = 0;
            let first = seen(100, 1, guest);
            let mut all = first.clone();
            for (more, is_long) in jitter {
                let now = process + process / 1_000 * more;
                all.add_process("one-0", now);
                // A day that has just begun has not seen the peaks of the day before.
                let mut fresh = first.clone();
                fresh.add_process("one-0", now);
                let next = recommend(last.as_ref(), if is_long { &fresh } else { &all }, &bounds(&views), is_long);
                changes += i32::from(next != last);
                if let (Some(before), Some(after)) = (&last, &next) {
                    prop_assert!(after.limit.bytes().unwrap() >= before.limit.bytes().unwrap(), "{before:?}, {after:?}");
                    prop_assert!(after.request.bytes().unwrap() >= before.request.bytes().unwrap(), "{before:?}, {after:?}");
                }
                last = next;
            }
            // The first one, and one step of each figure that the band may lie across.
            prop_assert!(changes <= 3, "{changes}");
        }

        #[test]
        fn it_is_never_below_what_was_seen_and_headroom(
            process in any::<u64>(), guest in any::<u64>(),
            before in prop::option::of((0..1_u64 << 40, 0..1_u64 << 40)),
            is_long in any::<bool>(),
        ) {
            let views = valid().views;
            let last = before.map(|(request, limit)| given(&request.min(limit).to_string(), &limit.to_string()));
            let (process, guest) = (process >> 16, (guest >> 16).max(1));
            let found = recommend(last.as_ref(), &seen(100, process.max(1), guest), &bounds(&views), is_long).unwrap();
            let (request, limit) = (found.request.bytes().unwrap(), found.limit.bytes().unwrap());
            prop_assert!(request >= with_headroom(process) && limit >= request, "{found:?}");
            prop_assert!(limit >= with_headroom(guest).min(4 * GIB), "{found:?}");
        }
    }
}
