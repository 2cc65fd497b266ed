//! Which running pods get other memory, and which can get it only by being recreated.

use super::{headroom::with_headroom, sizes::Memories};
use crate::{
    facts::{ContainerMemory, Observed, ObservedPod, ResizeProblem, is_outdated},
    rollout::Decision,
    validate::ValidIndexer,
};

/// A pod, and the memory that its container is to have.
#[derive(Clone, Debug, PartialEq)]
pub struct Resize<'a> {
    /// The pod.
    pub pod: &'a ObservedPod,
    /// What it is to have; what it does not have at all is left out.
    pub memory: ContainerMemory,
}

/// A resize that the API server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResizeRefusal {
    /// The name of the pod.
    pub pod: String,
    /// Its unique id.
    pub uid: String,
    /// What it was to have.
    pub memory: ContainerMemory,
    /// Whether no pod can be resized so: this pod gets what it should have when it is recreated.
    pub is_impossible: bool,
    /// The server's words.
    pub words: String,
}

/// The pods to be resized, of every revision that has objects. Those with an outdated template are recreated anyway.
/// None gets less than its process has now and a quarter more, or less than it has while it does not report.
#[must_use]
pub fn resizes<'a>(
    valid: &ValidIndexer,
    decision: &Decision,
    memories: &Memories,
    observed: &'a Observed,
) -> Vec<Resize<'a>> {
    let sets = decision.sets.iter();
    let sized = sets.filter_map(|(revision, _)| Some((revision, memories.get(revision)?)));
    sized
        .flat_map(|(revision, memory)| {
            let pods = observed.pods_of(revision);
            let stays = |pod: &&ObservedPod| !pod.terminating && !is_outdated(&valid.name, pod, observed);
            pods.filter(stays).filter_map(move |pod| resize(pod, memory))
        })
        .collect()
}

fn resize(pod: &ObservedPod, wanted: ContainerMemory) -> Option<Resize<'_>> {
    let memory = ContainerMemory {
        request: pod.memory.request.and(wanted.request),
        limit: pod.memory.limit.and(wanted.limit),
    };
    let is_other = |now: Option<u64>, then: Option<u64>| then.is_some() && now != then;
    let is_due = is_other(pod.memory.request, memory.request) || is_other(pod.memory.limit, memory.limit);
    let resident = pod.sample.answer().map(|report| report.memory.resident_bytes);
    let has_room = |limit: u64| {
        let is_less = pod.memory.limit.is_some_and(|now| limit < now);
        !is_less || resident.is_some_and(|bytes| limit >= with_headroom(bytes))
    };
    (is_due && memory.limit.is_none_or(has_room)).then_some(Resize { pod, memory })
}

