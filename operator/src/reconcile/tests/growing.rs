//! Volumes that are to grow: what is written, on what it is decided, and what a refusal holds up.

use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::PersistentVolumeClaim};

use super::*;
use crate::{
    facts::{Observed, Sample, VolumeClaim},
    reconcile::inquire::Decided,
    validate::ValidIndexer,
};

const FORBIDDEN: &str = "persistentvolumeclaims is forbidden: only dynamically provisioned pvc can be resized and the \
                         storageclass that provisions the pvc must support resize";

fn claim_name() -> String {
    format!("data-{}", pod_name(0))
}

/// What is planned, with a claim of this size beside it.
fn with_claim(claim: PersistentVolumeClaim) -> Caches {
    let mut filled = caches(Some(&planned()), vec![]);
    let (claims, writer) = cache(vec![claim]);
    filled.stores.claims = claims;
    filled._writers.push(writer);
    filled
}

/// A set as its controller has seen it, whose template has volumes of another size, beside a claim of the declared one.
fn with_set_of_another_size() -> Caches {
    let mut filled = with_claim(fixtures::bound_claim(&claim_name(), "50Gi"));
    let mut set = serde_json::to_value(&filled.stores.stateful_sets.of(&fixtures::key())[0]).unwrap();
    set["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = json!("10Gi");
    (set["metadata"]["generation"], set["status"]) = (json!(1), json!({"replicas": 1, "observedGeneration": 1}));
    let (stateful_sets, writer) = cache_of_sets(vec![serde_json::from_value::<StatefulSet>(set).unwrap()]);
    filled.stores.stateful_sets = stateful_sets;
    filled._writers.push(writer);
    filled
}

fn raise() -> String {
    format!("PATCH /api/v1/namespaces/ns/persistentvolumeclaims/{}", claim_name())
}

fn removal() -> String {
    format!("DELETE /apis/apps/v1/namespaces/ns/statefulsets/{}", set_name())
}

#[tokio::test]
async fn a_claim_is_raised_as_it_was_decided_on() {
    let (client, calls) = api_server(as_decided_on);
    let caches = with_claim(fixtures::bound_claim(&claim_name(), "10Gi"));
    let context = context(client, &caches);
    reconcile(watched(), Arc::clone(&context)).await.unwrap();
    assert_eq!(counted(&context), ["PersistentVolumeClaim grow 1"]);
    let expected = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"uid": format!("uid-of-{}", claim_name()), "resourceVersion": "1"},
        "spec": {"resources": {"requests": {"storage": "50Gi"}}},
    });
    assert_eq!(body_of(&calls, &raise()), expected);
    // The cache does not have it yet.
    assert_eq!(last_condition(&calls, "StorageReady")["reason"], "AsExpected");
}

#[tokio::test]
async fn a_refused_raise_holds_nothing_up_and_is_not_repeated_at_once() {
    let (client, calls) = api_server(|call| {
        let refusal = json!({"status": "Failure", "code": 403, "reason": "Forbidden", "message": FORBIDDEN});
        (call == raise()).then_some(refusal).or_else(|| as_decided_on(call))
    });
    let mut caches = with_claim(fixtures::bound_claim(&claim_name(), "10Gi"));
    let (budgets, writer) = cache(vec![]);
    caches.stores.budgets = budgets;
    caches._writers.push(writer);
    let context = context(client, &caches);
    for _ in 0..2 {
        let action = reconcile(watched(), Arc::clone(&context)).await.unwrap();
        assert_ne!(action, Action::await_change(), "it is tried again");
    }
    body_of(&calls, &raise());
    assert_eq!(last_condition(&calls, "StorageReady")["reason"], "ClassCannotExpand");
    let writes = names_of(&calls);
    let budget = writes.iter().any(|call| call.ends_with("/poddisruptionbudgets/one"));
    assert!(budget, "what is planned is applied: {writes:?}");
}

#[tokio::test]
async fn a_claim_that_changed_meanwhile_is_looked_at_again() {
    let (client, _) = api_server(|call| {
        let conflict = json!({"status": "Failure", "code": 409, "reason": "Conflict", "message": "it was modified"});
        (call == raise()).then_some(conflict).or_else(|| as_decided_on(call))
    });
    let caches = with_claim(fixtures::bound_claim(&claim_name(), "10Gi"));
    let error = reconcile(watched(), context(client, &caches)).await.unwrap_err();
    assert_eq!(error.class(), Class::LookAgain);
}

#[tokio::test]
async fn a_set_is_deleted_without_its_pods_as_it_was_decided_on() {
    let (client, calls) = api_server(as_decided_on);
    let caches = with_set_of_another_size();
    reconcile(watched(), context(client, &caches)).await.unwrap();
    let options = body_of(&calls, &removal());
    assert_eq!(options["propagationPolicy"], "Orphan");
    let expected = json!({"uid": format!("uid-of-{}", set_name()), "resourceVersion": "1"});
    assert_eq!(options["preconditions"], expected);
}

