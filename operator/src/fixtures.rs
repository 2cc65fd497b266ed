//! Objects for tests, and an API server that answers from a script.

use std::sync::{Arc, Mutex};

use axum::http::{Request, Response, StatusCode};
use crds::{
    Indexer, IndexerStatus, OperatorStatus, Phase, PodRow,
    pod::{self, BlockRun, BlockUnderWay, Check, Memory},
};
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{PersistentVolumeClaim, Pod},
    },
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::{Client, client::Body};
use serde_json::{Value, json};

use crate::{
    access::AccessRules,
    facts::{ContainerMemory, Observed, ObservedPod, Sample, Target},
    installation, names,
    objects::Key,
    plan::Plan,
    pod_defaults::PodDefaults,
    rollout::{Decision, World, decide},
    validate::{Defaults, ValidIndexer, validate},
};

/// An Indexer `ns/one` with a spec that leaves everything to the defaults, which its operator has taken and not looked at.
pub(crate) fn indexer() -> Indexer {
    let mut indexer: Indexer = serde_yaml::from_str(
        "
apiVersion: shrewd.dev/v1alpha1
kind: Indexer
metadata: {name: one, namespace: ns, uid: uid-1, generation: 1}
spec:
  module:
    sha256: abababababababababababababababababababababababababababababababab
    configMap: {name: guest, key: module.wasm}
  chain:
    network: regtest
    source: {bitcoind: {urls: ['http://bitcoind:18443'], authSecretRef: {name: rpc}}}
",
    )
    .unwrap();
    indexer.status = Some(IndexerStatus {
        observed_generation: -1,
        operator: Some(operator()),
        ..IndexerStatus::default()
    });
    indexer
}

pub(crate) fn indexer_asking(annotation: &str, id: &str) -> Indexer {
    let mut indexer = indexer();
    indexer.metadata.annotations = Some([(annotation.to_owned(), id.to_owned())].into());
    indexer
}

pub(crate) fn defaults() -> Defaults {
    Defaults {
        image: "shrewd-indexer:test".into(),
        plain_http_registries: Vec::new(),
        pods: PodDefaults::default(),
        access: Some(access_rules()),
    }
}

/// The operator that looks after the Indexer.
pub(crate) fn operator() -> OperatorStatus {
    installation::operator("shrewd-system/shrewd".into(), None, &defaults())
}

pub(crate) fn access_rules() -> AccessRules {
    let rules = json!({
        "operator": {"podSelector": {"matchLabels": {"app": "operator"}}, "namespaceSelector": {}},
        "metrics": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
    });
    rules.to_string().parse().unwrap()
}

pub(crate) fn valid() -> ValidIndexer {
    validate(&indexer(), &defaults()).unwrap()
}

pub(crate) fn key() -> Key {
    Key {
        namespace: "ns".into(),
        name: "one".into(),
    }
}

/// The decision for an Indexer of which nothing exists yet: its own revision serves.
pub(crate) fn settled(valid: &ValidIndexer) -> Decision {
    let observed = Observed::default();
    decide(valid, &World::of(valid, &observed, None, None, Timestamp::UNIX_EPOCH))
}

/// What a pod says that has indexed up to this height, which is the tip.
pub(crate) fn following(height: u32) -> pod::Status {
    let check = |reason: &str| Check {
        ok: Some(true),
        reason: reason.into(),
        message: String::new(),
    };
    pod::Status {
        version: "0.2.0".into(),
        indexer: key().to_string(),
        revision: valid().revision,
        module_sha256: "ab".repeat(32),
        store_format: Some(crds::STORE_FORMAT),
        store: None,
        volume: Some(pod::Volume {
            capacity_bytes: 50 << 30,
            free_bytes: 40 << 30,
            ..pod::Volume::default()
        }),
        phase: Phase::Following,
        ready: true,
        height: Some(height),
        block_hash: Some("cd".repeat(32)),
        digest: Some("ef".repeat(32)),
        tip: Some(height),
        behind: Some(0),
        blocks_per_second: None,
        seconds_left: None,
        module: check(pod::module_reasons::VERIFIED),
        source: check(pod::source_reasons::FOLLOWING),
        memory: Memory {
            guest_bytes: 30 << 20,
            guest_peak_bytes: 61 << 20,
            guest_peak_height: Some(90),
            resident_bytes: 200 << 20,
            threshold_bytes: 64 << 20,
            limit_bytes: 4 << 30,
            ..Memory::default()
        },
        trouble: None,
        halt: None,
        last_refresh_request: None,
        block_under_way: None,
        lineage: Vec::new(),
        snapshots: None,
        seed: pod::Check::default(),
    }
}

/// Block 101, which has been running for so many seconds.
pub(crate) fn under_way(seconds: u64) -> BlockUnderWay {
    BlockUnderWay {
        seconds,
        since: Time(Timestamp::UNIX_EPOCH),
        ..BlockUnderWay::now(101, "cd".repeat(32), BlockRun::First, 1)
    }
}

pub(crate) fn target(pod: &str) -> Target {
    Target {
        pod: pod.into(),
        uid: format!("uid-of-{pod}"),
        restarts: 0,
        address: [127, 0, 0, 1].into(),
        indexer: key().to_string(),
        revision: valid().revision,
    }
}

