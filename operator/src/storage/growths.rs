//! Which volumes grow by themselves, because too little of one is free.

use std::collections::BTreeMap;

use crds::{AutoGrow, Revision};

use super::{
    raises::{Raise, raises_to},
    sizes::Sizes,
};
use crate::{
    facts::{Observed, ObservedPod, Size, VolumeClaim},
    rollout::Decision,
    validate::ValidIndexer,
};

/// From this size on, sizes are whole gibibytes: providers round up to them anyway, and people read them.
const WHOLE_GIB_FROM: u64 = 10 << 30;

/// A revision with a pod that has too little room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The revision.
    pub revision: Revision,
    /// The pod with too little room.
    pub pod: String,
    /// The size that its volumes have.
    pub from: Size,
    /// The size that they should have; none if they have the largest one.
    pub to: Option<Size>,
}

/// Capacities of file systems by pod, as they were when its volume was to grow last.
pub type Capacities = BTreeMap<String, u64>;

/// The revisions whose volumes are to grow, of those that have objects. All volumes of one grow together, because they hold
/// the same data. None grows while one still does; nor again before its pods report another capacity than `before`, since
/// a report can be older than the growth, and a file system that does not follow its claim would have it grow for nothing.
#[must_use]
pub fn growths(valid: &ValidIndexer, decision: &Decision, observed: &Observed, before: &Capacities) -> Vec<Growth> {
    let Some(limits) = valid.auto_grow else {
        return Vec::new();
    };
    let sizes = Sizes::of(valid, decision, observed);
    let growth = |revision: &Revision| {
        let from = sizes.size(valid, revision);
        // Of a claim that no pod has, the file system never grows.
        let is_used = |claim: &&VolumeClaim| claim.bound && !claim.terminating && observed.is_in_use(claim);
        let claims: Vec<&VolumeClaim> = observed.claims_of(&valid.name, revision).filter(is_used).collect();
        if claims.is_empty() || !claims.iter().all(|claim| is_settled(claim, &from)) {
            return None;
        }
        let to = next(&from, &limits);
        let is_news = |pod: &&ObservedPod| to.is_none() || before.get(&pod.name) != capacity(pod).as_ref();
        let pod = observed
            .pods_of(revision)
            .filter(|pod| is_short(pod, &limits))
            .find(is_news)?;
        Some(Growth {
            revision: revision.clone(),
            pod: pod.name.clone(),
            from,
            to,
        })
    };
    decision
        .sets
        .iter()
        .filter_map(|(revision, _)| growth(revision))
        .collect()
}

impl Growth {
    /// The claims to be raised for it, and the capacities of its pods to be remembered.
    #[must_use]
    pub fn raises<'a>(&self, valid: &ValidIndexer, observed: &'a Observed) -> (Vec<Raise<'a>>, Capacities) {
        let pods = observed.pods_of(&self.revision);
        let capacities = pods.filter_map(|pod| Some((pod.name.clone(), capacity(pod)?)));
        let claims = self
            .to
            .iter()
            .flat_map(|to| raises_to(to, &valid.name, &self.revision, observed));
        (claims.collect(), capacities.collect())
    }
}

fn is_settled(claim: &VolumeClaim, size: &Size) -> bool {
    !claim.is_growing() && !claim.awaits_file_system && claim.requested.bytes == size.bytes
}

/// The next size; none if this one is the largest.
fn next(from: &Size, limits: &AutoGrow) -> Option<Size> {
    let step = u128::from(from.bytes) * u128::from(limits.step_percent) / 100;
    let unit = if from.bytes >= WHOLE_GIB_FROM { 1 << 30 } else { 1 << 20 };
    let wanted = (u128::from(from.bytes) + step.max(1)).next_multiple_of(unit);
    let bytes = u64::try_from(wanted).unwrap_or(u64::MAX).min(limits.max_bytes);
    (bytes > from.bytes).then(|| Size::of(bytes))
}

fn capacity(pod: &ObservedPod) -> Option<u64> {
    Some(pod.sample.answer()?.volume.as_ref()?.capacity_bytes)
}

fn is_short(pod: &ObservedPod, limits: &AutoGrow) -> bool {
    let volume = pod.sample.answer().and_then(|status| status.volume.as_ref());
    volume.is_some_and(|volume| {
        let least = u128::from(volume.capacity_bytes) * u128::from(limits.free_percent);
        u128::from(volume.free_bytes) * 100 < least
    })
}

#[cfg(test)]
mod tests {
    use crds::pod::Volume;
    use serde_json::json;

    use super::*;
    use crate::{
        facts::Sample,
        fixtures::{bound_claim, claim, following, observed_pod, settled, valid},
        names,
    };