/// The cache may lag behind what the set's controller wrote.
#[tokio::test]
async fn a_set_stays_while_the_api_server_has_a_claim_that_goes_with_it() {
    let (client, calls) = api_server(|call| {
        let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s", "uid": format!("uid-of-{}", set_name())});
        let claim = json!({"metadata": {"name": claim_name(), "ownerReferences": [owner]}});
        match call {
            "GET /api/v1/namespaces/ns/persistentvolumeclaims" => {
                Some(json!({"code": 200, "metadata": {}, "items": [claim]}))
            }
            call => as_decided_on(call),
        }
    });
    let caches = with_set_of_another_size();
    let error = reconcile(watched(), context(client, &caches)).await.unwrap_err();
    assert_eq!(error.class(), Class::LookAgain);
    assert!(!names_of(&calls).contains(&removal()));
}

#[tokio::test]
async fn a_claim_that_goes_with_a_set_to_be_replaced_is_freed_of_it_alone() {
    let (client, calls) = api_server(as_decided_on);
    let mut caches = with_set_of_another_size();
    let mut claim = serde_json::to_value(fixtures::bound_claim(&claim_name(), "50Gi")).unwrap();
    let owner = |uid: &str| json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s", "uid": uid});
    claim["metadata"]["ownerReferences"] = json!([owner("another"), owner(&format!("uid-of-{}", set_name()))]);
    let (claims, writer) = cache(vec![serde_json::from_value(claim).unwrap()]);
    caches.stores.claims = claims;
    caches._writers.push(writer);
    reconcile(watched(), context(client, &caches)).await.unwrap();
    assert_eq!(
        body_of(&calls, &raise())["metadata"]["ownerReferences"],
        json!([owner("another")])
    );
    assert!(!names_of(&calls).contains(&removal()));
}

/// What is observed of a pod with a free byte, whose claim asks for what its volume has.
fn full() -> (ValidIndexer, Observed) {
    let mut indexer = fixtures::indexer();
    indexer.spec.storage.auto_grow = serde_json::from_value(json!({"maxSize": "100Gi"})).unwrap();
    let valid = validate(&indexer, &fixtures::defaults()).unwrap();
    let mut pod = fixtures::answering_pod(&pod_name(0));
    let mut status = fixtures::following(100);
    status.volume.as_mut().unwrap().free_bytes = 1;
    pod.sample = Sample::Answer(Box::new(status));
    let mut observed = fixtures::live(&planned());
    observed.pods.push(pod);
    let claim = fixtures::bound_claim(&claim_name(), "50Gi");
    observed.claims.extend(VolumeClaim::read(&claim));
    (valid, observed)
}

/// Two passes on the same observation: the caches and the pods' reports lag behind. Returns what they raised.
async fn grow_twice(client: Client) -> Vec<Carried> {
    let (valid, observed) = full();
    let context = context(client, &caches(None, vec![]));
    let decided = Decided::of(fixtures::settled(&valid));
    let mut carried = Vec::new();
    for _ in 0..2 {
        let meta = fixtures::indexer().metadata;
        carried.push(
            carry_out(&valid, &decided, &observed, None, &meta, &context)
                .await
                .unwrap(),
        );
    }
    carried
}

#[tokio::test]
async fn a_volume_grows_once_for_one_report_and_an_event_tells() {
    let (client, calls) = api_server(as_decided_on);
    let carried = grow_twice(client).await;
    assert_eq!(
        body_of(&calls, &raise())["spec"]["resources"]["requests"]["storage"],
        "63Gi"
    );
    let told = |carried: &Carried| {
        let told = notices(&full().1, Some(carried)).into_iter();
        told.map(|notice| (notice.reason, notice.note)).collect::<Vec<_>>()
    };
    let note = format!(
        "volumes of revision {} grow from 50Gi to 63Gi, because {} had too little room",
        fixtures::valid().revision,
        pod_name(0)
    );
    assert_eq!(told(&carried[0]), [("VolumesGrow", note)]);
    assert_eq!(told(&carried[1]), []);
}

#[tokio::test]
async fn a_volume_that_is_not_let_grow_has_not_grown() {
    let (client, calls) = api_server(|call| {
        let refusal = json!({"status": "Failure", "code": 403, "reason": "Forbidden", "message": "exceeded quota: q"});
        (call == raise()).then_some(refusal).or_else(|| as_decided_on(call))
    });
    let carried = grow_twice(client).await;
    assert!(carried.iter().all(|carried| carried.grown.is_empty()));
    body_of(&calls, &raise());
    assert!(carried[1].again_after.is_some(), "it is tried again");
}