/// A pod that runs and is ready, not sampled yet.
pub(crate) fn observed_pod(name: &str) -> ObservedPod {
    ObservedPod {
        name: name.into(),
        uid: format!("uid-of-{name}"),
        version: Some("1".into()),
        labels: names::pod_labels("one", &valid().revision),
        revision: valid().revision,
        template: Some("new".into()),
        same_template: None,
        ready: true,
        terminating: false,
        orphan: false,
        kept_out: false,
        restarts: 0,
        memory: ContainerMemory::default(),
        resize: None,
        out_of_memory: false,
        trouble: None,
        last_words: None,
        target: Some(target(name)),
        sample: Sample::NotRunning,
    }
}

/// A pod that runs, is ready and follows the chain.
pub(crate) fn answering_pod(name: &str) -> ObservedPod {
    ObservedPod {
        sample: Sample::Answer(Box::new(following(100))),
        ..observed_pod(name)
    }
}

/// The set of the revision of [`valid`], at this template.
pub(crate) fn stateful_set(template: &str) -> StatefulSet {
    let name = names::of_revision("one", &valid().revision);
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "ns", "generation": 1},
        "status": {"replicas": 1, "observedGeneration": 1, "updateRevision": template},
    }))
    .unwrap()
}

/// The row of a pod in a status.
pub(crate) fn row(name: &str) -> PodRow {
    PodRow {
        name: name.into(),
        uid: Some(format!("uid-of-{name}")),
        revision: valid().revision,
        phase: Phase::Following,
        height: Some(100),
        guest_bytes: None,
        resident_bytes: None,
        restarts: 0,
        message: None,
    }
}

/// A pod of `ns/one`, owned by the set of its revision, as the API server has it.
pub(crate) fn pod(name: &str, status: &Value) -> Pod {
    let mut labels = names::pod_labels("one", &valid().revision);
    labels.insert("controller-revision-hash".into(), "new".into());
    labels.insert(names::LABEL_SERVES.into(), names::SERVES.into());
    let set = names::of_revision("one", &valid().revision);
    let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": set, "uid": format!("uid-of-{set}"),
                       "controller": true});
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "ns", "uid": format!("uid-of-{name}"), "resourceVersion": "1",
                     "labels": labels,
                     "ownerReferences": [owner]},
        "status": status,
    }))
    .unwrap()
}

/// The annotations of a claim that carries the record of the revision of [`valid`].
fn stamp() -> Value {
    let record = settled(&valid()).sets[0].1.text();
    json!({names::ANNOTATION_RECORD: record, names::ANNOTATION_INDEXER_UID: valid().uid})
}

/// A claim of `ns/one` for a pod of the revision of [`valid`], as the API server has it.
pub(crate) fn claim(name: &str, size: &str, status: &Value) -> PersistentVolumeClaim {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "ns", "uid": format!("uid-of-{name}"), "resourceVersion": "1",
                     "labels": names::pod_labels("one", &valid().revision), "annotations": stamp()},
        "spec": {"resources": {"requests": {"storage": size}}},
        "status": status,
    }))
    .unwrap()
}

/// A claim with a volume of the size that is asked for.
pub(crate) fn bound_claim(name: &str, size: &str) -> PersistentVolumeClaim {
    claim(name, size, &json!({"phase": "Bound", "capacity": {"storage": size}}))
}

pub(crate) fn running_status() -> Value {
    json!({
        "phase": "Running",
        "podIP": "10.0.0.7",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "indexer", "image": "i", "imageID": "", "ready": true, "restartCount": 0,
                               "state": {"running": {}}}],
    })
}

/// A plan as the API server has it once it was applied: with fields of the server's own.
pub(crate) fn live(plan: &Plan) -> Observed {
    let children = plan.children.iter().map(|child| {
        let mut body = child.body.clone();
        body["metadata"]["resourceVersion"] = json!("1");
        body["metadata"]["uid"] = json!(format!("uid-of-{}", child.name));
        ((child.kind, child.name.clone()), body)
    });
    Observed {
        children: children.collect(),
        ..Observed::default()
    }
}

pub(crate) fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Condition {
    Condition {
        type_: type_.into(),
        status: status.into(),
        reason: reason.into(),
        message: message.into(),
        observed_generation: Some(1),
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
    }
}

/// A call as `METHOD path`, and its body.
pub(crate) type Call = (String, Value);

/// An API server that stores nothing: it answers a write with the object written, a list with an empty one, or
/// what `refuse` says, and keeps a list of the calls.
pub(crate) fn api_server(refuse: fn(&str) -> Option<Value>) -> (Client, Arc<Mutex<Vec<Call>>>) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let seen = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Some((request, send)) = handle.next_request().await {
            let call = format!("{} {}", request.method(), request.uri().path());
            let body = request.into_body().collect_bytes().await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let (code, answer) = match refuse(&call) {
                Some(status) => (
                    u16::try_from(status["code"].as_u64().unwrap())
                        .ok()
                        .and_then(|code| StatusCode::from_u16(code).ok())
                        .unwrap(),
                    status,
                ),
                None if call.starts_with("GET ") => (StatusCode::OK, json!({"metadata": {}, "items": []})),
                None => (StatusCode::OK, answered(&body)),
            };
            seen.lock().unwrap().push((call, body));
            let body = Body::from(serde_json::to_vec(&answer).unwrap());
            send.send_response(Response::builder().status(code).body(body).unwrap());
        }
    });
    (Client::new(service, "default"), calls)
}

fn answered(body: &Value) -> Value {
    if body["kind"] == "DeleteOptions" || body["apiVersion"].is_null() {
        return json!({"kind": "Status", "apiVersion": "v1", "status": "Success"});
    }
    let mut answer = body.clone();
    answer["metadata"]["resourceVersion"] = json!("2");
    answer
}
