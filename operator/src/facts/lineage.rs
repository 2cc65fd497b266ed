//! Which pods of one revision must have equal digests, and at which height.
//!
//! A module that takes over on existing data changes the digests from its first height on. While pods are replaced one by
//! one, some have taken it over and others have not: they must agree below that height, and each side within itself.

use std::collections::BTreeSet;

use crds::{LINEAGE_STEPS_MAX, LineageStep};

/// How far one pod is, and which modules built its index.
#[derive(Clone, Copy, Debug)]
pub struct Built<'a> {
    /// Height of its last block.
    pub height: u32,
    /// SHA-256 of the module it runs: the only one if `lineage` is empty.
    pub module: &'a str,
    /// The modules that built it, oldest first; empty where there was one only.
    pub lineage: &'a [LineageStep],
}

/// Pods that must have equal digests at a height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparable {
    /// The height.
    pub height: u32,
    /// The pods, by their place in the list given.
    pub pods: Vec<usize>,
}

/// The comparisons to be made: one of all pods at the highest height up to which the same modules built all of them, and
/// one for each group of pods with the same lineage where that reaches higher.
#[must_use]
pub fn comparable(pods: &[Built<'_>]) -> Vec<Comparable> {
    let lowest = |of: &[usize]| of.iter().map(|i| pods[*i].height).min();
    let all: Vec<usize> = (0..pods.len()).collect();
    let Some(lowest_of_all) = lowest(&all) else {
        return Vec::new();
    };
    let parts_at = pods.iter().filter_map(|pod| pods[0].parts_from(pod)).min();
    let common = match parts_at {
        None => Some(lowest_of_all),
        Some(height) => height.checked_sub(1).map(|below| below.min(lowest_of_all)),
    };
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for i in &all {
        match groups
            .iter_mut()
            .find(|group| pods[group[0]].parts_from(&pods[*i]).is_none())
        {
            Some(group) => group.push(*i),
            None => groups.push(vec![*i]),
        }
    }
    let of_groups = groups.into_iter().filter_map(|group| {
        let height = lowest(&group)?;
        (common.is_none_or(|common| height > common)).then_some(Comparable { height, pods: group })
    });
    let of_all = common.map(|height| Comparable { height, pods: all });
    let comparisons = of_all.into_iter().chain(of_groups);
    comparisons.filter(|comparison| comparison.pods.len() > 1).collect()
}

impl Built<'_> {
    /// The lowest height from which on other modules built another pod's index; none if there is none.
    fn parts_from(&self, other: &Built<'_>) -> Option<u32> {
        let known_from = self.known_from().max(other.known_from());
        if self.module_at(known_from) != other.module_at(known_from) {
            return Some(0);
        }
        let (ours, theirs) = (self.taken_over_above(known_from), other.taken_over_above(known_from));
        ours.symmetric_difference(&theirs).map(|(height, _)| *height).min()
    }

    /// From which height on the lineage is known: of a long one a status has the newest steps only.
    fn known_from(&self) -> u32 {
        match self.lineage.first() {
            Some(first) if self.lineage.len() >= LINEAGE_STEPS_MAX => first.from_height,
            _ => 0,
        }
    }

    fn module_at(&self, height: u32) -> &str {
        let begun = self.lineage.iter().rev().find(|step| step.from_height <= height);
        begun
            .or_else(|| self.lineage.first())
            .map_or(self.module, |step| &step.module_sha256)
    }

    fn taken_over_above(&self, height: u32) -> BTreeSet<(u32, &str)> {
        let later = self.lineage.iter().skip(1).filter(|step| step.from_height > height);
        later
            .map(|step| (step.from_height, step.module_sha256.as_str()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage(steps: &[(u32, &str)]) -> Vec<LineageStep> {
        let step = |(from_height, module): &(u32, &str)| LineageStep {
            from_height: *from_height,
            module_sha256: (*module).to_owned(),
        };
        steps.iter().map(step).collect()
    }

    /// Pods as their height, the module they run, and their lineage; the comparisons as heights and places.
    fn compared(pods: &[(u32, &str, &[(u32, &str)])]) -> Vec<(u32, Vec<usize>)> {
        let lineages: Vec<_> = pods.iter().map(|(_, _, steps)| lineage(steps)).collect();
        let built: Vec<_> = pods
            .iter()
            .zip(&lineages)
            .map(|((height, module, _), lineage)| Built {
                height: *height,
                module,
                lineage,
            })
            .collect();
        let comparisons = comparable(&built);
        comparisons
            .into_iter()
            .map(|found| (found.height, found.pods))
            .collect()
    }

    const TAKEN: &[(u32, &str)] = &[(5, "a"), (61, "b")];

    #[test]
    fn pods_are_compared_up_to_where_their_lineages_part_and_within_each_lineage() {
        type Pods<'a> = &'a [(u32, &'a str, &'a [(u32, &'a str)])];
        type Expected<'a> = &'a [(u32, &'a [usize])];
        let cases: [(&str, Pods<'_>, Expected<'_>); 9] = [
            ("no pod", &[], &[]),
            ("one pod", &[(60, "a", &[])], &[]),
            ("one module", &[(60, "a", &[]), (62, "a", &[])], &[(60, &[0, 1])]),
            (
                "one of two has taken over",
                &[(63, "b", TAKEN), (62, "a", &[])],
                &[(60, &[0, 1])],
            ),
            (
                "it has, and has no block of the new module yet",
                &[(60, "b", TAKEN), (62, "a", &[])],
                &[(60, &[0, 1])],
            ),
            (
                "one of three has taken over: the others are compared at their tip too",
                &[(62, "a", &[]), (63, "b", TAKEN), (63, "a", &[])],
                &[(60, &[0, 1, 2]), (62, &[0, 2])],
            ),
            (
                "two of three have",
                &[(64, "b", TAKEN), (63, "b", TAKEN), (63, "a", &[])],
                &[(60, &[0, 1, 2]), (63, &[0, 1])],
            ),
            ("all have", &[(64, "b", TAKEN), (63, "b", TAKEN)], &[(63, &[0, 1])]),
            (
                "they began with other modules",
                &[(64, "a", &[]), (63, "c", &[]), (63, "a", &[])],
                &[(63, &[0, 2])],
            ),
        ];
        for (name, pods, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(height, pods)| (*height, pods.to_vec())).collect();
            assert_eq!(compared(pods), expected, "{name}");
        }
    }

    #[test]
    fn of_a_long_lineage_only_the_newest_steps_are_known() {
        let modules: Vec<String> = (0..=LINEAGE_STEPS_MAX).map(|i| format!("m{i}")).collect();
        let steps: Vec<(u32, &str)> = (0..).map(|i| i * 10).zip(modules.iter().map(String::as_str)).collect();
        let (before, after) = (&steps[..LINEAGE_STEPS_MAX], &steps[1..]);
        let newest = steps[LINEAGE_STEPS_MAX];
        assert_eq!(
            compared(&[(newest.0 + 5, newest.1, after), (newest.0 + 5, before[15].1, before)]),
            [(newest.0 - 1, vec![0, 1])]
        );
    }
}