/// The unique ids of pods that can get the memory of their template only by being recreated: those that the API server
/// does not resize, and, where other replicas serve meanwhile, those whose node is too small. One that serves alone
/// stays: it may fit nowhere else, or its volume may not follow.
#[must_use]
pub fn unfit<'a>(valid: &ValidIndexer, observed: &'a Observed, refusals: &'a [ResizeRefusal]) -> Vec<&'a str> {
    if valid.max_limit_bytes.is_none() {
        return Vec::new();
    }
    let is_refused = |pod: &ObservedPod| {
        let refusal = refusals.iter().find(|refusal| refusal.uid == pod.uid);
        refusal.is_some_and(|refusal| refusal.is_impossible)
    };
    let is_too_large = |pod: &ObservedPod| valid.replicas > 1 && pod.resize == Some(ResizeProblem::Infeasible);
    let pods = observed.pods.iter();
    pods.filter(|pod| is_refused(pod) || is_too_large(pod))
        .map(|pod| pod.uid.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crds::{ByteSize, MemoryRecommendation};
    use serde_json::json;

    use super::*;
    use crate::{
        facts::Sample,
        fixtures::{answering_pod, settled, stateful_set, valid},
    };

    const MIB: u64 = 1 << 20;

    fn memory(request: u64, limit: u64) -> ContainerMemory {
        ContainerMemory {
            request: Some(request * MIB),
            limit: Some(limit * MIB),
        }
    }

    fn resized() -> ValidIndexer {
        ValidIndexer {
            max_limit_bytes: Some(8 << 30),
            resources: serde_json::from_value(json!({"requests": {"memory": "64Mi"}, "limits": {"memory": "128Mi"}}))
                .unwrap(),
            ..valid()
        }
    }

    /// What a pod gets where 512Mi and 1024Mi are recommended.
    fn given(pod: ObservedPod) -> Option<ContainerMemory> {
        let valid = resized();
        let recommended = MemoryRecommendation {
            request: ByteSize("512Mi".into()),
            limit: ByteSize("1Gi".into()),
            reason: String::new(),
        };
        let observed = Observed {
            pods: vec![pod],
            stateful_sets: vec![stateful_set("new")],
            ..Observed::default()
        };
        let decision = settled(&valid);
        let recommended = BTreeMap::from([(valid.revision.clone(), recommended)]);
        let memories = Memories::of(&valid, &decision, &recommended, &observed);
        let found = resizes(&valid, &decision, &memories, &observed);
        found.first().map(|resize| resize.memory)
    }

    fn pod(now: ContainerMemory, resident: u64, edit: impl FnOnce(&mut ObservedPod)) -> ObservedPod {
        let mut pod = answering_pod("one-0");
        let Sample::Answer(report) = &mut pod.sample else {
            panic!()
        };
        report.memory.resident_bytes = resident * MIB;
        pod.memory = now;
        edit(&mut pod);
        pod
    }

    #[test]
    fn pods_get_what_they_should_have_and_none_less_than_it_needs_now() {
        let target = memory(512, 1024);
        let small = memory(64, 128);
        let large = memory(512, 4096);
        let cases = [
            ("too little", pod(small, 100, |_| {}), Some(target)),
            ("as it should be", pod(target, 100, |_| {}), None),
            ("too much", pod(large, 800, |_| {}), Some(target)),
            ("too much, and it has it", pod(large, 820, |_| {}), None),
            (
                "too much, and it says nothing",
                pod(large, 100, |p| p.sample = Sample::NotRunning),
                None,
            ),
            (
                "too little, and it says nothing",
                pod(small, 100, |p| p.sample = Sample::NotRunning),
                Some(target),
            ),
            ("outdated", pod(small, 100, |p| p.template = Some("old".into())), None),
            ("on its way out", pod(small, 100, |p| p.terminating = true), None),
        ];
        for (what, pod, expected) in cases {
            assert_eq!(given(pod), expected, "{what}");
        }
        let mut without = small;
        without.limit = None;
        let request = ContainerMemory {
            request: Some(512 * MIB),
            limit: None,
        };
        assert_eq!(given(pod(without, 100, |_| {})), Some(request), "no limit is added");
    }

    #[test]
    fn a_pod_is_made_anew_where_nothing_else_helps_and_others_serve() {
        let infeasible = pod(memory(64, 128), 100, |pod| pod.resize = Some(ResizeProblem::Infeasible));
        let deferred = pod(memory(64, 128), 100, |pod| pod.resize = Some(ResizeProblem::Deferred));
        let well = pod(memory(64, 128), 100, |_| {});
        let refused = |is_impossible| ResizeRefusal {
            pod: "one-0".into(),
            uid: "uid-of-one-0".into(),
            memory: memory(512, 1024),
            is_impossible,
            words: "no".into(),
        };
        let cases = [
            ("nothing is wrong", 2, &well, vec![], false),
            ("it waits", 2, &deferred, vec![], false),
            ("its node is too small", 2, &infeasible, vec![], true),
            ("it serves alone", 1, &infeasible, vec![], false),
            ("it cannot be resized", 1, &well, vec![refused(true)], true),
            ("it was refused", 2, &well, vec![refused(false)], false),
        ];
        for (what, replicas, pod, refusals, expected) in cases {
            let mut valid = resized();
            valid.replicas = replicas;
            let observed = Observed {
                pods: vec![pod.clone()],
                ..Observed::default()
            };
            assert_eq!(!unfit(&valid, &observed, &refusals).is_empty(), expected, "{what}");
            valid.max_limit_bytes = None;
            assert!(unfit(&valid, &observed, &refusals).is_empty(), "{what}");
        }
    }
}