    const GIB: u64 = 1 << 30;

    fn growing(max: u64) -> ValidIndexer {
        ValidIndexer {
            auto_grow: Some(AutoGrow {
                max_bytes: max,
                free_percent: 15,
                step_percent: 25,
            }),
            ..valid()
        }
    }

    /// Two pods whose volumes have this capacity, and these free bytes; their claims ask for `size`.
    fn observed(size: &str, capacity: u64, free: [u64; 2]) -> Observed {
        let set = names::of_revision("one", &valid().revision);
        let pods = free.iter().enumerate().map(|(i, free_bytes)| {
            let mut pod = observed_pod(&format!("{set}-{i}"));
            let mut status = following(100);
            status.volume = Some(Volume {
                capacity_bytes: capacity,
                free_bytes: *free_bytes,
                ..Volume::default()
            });
            pod.sample = Sample::Answer(Box::new(status));
            pod
        });
        let claims = (0..2).map(|i| bound_claim(&names::claim(&set, i), size));
        Observed {
            pods: pods.collect(),
            claims: claims.filter_map(|claim| VolumeClaim::read(&claim)).collect(),
            ..Observed::default()
        }
    }

    fn sizes(valid: &ValidIndexer, observed: &Observed, before: &Capacities) -> Vec<Option<String>> {
        let found = growths(valid, &settled(valid), observed, before).into_iter();
        found.map(|growth| growth.to.map(|size| size.text)).collect()
    }

    #[test]
    fn volumes_grow_when_one_has_too_little_room_up_to_the_largest_size() {
        let to = |text: &str| vec![Some(text.to_owned())];
        let cases = [
            ("room enough", "50Gi", 500, [50 * GIB * 15 / 100, 20 * GIB], vec![]),
            (
                "one byte too little",
                "50Gi",
                500,
                [20 * GIB, 50 * GIB * 15 / 100 - 1],
                to("63Gi"),
            ),
            ("up to the largest", "50Gi", 55, [0, 0], to("55Gi")),
            ("at the largest", "55Gi", 55, [0, 0], vec![None]),
            ("beyond it", "60Gi", 55, [0, 0], vec![None]),
        ];
        for (what, size, max, free, expected) in cases {
            let found = sizes(&growing(max * GIB), &observed(size, 50 * GIB, free), &Capacities::new());
            assert_eq!(found, expected, "{what}");
        }
        assert_eq!(
            sizes(&valid(), &observed("50Gi", 50 * GIB, [0, 0]), &Capacities::new()),
            []
        );
    }

    #[test]
    fn a_growth_is_waited_for_and_its_effect_too() {
        let valid = growing(500 * GIB);
        let mut observed = observed("50Gi", 50 * GIB, [0, 0]);
        let growth = growths(&valid, &settled(&valid), &observed, &Capacities::new()).remove(0);
        let (raises, before) = growth.raises(&valid, &observed);
        assert_eq!((raises.len(), before.len()), (2, 2));
        assert_eq!(sizes(&valid, &observed, &before), [], "the reports are as before");

        let grows = claim(
            &observed.claims[1].name,
            "63Gi",
            &json!({"phase": "Bound", "capacity": {"storage": "50Gi"}}),
        );
        observed.claims[1] = VolumeClaim::read(&grows).unwrap();
        assert_eq!(sizes(&valid, &observed, &Capacities::new()), [], "one still grows");

        let unused = json!({"phase": "Bound", "capacity": {"storage": "40Gi"}});
        observed.claims[1] = VolumeClaim::read(&claim(&observed.claims[1].name, "50Gi", &unused)).unwrap();
        observed.pods.remove(1);
        let to = [Some("63Gi".to_owned())];
        assert_eq!(
            sizes(&valid, &observed, &Capacities::new()),
            to,
            "no pod has the other one"
        );

        let grown = tests::observed("63Gi", 62 * GIB, [10 * GIB, 0]);
        assert_eq!(
            sizes(&valid, &grown, &before),
            [Some("79Gi".to_owned())],
            "it was not enough"
        );
    }

    #[test]
    fn no_size_overflows() {
        let huge = growing(u64::MAX);
        let found = next(&Size::of(u64::MAX - 1), &huge.auto_grow.unwrap());
        assert_eq!(found.map(|size| size.bytes), Some(u64::MAX));
        assert_eq!(next(&Size::of(u64::MAX), &huge.auto_grow.unwrap()), None);
        assert_eq!(
            next(&Size::of(0), &huge.auto_grow.unwrap()).map(|size| size.text),
            Some("1Mi".into())
        );
    }
}
