//! Which pod with an outdated template is replaced next.

use crds::Revision;

use super::decision::Decision;
use crate::{
    facts::{Observed, ObservedPod, is_outdated, newest_template},
    validate::ValidIndexer,
};

/// The pod to delete next, because it was created from an outdated template, or because it is one of `unfit`, whose unique
/// ids these are: it does not get what its template says unless it is recreated. Its `StatefulSet` creates the new one.
///
/// The sets use `OnDelete`, because the built-in rolling update waits indefinitely for a broken pod, even after its
/// template was corrected. A pod that is not ready has no clients and is replaced first. A ready one is replaced only
/// while all desired pods exist and are ready.
#[must_use]
pub fn next_replacement<'a>(
    valid: &ValidIndexer,
    decision: &Decision,
    observed: &'a Observed,
    unfit: &[&str],
) -> Option<&'a ObservedPod> {
    decision
        .sets
        .iter()
        .find_map(|(revision, _)| next_of(revision, valid, observed, unfit))
}

fn next_of<'a>(
    revision: &Revision,
    valid: &ValidIndexer,
    observed: &'a Observed,
    unfit: &[&str],
) -> Option<&'a ObservedPod> {
    newest_template(&valid.name, revision, observed)?;
    let pods: Vec<&ObservedPod> = observed.pods_of(revision).collect();
    if pods.iter().any(|pod| pod.terminating) {
        return None;
    }
    let outdated = || {
        pods.iter()
            .copied()
            .filter(|pod| is_outdated(&valid.name, pod, observed) || unfit.contains(&pod.uid.as_str()))
    };
    if let Some(broken) = outdated().find(|pod| !pod.ready) {
        return Some(broken);
    }
    let wanted = usize::try_from(valid.replicas).unwrap_or(0);
    let all_ready = pods.len() >= wanted && pods.iter().all(|pod| pod.ready);
    outdated().next().filter(|_| all_ready)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{observed_pod, settled, stateful_set, valid};

    /// Pods as `old` or `new` template, ready or not, terminating or not.
    fn pick(replicas: i32, pods: &[(&str, bool, bool)]) -> Option<String> {
        let mut valid = valid();
        valid.replicas = replicas;
        let pods = pods.iter().enumerate().map(|(i, (template, ready, terminating))| {
            let mut pod = observed_pod(&format!("one-{i}"));
            (pod.template, pod.ready, pod.terminating) = (Some((*template).to_owned()), *ready, *terminating);
            pod
        });
        let observed = Observed {
            pods: pods.collect(),
            stateful_sets: vec![stateful_set("new")],
            ..Observed::default()
        };
        next_replacement(&valid, &settled(&valid), &observed, &[]).map(|pod| pod.name.clone())
    }

    #[test]
    fn outdated_pods_go_one_at_a_time() {
        let (ready, broken) = (true, false);
        // Name, replicas, pods as (name, outdated, ready), the pod to go.
        type Case<'a> = (&'a str, i32, &'a [(&'a str, bool, bool)], Option<&'a str>);
        let cases: [Case<'_>; 8] = [
            (
                "nothing is outdated",
                2,
                &[("new", ready, false), ("new", broken, false)],
                None,
            ),
            ("a single pod is replaced", 1, &[("old", ready, false)], Some("one-0")),
            (
                "the first of two",
                2,
                &[("old", ready, false), ("old", ready, false)],
                Some("one-0"),
            ),
            (
                "not while one is on its way out",
                2,
                &[("old", ready, false), ("old", ready, true)],
                None,
            ),
            ("not while one is missing", 2, &[("old", ready, false)], None),
            (
                "not while the new one starts",
                2,
                &[("new", broken, false), ("old", ready, false)],
                None,
            ),
            (
                "the second once the first is ready",
                2,
                &[("new", ready, false), ("old", ready, false)],
                Some("one-1"),
            ),
            (
                "a broken one first, without waiting",
                2,
                &[("old", ready, false), ("old", broken, false)],
                Some("one-1"),
            ),
        ];
        for (name, replicas, pods, expected) in cases {
            assert_eq!(pick(replicas, pods).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn nothing_is_replaced_before_the_new_template_is_known() {
        let mut set = stateful_set("new");
        set.metadata.generation = Some(2);
        let mut pod = observed_pod("one-0");
        pod.template = Some("old".into());
        let observed = Observed {
            pods: vec![pod],
            stateful_sets: vec![set],
            ..Observed::default()
        };
        assert_eq!(next_replacement(&valid(), &settled(&valid()), &observed, &[]), None);
    }

    #[test]
    fn a_pod_that_cannot_be_resized_waits_for_its_turn_like_an_outdated_one() {
        let next = |ready: [bool; 2], unfit: &[&str]| {
            let mut valid = valid();
            valid.replicas = 2;
            let pods = (0..2).map(|i| {
                let mut pod = observed_pod(&format!("one-{i}"));
                pod.ready = ready[i];
                pod
            });
            let observed = Observed {
                pods: pods.collect(),
                stateful_sets: vec![stateful_set("new")],
                ..Observed::default()
            };
            next_replacement(&valid, &settled(&valid), &observed, unfit).map(|pod| pod.name.clone())
        };
        assert_eq!(next([true, true], &["uid-of-one-1"]).as_deref(), Some("one-1"));
        assert_eq!(next([false, true], &["uid-of-one-1"]), None);
        assert_eq!(next([true, true], &[]), None);
    }
}
