//! What is said of memory that the operator gives.

use crds::conditions::types;

use super::*;
use crate::{
    facts::{ContainerMemory, ResizeProblem},
    memory::ResizeRefusal,
};

const MIB: u64 = 1 << 20;
const MEMORY: ContainerMemory = ContainerMemory {
    request: Some(512 * MIB),
    limit: Some(2304 * MIB),
};

fn recommended(request: &str) -> MemoryRecommendation {
    MemoryRecommendation {
        request: crds::ByteSize(request.into()),
        limit: crds::ByteSize("8Gi".into()),
        reason: "why".into(),
    }
}

fn refusal(uid: &str, is_impossible: bool) -> ResizeRefusal {
    ResizeRefusal {
        pod: "one-0".into(),
        uid: uid.into(),
        memory: MEMORY,
        is_impossible,
        words: "resize Pod one-0: no".into(),
    }
}

#[test]
fn what_keeps_a_pod_from_its_memory_is_said() {
    type Case = (&'static str, Edit, &'static str, &'static str, &'static str);
    let cases: [Case; 8] = [
        ("all is well", |_| {}, "False", reasons::FILTERS_IN_MEMORY, "filters"),
        (
            "no room now",
            |s| s.pod().resize = Some(ResizeProblem::Deferred),
            "True",
            reasons::RESIZE_DEFERRED,
            "one-0 has no room for a request of 512Mi and a limit of 2304Mi now",
        ),
        (
            "never room",
            |s| s.pod().resize = Some(ResizeProblem::Infeasible),
            "True",
            reasons::RESIZE_INFEASIBLE,
            "one-0 is too small for a request of 512Mi",
        ),
        (
            "refused",
            |s| s.applied.resize_refusals = vec![refusal("uid-of-one-0", false)],
            "True",
            reasons::RESIZE_REFUSED,
            "resize Pod one-0: no",
        ),
        (
            "impossible",
            |s| s.applied.resize_refusals = vec![refusal("uid-of-one-0", true)],
            "True",
            reasons::RESIZE_REFUSED,
            "recreated",
        ),
        (
            "refused to a pod that is gone",
            |s| s.applied.resize_refusals = vec![refusal("uid-of-another", false)],
            "False",
            reasons::FILTERS_IN_MEMORY,
            "",
        ),
        (
            "more than there may be",
            |s| s.recommendation = Some(recommended("5Gi")),
            "True",
            reasons::AT_MAX_LIMIT,
            "processes need 5Gi, which is more than memory.maxLimit, 4Gi",
        ),
        (
            "as much as there may be",
            |s| s.recommendation = Some(recommended("4Gi")),
            "False",
            reasons::FILTERS_IN_MEMORY,
            "",
        ),
    ];
    for (what, edit, status, reason, words) in cases {
        let mut situation = Situation::default();
        situation.valid.max_limit_bytes = Some(4 << 30);
        situation.pod().memory = MEMORY;
        edit(&mut situation);
        let all = situation.status();
        let found = find(&all, types::MEMORY_UNDERSIZED);
        assert_eq!(
            (found.status.as_str(), found.reason.as_str()),
            (status, reason),
            "{what}"
        );
        assert!(found.message.contains(words), "{what}: {}", found.message);
        assert_eq!(find(&all, types::READY).status, "True", "{what}");

        situation.valid.max_limit_bytes = None;
        let all = situation.status();
        assert_eq!(
            find(&all, types::MEMORY_UNDERSIZED).status,
            "False",
            "{what}, and resize is off"
        );
    }
}

#[test]
fn a_pod_with_the_template_but_for_its_memory_is_current() {
    let mut situation = Situation::default();
    let template = serde_json::json!({"metadata": {"annotations": {names::ANNOTATION_TEMPLATE: "1"}}});
    let spec = serde_json::json!({"template": template, "selector": {}});
    situation.observed.stateful_sets[0].spec = serde_json::from_value(spec).unwrap();
    situation.pod().template = Some("old".into());
    assert_eq!(find(&situation.status(), types::READY).reason, reasons::ROLLING);
    situation.pod().same_template = Some("1".into());
    assert_eq!(find(&situation.status(), types::READY).status, "True");
}
