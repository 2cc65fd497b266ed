//! (pure) Whether the pods of one revision built the same index.
//!
//! A digest commits to everything written up to a height, so two pods with the same digest at the same height have the
//! same index, however they got there. Where a majority agrees, the others are wrong. Otherwise it is undecided.

use std::{collections::BTreeMap, fmt};

/// The outcome of comparing digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// All pods that reported one have the same digest at one height.
    Equal,
    /// They have different ones.
    Differ(Difference),
}

/// Pods of one revision with different digests at one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The lowest height at which they differ, once that is known.
    pub first_height: Option<u32>,
    /// The pods that share a digest with more than half of all; empty if there is no such digest.
    pub majority: Vec<String>,
    /// The others.
    pub minority: Vec<String>,
}

/// Compares digests of one height, by pod. None: fewer than two pods reported theirs.
#[must_use]
pub fn compare(digests: &[(String, String)]) -> Option<Consistency> {
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (pod, digest) in digests {
        groups.entry(digest).or_default().push(pod.clone());
    }
    if digests.len() < 2 {
        return None;
    }
    if groups.len() == 1 {
        return Some(Consistency::Equal);
    }
    let (mut majority, mut minority) = (Vec::new(), Vec::new());
    for pods in groups.into_values() {
        if pods.len() * 2 > digests.len() {
            majority = pods;
        } else {
            minority.extend(pods);
        }
    }
    minority.sort();
    Some(Consistency::Differ(Difference {
        first_height: None,
        majority,
        minority,
    }))
}

impl Difference {
    /// The pods that must not serve clients: the outvoted ones.
    #[must_use]
    pub fn outvoted(&self) -> &[String] {
        if self.majority.is_empty() { &[] } else { &self.minority }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minority = self.minority.join(", ");
        // No height that is not the lowest one: it would move with the pods, and each move would be a write.
        let from = match self.first_height {
            Some(height) => format!("from height {height} on"),
            None => "at a height not determined yet".to_owned(),
        };
        if self.majority.is_empty() {
            write!(
                f,
                "{from} the digests of {minority} differ, and no majority agrees; \
                 determine which one is wrong, and delete its volume claim and then the pod to rebuild it"
            )
        } else {
            write!(
                f,
                "{from} the digest of {minority} differs from that of {}; \
                 delete its volume claim and then the pod to rebuild it",
                self.majority.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minority_is_outvoted_and_a_tie_outvotes_none() {
        // Digests of pods a, b, c, ...; what they come to; who is outvoted.
        let cases: [(&str, Option<bool>, &[&str]); 7] = [
            ("", None, &[]),
            ("x", None, &[]),
            ("xx", Some(true), &[]),
            ("xy", Some(false), &[]),
            ("xxy", Some(false), &["c"]),
            ("xyz", Some(false), &[]),
            ("xyxyx", Some(false), &["b", "d"]),
        ];
        for (digests, equal, outvoted) in cases {
            let reported: Vec<_> = ('a'..)
                .zip(digests.chars())
                .map(|(pod, digest)| (pod.to_string(), digest.to_string()))
                .collect();
            let found = compare(&reported);
            assert_eq!(found.as_ref().map(|c| *c == Consistency::Equal), equal, "{digests}");
            if let Some(Consistency::Differ(difference)) = found {
                assert_eq!(difference.outvoted(), outvoted, "{digests}");
            }
        }
    }
}
