mod deciding;
mod growing;
mod holding;
mod keeping;
mod resizing;
mod upgrading;

use std::sync::Mutex;

use crds::{Indexer, IndexerStatus};
use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Pod};
use kube::{
    Client,
    core::DeserializeGuard,
    runtime::{events::Reporter, watcher},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    cache::{Cache, Kind},
    fixtures::{self, Call, api_server},
    memory::Memories,
    metrics::Metrics,
    names,
    objects::ChildKind,
    observe::{Stores, is_rebuilding, listing},
    plan::{Plan, plan},
    pod_client::PodClient,
    sampler::Sampler,
    storage::Sizes,
};

/// Caches a test fills by hand.
struct Caches {
    stores: Stores,
    _writers: Vec<Box<dyn std::any::Any>>,
}

fn cache<K: Kind>(objects: Vec<K>) -> (Cache<K>, Box<dyn std::any::Any>) {
    marking(objects, |_| false)
}

fn marking<K: Kind>(objects: Vec<K>, mark: fn(&K) -> bool) -> (Cache<K>, Box<dyn std::any::Any>) {
    let (cache, mut writer) = crate::cache::cache(mark);
    writer.write(watcher::Event::Init);
    for object in objects {
        writer.write(watcher::Event::InitApply(object));
    }
    writer.write(watcher::Event::InitDone);
    (cache, Box::new(writer))
}

/// Caches of sets have a mark.
fn cache_of_sets(sets: Vec<StatefulSet>) -> (Cache<StatefulSet>, Box<dyn std::any::Any>) {
    marking(sets, is_rebuilding)
}

/// Caches that hold what a plan has made, and these pods.
fn caches(plan: Option<&Plan>, pods: Vec<Pod>) -> Caches {
    fn made<K: serde::de::DeserializeOwned>(plan: Option<&Plan>, kind: ChildKind) -> Vec<K> {
        let live = plan.map(fixtures::live).unwrap_or_default();
        let of_kind = live.children.into_iter().filter(|((k, _), _)| *k == kind);
        of_kind.map(|(_, body)| serde_json::from_value(body).unwrap()).collect()
    }
    let (stateful_sets, a) = cache_of_sets(made(plan, ChildKind::StatefulSet));
    let (config_maps, b) = cache(made(plan, ChildKind::ConfigMap));
    let (services, c) = cache(made(plan, ChildKind::Service));
    let (service_accounts, d) = cache(made(plan, ChildKind::ServiceAccount));
    let (budgets, e) = cache(made(plan, ChildKind::PodDisruptionBudget));
    let (pods, f) = cache(pods);
    let (claims, g) = cache(vec![]);
    let (network_policies, h) = cache(made(plan, ChildKind::NetworkPolicy));
    let stores = Stores {
        stateful_sets,
        pods,
        config_maps,
        services,
        service_accounts,
        network_policies,
        budgets,
        claims,
    };
    Caches {
        stores,
        _writers: vec![a, b, c, d, e, f, g, h],
    }
}

fn context(client: Client, caches: &Caches) -> Arc<Context> {
    let metrics = Metrics::new().unwrap();
    let (wake, _) = tokio::sync::mpsc::channel(1);
    let pods = PodClient::new().unwrap();
    let reporter = Reporter {
        controller: names::MANAGER.into(),
        instance: Some("test".into()),
    };
    let (listing, listed) = listing();
    listing.announce();
    Arc::new(Context {
        reporter,
        client,
        stores: caches.stores.clone(),
        listed,
        sampler: Arc::new(Sampler::new(pods.clone(), wake, metrics.clone())),
        pods,
        metrics,
        operator: fixtures::operator(),
        defaults: fixtures::defaults(),
        pauses: Pauses::default(),
        max_rollouts: 1,
        history: Arc::new(History::default()),
        ledger: Ledger::new(&Pauses::default()),
    })
}

fn watched() -> Arc<Watched> {
    Arc::new(DeserializeGuard(Ok(fixtures::indexer())))
}

fn planned() -> Plan {
    let valid = fixtures::valid();
    plan(
        &valid,
        &fixtures::settled(&valid),
        &Sizes::default(),
        &Memories::default(),
    )
}

