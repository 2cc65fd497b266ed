//! The health of one revision's pods, as a rollout sees it.

use crds::{
    Revision,
    pod::{Status, module_reasons, seed_reasons},
};

use crate::{
    facts::{Consistency, Observed, ObservedPod, Sample, is_outdated},
    validate::ValidIndexer,
};

/// Restarts after which a crashing container counts as failed: Kubernetes has waited 10, 20 and 40 s by then.
const RESTARTS_MAX: i32 = 3;

/// The health of a revision's pods. Texts contain no figure that changes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Not all of them exist, are caught up and ready; with what is being waited for.
    Waits(String),
    /// Something outside them keeps them from running; with its explanation.
    Blocked(String),
    /// All desired pods are ready, caught up and agree.
    Healthy {
        /// The tip of the chain they follow.
        tip: u32,
    },
    /// One of them failed for good; with its error.
    Failed(String),
}

/// Judges the pods of a revision.
pub(super) fn health(valid: &ValidIndexer, revision: &Revision, observed: &Observed) -> Health {
    let pods: Vec<&ObservedPod> = observed.pods_of(revision).filter(|pod| !pod.terminating).collect();
    let current = || pods.iter().filter(|pod| !is_outdated(&valid.name, pod, observed));
    if valid.replicas == 0 {
        return Health::Blocked("it has no pods: spec.suspend is true, or spec.replicas is 0".into());
    }
    if let Some(why) = current().find_map(|pod| lasting_problem(pod)) {
        return Health::Failed(why);
    }
    if let Some(Consistency::Differ(difference)) = observed.consistency.get(revision) {
        return Health::Blocked(difference.to_string());
    }
    if let Some(why) = current().find_map(|pod| passing_problem(pod)) {
        return Health::Waits(why);
    }
    let wanted = usize::try_from(valid.replicas).unwrap_or(0);
    if current().count() < wanted || pods.len() > wanted {
        return Health::Waits("its pods are being created".into());
    }
    let caught_up = |status: &&Status| status.behind.is_some_and(|behind| behind <= valid.rollout.max_behind);
    let answers: Vec<&Status> = pods.iter().filter_map(|pod| pod.sample.answer()).collect();
    if answers.len() < wanted || !answers.iter().all(caught_up) {
        return Health::Waits("it is catching up with the chain".into());
    }
    if pods.iter().any(|pod| !pod.ready) {
        return Health::Waits("its pods are not all ready".into());
    }
    match answers.iter().filter_map(|status| status.tip).max() {
        Some(tip) => Health::Healthy { tip },
        None => Health::Waits("it is catching up with the chain".into()),
    }
}

/// Whether a revision has pods and all of them have halted, so that none will become ready by itself.
pub(super) fn has_halted(revision: &Revision, observed: &Observed) -> bool {
    let mut pods = observed.pods_of(revision).filter(|pod| !pod.terminating).peekable();
    let halted = |pod: &ObservedPod| pod.sample.answer().is_some_and(|status| status.halt.is_some());
    pods.peek().is_some() && pods.all(halted)
}

/// A problem that does not go away by waiting.
fn lasting_problem(pod: &ObservedPod) -> Option<String> {
    let crashes = pod.restarts >= RESTARTS_MAX && !pod.ready;
    if let (true, Some(trouble)) = (crashes, &pod.trouble) {
        let words = pod
            .last_words
            .as_deref()
            .map(|words| format!(": {words}"))
            .unwrap_or_default();
        return Some(format!("{}: {trouble}{words}", pod.name));
    }
    let status = pod.sample.answer()?;
    let module = &status.module;
    let is_missing = matches!(
        module.reason.as_str(),
        module_reasons::NOT_FOUND | module_reasons::FETCH_FAILED
    );
    if module.ok == Some(false) && !is_missing {
        return Some(format!("{}: {}", module.reason, module.message));
    }
    let is_refused = seed_reasons::REFUSALS.contains(&status.seed.reason.as_str());
    if status.seed.ok == Some(false) && is_refused {
        return Some(format!("{}: {}", status.seed.reason, status.seed.message));
    }
    let halt = status.halt.as_ref()?;
    Some(format!("halted below height {}: {}", halt.height, halt.message))
}

/// A problem that may go away by waiting.
fn passing_problem(pod: &ObservedPod) -> Option<String> {
    if let Some(trouble) = &pod.trouble {
        return Some(format!("{}: {trouble}", pod.name));
    }
    let status = match &pod.sample {
        Sample::NotRunning => return None,
        Sample::Silent(why) => return Some(format!("{} does not answer: {why}", pod.name)),
        Sample::Answer(status) => status,
    };
    let bad = [&status.module, &status.source, &status.seed]
        .into_iter()
        .find(|check| check.ok == Some(false));
    let trouble = status.trouble.as_ref().map(|trouble| trouble.message.clone());
    trouble.or_else(|| bad.map(|check| format!("{}: {}", check.reason, check.message)))
}

#[cfg(test)]
mod tests {
    use crds::pod::{Check, FaultClass, Halt};

    use super::*;
    use crate::fixtures::{answering_pod, following, valid};

    #[test]
    fn a_revision_has_halted_when_all_its_pods_have() {
        let pod = |name: &str, is_halted: bool| {
            let mut status = following(100);
            status.halt = is_halted.then(|| Halt {
                class: FaultClass::Guest,
                height: 101,
                block_hash: "cd".repeat(32),
                runs: 2,
                message: "trap".into(),
            });
            let mut pod = answering_pod(name);
            pod.sample = Sample::Answer(Box::new(status));
            pod
        };
        let found = |pods: Vec<ObservedPod>| {
            let observed = Observed {
                pods,
                ..Observed::default()
            };
            has_halted(&valid().revision, &observed)
        };
        let starting = || ObservedPod {
            sample: Sample::NotRunning,
            ..pod("one-1", false)
        };
        let going = || ObservedPod {
            terminating: true,
            ..starting()
        };
        assert!(found(vec![pod("one-0", true), pod("one-1", true)]));
        assert!(found(vec![pod("one-0", true), going()]));
        for pods in [
            vec![],
            vec![pod("one-0", true), pod("one-1", false)],
            vec![pod("one-0", true), starting()],
            vec![going()],
        ] {
            assert!(!found(pods.clone()), "{pods:?}");
        }
    }

    #[test]
    fn a_copy_or_a_snapshot_that_is_refused_fails_a_candidate_and_one_that_is_not_there_does_not() {
        let of = |reason: &str| {
            let mut status = following(100);
            status.seed = Check {
                ok: Some(false),
                reason: reason.into(),
                message: "why".into(),
            };
            let mut pod = answering_pod("one-0");
            pod.sample = Sample::Answer(Box::new(status));
            let observed = Observed {
                pods: vec![pod],
                ..Observed::default()
            };
            health(&valid(), &valid().revision, &observed)
        };
        for reason in seed_reasons::REFUSALS {
            assert_eq!(of(reason), Health::Failed(format!("{reason}: why")));
        }
        for reason in [seed_reasons::UNREACHABLE, seed_reasons::SNAPSHOT_UNAVAILABLE] {
            assert_eq!(of(reason), Health::Waits(format!("{reason}: why")));
        }
    }
}
