//! Pods that are to get other memory: what is written, and what becomes of those that the API server does not resize.

use std::collections::BTreeMap;

use crds::{ByteSize, MemoryRecommendation};

use super::*;
use crate::{
    facts::{ContainerMemory, Observed, ObservedPod},
    reconcile::inquire::Decided,
    validate::ValidIndexer,
};

const MIB: u64 = 1 << 20;

fn resize() -> String {
    format!("PATCH /api/v1/namespaces/ns/pods/{}/resize", pod_name(0))
}

fn eviction() -> String {
    format!("POST /api/v1/namespaces/ns/pods/{}/eviction", pod_name(0))
}

fn resized() -> (ValidIndexer, Decided) {
    let valid = ValidIndexer {
        max_limit_bytes: Some(8 << 30),
        resources: serde_json::from_value(json!({"requests": {"memory": "64Mi"}, "limits": {"memory": "128Mi"}}))
            .unwrap(),
        ..fixtures::valid()
    };
    let recommended = MemoryRecommendation {
        request: ByteSize("512Mi".into()),
        limit: ByteSize("2Gi".into()),
        reason: String::new(),
    };
    let recommended = BTreeMap::from([(valid.revision.clone(), recommended)]);
    let mut decided = Decided::of(fixtures::settled(&valid));
    decided.memories = Memories::of(&valid, &decided.decision, &recommended, &Observed::default());
    (valid, decided)
}

/// Two passes over a pod that has what is declared, and whose template has what is recommended.
async fn carried_out_twice(client: Client) {
    let (valid, decided) = resized();
    let plan = plan(&valid, &decided.decision, &Sizes::default(), &decided.memories);
    let mut observed = fixtures::live(&plan);
    let set = (ChildKind::StatefulSet, set_name());
    let mut set = observed.children[&set].clone();
    set["metadata"]["generation"] = json!(1);
    set["status"] = json!({"replicas": 1, "observedGeneration": 1, "updateRevision": "newest"});
    let template = set["spec"]["template"]["metadata"]["annotations"].clone();
    observed.stateful_sets.push(serde_json::from_value(set).unwrap());
    observed.pods.push(ObservedPod {
        same_template: template[names::ANNOTATION_TEMPLATE].as_str().map(str::to_owned),
        memory: ContainerMemory {
            request: Some(64 * MIB),
            limit: Some(128 * MIB),
        },
        ..fixtures::answering_pod(&pod_name(0))
    });
    let context = context(client, &caches(None, vec![]));
    for _ in 0..2 {
        let meta = fixtures::indexer().metadata;
        carry_out(&valid, &decided, &observed, None, &meta, &context)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_pod_is_resized_as_it_was_decided_on_and_not_replaced() {
    let (client, calls) = api_server(as_decided_on);
    carried_out_twice(client).await;
    let made = calls.lock().unwrap().clone();
    let (_, body) = made.iter().find(|(call, _)| *call == resize()).unwrap();
    let resources = json!({"requests": {"memory": "512Mi"}, "limits": {"memory": "2Gi"}});
    let expected = json!({
        "metadata": {"uid": format!("uid-of-{}", pod_name(0)), "resourceVersion": "1"},
        "spec": {"containers": [{"name": "indexer", "resources": resources}]},
    });
    assert_eq!(*body, expected);
    assert!(!names_of(&calls).contains(&eviction()));
}

/// As API servers refuse it: one that knows no such subresource, one whose nodes cannot, and one with a quota.
fn refused(call: &str, code: u16, message: &str) -> Option<Value> {
    let refusal = json!({"status": "Failure", "code": code, "message": message});
    (call == resize()).then_some(refusal).or_else(|| as_decided_on(call))
}

#[tokio::test]
async fn a_pod_that_cannot_be_resized_is_replaced_and_one_that_may_not_be_is_not() {
    type Refuse = fn(&str) -> Option<Value>;
    let refusals: [(Refuse, bool); 3] = [
        (
            |call| refused(call, 404, "the server could not find the requested resource"),
            true,
        ),
        (
            |call| refused(call, 422, "Pod running on node without support for resize"),
            true,
        ),
        (|call| refused(call, 403, "exceeded quota: memory"), false),
    ];
    for (refuse, is_replaced) in refusals {
        let (client, calls) = api_server(refuse);
        carried_out_twice(client).await;
        let made = names_of(&calls);
        let count = |wanted: &str| made.iter().filter(|call| *call == wanted).count();
        assert_eq!(
            (count(&resize()), count(&eviction())),
            (1, usize::from(is_replaced)),
            "{made:?}"
        );
    }
}