/// The name of a pod of the one set there is.
fn pod_name(ordinal: u32) -> String {
    format!("{}-{ordinal}", set_name())
}

/// What the API server has of what a pass was decided on: one set, one pod, two Services, all in their first version.
fn as_decided_on(call: &str) -> Option<Value> {
    let object = |name: &str| json!({"metadata": {"uid": format!("uid-of-{name}"), "resourceVersion": "1"}});
    let list = |items: Vec<Value>| Some(json!({"code": 200, "metadata": {}, "items": items}));
    match call {
        "GET /api/v1/namespaces/ns/pods" => list(vec![object(&pod_name(0))]),
        "GET /apis/apps/v1/namespaces/ns/statefulsets" => list(vec![object(&set_name())]),
        "GET /api/v1/namespaces/ns/services" => list(vec![object("one"), object("one-pods")]),
        "GET /apis/shrewd.dev/v1alpha1/namespaces/ns/indexers/one" => {
            let status = json!({"operator": fixtures::operator()});
            Some(json!({"code": 200, "metadata": {"uid": "uid-1", "generation": 1}, "status": status}))
        }
        _ => None,
    }
}

fn set_name() -> String {
    names::of_revision("one", &fixtures::valid().revision)
}

/// The body of a call, which must have been made once.
fn body_of(calls: &Mutex<Vec<Call>>, call: &str) -> Value {
    let calls = calls.lock().unwrap();
    let found: Vec<&Call> = calls.iter().filter(|(made, _)| made == call).collect();
    assert_eq!(found.len(), 1, "{calls:?}");
    found[0].1.clone()
}

/// The last status written.
fn last_status(calls: &Mutex<Vec<Call>>) -> Value {
    let calls = calls.lock().unwrap();
    let written = calls
        .iter()
        .rev()
        .find(|(call, _)| call.ends_with("/indexers/one/status"));
    written.unwrap().1["status"].clone()
}

/// The notes of events with this reason.
fn notes(calls: &Mutex<Vec<Call>>, reason: &str) -> Vec<String> {
    let calls = calls.lock().unwrap();
    let events = calls
        .iter()
        .filter(|(call, body)| call.starts_with("POST ") && body["reason"] == reason);
    events
        .map(|(_, body)| body["note"].as_str().unwrap().to_owned())
        .collect()
}

/// Kind, reason and number of the objects written, as the metric has them.
fn counted(context: &Context) -> Vec<String> {
    let text = String::from_utf8(context.metrics.text().unwrap()).unwrap();
    let of_changes = text
        .lines()
        .filter_map(|line| line.split_once("_changes_total{kind=\""));
    of_changes
        .map(|(_, rest)| rest.replace("\",reason=\"", " ").replace("\"}", ""))
        .collect()
}

/// The writes among the calls.
fn names_of(calls: &Mutex<Vec<Call>>) -> Vec<String> {
    let calls = calls.lock().unwrap();
    let names = calls.iter().map(|(call, _)| call.clone());
    names.filter(|call| !call.starts_with("GET ")).collect()
}

fn last_condition(calls: &Mutex<Vec<Call>>, type_: &str) -> Value {
    let calls = calls.lock().unwrap();
    let (_, body) = calls
        .iter()
        .rev()
        .find(|(call, _)| call.ends_with("/indexers/one/status"))
        .unwrap();
    body["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["type"] == type_)
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_new_indexer_gets_its_objects_in_order_and_then_a_status() {
    let (client, calls) = api_server(|_| None);
    let caches = caches(None, vec![]);
    let action = reconcile(watched(), context(client, &caches)).await.unwrap();
    assert_eq!(action, Action::await_change());
    let of_revision = names::of_revision("one", &fixtures::valid().revision);
    assert_eq!(
        names_of(&calls),
        [
            "PATCH /api/v1/namespaces/ns/serviceaccounts/one".to_owned(),
            format!("PATCH /api/v1/namespaces/ns/configmaps/{of_revision}"),
            "PATCH /api/v1/namespaces/ns/services/one".to_owned(),
            "PATCH /api/v1/namespaces/ns/services/one-pods".to_owned(),
            "PATCH /apis/networking.k8s.io/v1/namespaces/ns/networkpolicies/one".to_owned(),
            "PATCH /apis/policy/v1/namespaces/ns/poddisruptionbudgets/one".to_owned(),
            format!("PATCH /apis/apps/v1/namespaces/ns/statefulsets/{of_revision}"),
            "PATCH /apis/shrewd.dev/v1alpha1/namespaces/ns/indexers/one/status".to_owned(),
        ]
    );
    assert_eq!(last_condition(&calls, "Ready")["reason"], "RollingPods");
    // A namesake made in the meantime must not get it.
    assert_eq!(calls.lock().unwrap().last().unwrap().1["metadata"]["uid"], "uid-1");
}

#[tokio::test]
async fn an_object_of_somebody_else_is_left_alone_and_looked_at_again() {
    let (client, calls) = api_server(|call| {
        let theirs = json!({"metadata": {"name": "one", "labels": {"app": "theirs"}}});
        (call == "GET /api/v1/namespaces/ns/services").then(|| json!({"code": 200, "metadata": {}, "items": [theirs]}))
    });
    let caches = caches(None, vec![]);
    let context = context(client, &caches);
    let error = reconcile(watched(), Arc::clone(&context)).await.unwrap_err();
    assert_eq!(
        error_policy(watched(), &error, context),
        Action::requeue(Duration::from_secs(300))
    );
    let writes = names_of(&calls);
    assert!(!writes.iter().any(|call| call.contains("/services/")), "{writes:?}");
    let stalled = last_condition(&calls, "Stalled");
    assert_eq!(stalled["reason"], "ApplyFailed");
    assert_eq!(
        stalled["message"],
        "Service one exists but does not belong to this Indexer"
    );
}

#[tokio::test]
async fn what_an_orphaning_delete_left_is_taken_over() {
    let (client, calls) = api_server(|call| {
        let orphan = json!({"metadata": {"name": "one", "labels": {"shrewd.dev/indexer": "one"}}});
        (call == "GET /api/v1/namespaces/ns/services").then(|| json!({"code": 200, "metadata": {}, "items": [orphan]}))
    });
    let caches = caches(None, vec![]);
    reconcile(watched(), context(client, &caches)).await.unwrap();
    let writes = names_of(&calls);
    assert!(
        writes.contains(&"PATCH /api/v1/namespaces/ns/services/one".to_owned()),
        "{writes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_ends() {
    let (service, _handle) =
        tower_test::mock::pair::<axum::http::Request<kube::client::Body>, axum::http::Response<kube::client::Body>>();
    let key = Key::of(watched().meta());
    let failed = apply::status(
        &Client::new(service, "default"),
        &key,
        "uid-1",
        None,
        &IndexerStatus::default(),
    )
    .await;
    let error = failed.unwrap_err();
    assert_eq!(error.class(), Class::RetryLater);
    assert!(
        error.explanation().ends_with("no answer within 35 s"),
        "{}",
        error.explanation()
    );
}

#[tokio::test]
async fn nothing_is_written_when_nothing_changed() {
    let (client, calls) = api_server(|_| None);
    let caches = caches(Some(&planned()), vec![]);
    let context = context(client, &caches);
    reconcile(watched(), Arc::clone(&context)).await.unwrap();
    assert_eq!(
        names_of(&calls),
        ["PATCH /apis/shrewd.dev/v1alpha1/namespaces/ns/indexers/one/status"]
    );
    // The cached resource has no status yet, as in the moment before the watch brings it.
    reconcile(watched(), context).await.unwrap();
    assert_eq!(calls.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_erased_status_is_written_again_and_its_turns_are_not_reported_twice() {
    let (client, calls) = api_server(as_decided_on);
    let caches = caches(Some(&planned()), vec![]);
    let context = context(client, &caches);
    let mut indexer = fixtures::indexer();
    indexer.spec.suspend = true;
    let watched = |indexer: &Indexer, version: &str| {
        let mut indexer = indexer.clone();
        indexer.metadata.resource_version = Some(version.into());
        Arc::new(DeserializeGuard(Ok(indexer)))
    };
    reconcile(watched(&indexer, "1"), Arc::clone(&context)).await.unwrap();
    let first = names_of(&calls);
    assert!(first.iter().any(|call| call.ends_with("/events")), "{first:?}");
    // Version 2 is that of our own write; the one after it has no status any more.
    indexer.status = None;
    reconcile(watched(&indexer, "3"), context).await.unwrap();
    let again = names_of(&calls).split_off(first.len());
    assert_eq!(
        again.iter().filter(|call| call.ends_with("/status")).count(),
        2, // with nobody's name in it, it is taken first
        "{again:?}"
    );
    assert!(!again.iter().any(|call| call.ends_with("/events")), "{again:?}");
}

#[tokio::test]
async fn a_refused_call_is_told_in_the_servers_words_and_tried_again() {
    let (client, calls) = api_server(|call| {
        let message = "services \"one\" is forbidden: exceeded quota";
        call.ends_with("/services/one")
            .then(|| json!({"status": "Failure", "code": 403, "reason": "Forbidden", "message": message}))
    });
    let caches = caches(None, vec![]);
    let context = context(client, &caches);
    let error = reconcile(watched(), Arc::clone(&context)).await.unwrap_err();
    assert_eq!(error.class(), Class::RetryLater);
    assert_eq!(
        error_policy(watched(), &error, context),
        Action::requeue(Duration::from_secs(1))
    );
    let ready = last_condition(&calls, "Ready");
    assert_eq!(ready["reason"], "ApplyFailed");
    assert!(ready["message"].as_str().unwrap().contains("exceeded quota"), "{ready}");
}

#[tokio::test]
async fn a_status_of_a_resource_that_is_gone_is_no_reason_to_try_again() {
    let (client, _) = api_server(|call| {
        let details = json!({"group": "shrewd.dev", "kind": "indexers", "name": "one"});
        call.ends_with("/status").then(
            || json!({"status": "Failure", "code": 404, "reason": "NotFound", "message": "no", "details": details}),
        )
    });
    let caches = caches(Some(&planned()), vec![]);
    let context = context(client, &caches);
    let error = reconcile(watched(), Arc::clone(&context)).await.unwrap_err();
    assert_eq!(error_policy(watched(), &error, context), Action::await_change());
}

#[tokio::test]
async fn a_resource_that_is_being_deleted_is_left_alone() {
    let (client, calls) = api_server(|_| None);
    let caches = caches(None, vec![]);
    let mut indexer = fixtures::indexer();
    indexer.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
        Timestamp::UNIX_EPOCH,
    ));
    reconcile(Arc::new(DeserializeGuard(Ok(indexer))), context(client, &caches))
        .await
        .unwrap();
    assert_eq!(names_of(&calls), Vec::<String>::new());
}

#[tokio::test]
async fn a_resource_that_cannot_be_read_is_stalled_and_nothing_of_it_is_touched() {
    let (client, calls) = api_server(|call| {
        let read = call == "GET /apis/shrewd.dev/v1alpha1/namespaces/ns/indexers/one";
        let status = json!({"operator": fixtures::operator()});
        read.then(|| {
            json!({"code": 200, "apiVersion": "shrewd.dev/v1alpha1", "kind": "Indexer", "metadata": {"name": "one"},
                            "status": status})
        })
    });
    let caches = caches(Some(&planned()), vec![]);
    let broken = json!({"apiVersion": "shrewd.dev/v1alpha1", "kind": "Indexer",
                        "metadata": {"name": "one", "namespace": "ns", "uid": "uid-1", "generation": 1},
                        "spec": {"module": "an older form"}});
    let broken: Watched = serde_json::from_value(broken).unwrap();
    assert!(broken.0.is_err());
    reconcile(Arc::new(broken), context(client, &caches)).await.unwrap();
    let writes: Vec<String> = names_of(&calls)
        .into_iter()
        .filter(|c| c.starts_with("PATCH"))
        .collect();
    assert_eq!(
        writes,
        ["PATCH /apis/shrewd.dev/v1alpha1/namespaces/ns/indexers/one/status"]
    );
    assert_eq!(last_condition(&calls, "Stalled")["reason"], "InvalidSpec");
}

#[tokio::test]
async fn what_an_earlier_indexer_of_the_name_owns_is_waited_for() {
    let (client, calls) = api_server(|_| None);
    let caches = caches(Some(&planned()), vec![]);
    let mut indexer = fixtures::indexer();
    indexer.metadata.uid = Some("uid-2".into());
    reconcile(Arc::new(DeserializeGuard(Ok(indexer))), context(client, &caches))
        .await
        .unwrap();
    assert_eq!(
        names_of(&calls),
        ["PATCH /apis/shrewd.dev/v1alpha1/namespaces/ns/indexers/one/status"]
    );
    assert_eq!(last_condition(&calls, "Reconciling")["status"], "True");
    assert_eq!(last_condition(&calls, "Stalled")["status"], "False");
    let ready = last_condition(&calls, "Ready");
    assert!(
        ready["message"].as_str().unwrap().contains("ServiceAccount one"),
        "{ready}"
    );
}

#[tokio::test]
async fn an_object_of_a_living_stranger_that_bears_our_labels_is_not_waited_for() {
    let (client, calls) = api_server(|_| None);
    let mut filled = caches(Some(&planned()), vec![]);
    let stranger = json!({"metadata": {"name": "theirs", "namespace": "ns", "labels": {names::LABEL_INDEXER: "one"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "uid-of-web"}]}});
    let (config_maps, writer) = cache(
        filled
            .stores
            .config_maps
            .of(&fixtures::key())
            .into_iter()
            .chain([serde_json::from_value(stranger).unwrap()])
            .collect(),
    );
    filled.stores.config_maps = config_maps;
    filled._writers.push(writer);
    reconcile(watched(), context(client, &filled)).await.unwrap();
    assert_eq!(
        last_condition(&calls, "Ready")["message"],
        "pods are being created or replaced"
    );
    let writes = names_of(&calls);
    assert!(!writes.iter().any(|call| call.contains("theirs")), "{writes:?}");
}

#[tokio::test]
async fn a_pod_that_only_carries_our_labels_is_named_and_otherwise_ignored() {
    let (client, calls) = api_server(|_| None);
    let mut forged = fixtures::pod("forged", &fixtures::running_status());
    forged.metadata.owner_references = None;
    let labels = forged.metadata.labels.as_mut().unwrap();
    labels.insert("controller-revision-hash".into(), "old".into());
    let ours = fixtures::pod(&pod_name(0), &json!({"phase": "Pending"}));
    let caches = caches(Some(&planned()), vec![forged, ours]);
    let context = context(client, &caches);
    for _ in 0..2 {
        reconcile(watched(), Arc::clone(&context)).await.unwrap();
    }
    let rows = last_status(&calls)["pods"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["name"], pod_name(0));
    assert_eq!(rows[0]["uid"], format!("uid-of-{}", pod_name(0)));
    let touched = names_of(&calls).into_iter().find(|call| call.contains("/pods/"));
    assert_eq!(touched, None);
    let notes = notes(&calls, "ForeignPod");
    assert_eq!(notes.len(), 1, "it is named once: {notes:?}");
    assert!(
        notes[0].starts_with("pod forged carries labels of this Indexer"),
        "{notes:?}"
    );
    let available = last_condition(&calls, "Available")["message"].to_string();
    assert!(available.contains("clients may also be sent to forged"), "{available}");
}

#[tokio::test]
async fn a_panic_is_the_error_of_one_indexer() {
    let events = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&events);
    let service = tower::service_fn(move |request: axum::http::Request<kube::client::Body>| {
        let is_event = request.uri().path().ends_with("/events");
        *seen.lock().unwrap() += u32::from(is_event);
        async move {
            assert!(is_event, "a defect");
            Ok::<_, std::convert::Infallible>(axum::http::Response::new(kube::client::Body::from(b"{}".to_vec())))
        }
    });
    let context = context(Client::new(service, "default"), &caches(None, vec![]));
    for pause in [1, 2] {
        let error = reconcile(watched(), Arc::clone(&context)).await.unwrap_err();
        assert!(error.to_string().ends_with("a defect"), "{error}");
        let action = error_policy(watched(), &error, Arc::clone(&context));
        assert_eq!(action, Action::requeue(Duration::from_secs(pause)));
    }
    let text = String::from_utf8(context.metrics.text().unwrap()).unwrap();
    assert!(
        text.contains("reconcile_errors_total{class=\"retry\",step=\"panic\"} 2"),
        "{text}"
    );
    assert_eq!(*events.lock().unwrap(), 1, "it is announced once");
}
