//! What an operator meets in the life of a cluster: an API server that is gone, a definition that is not there or goes, an
//! Indexer that cannot be read, clocks that are wrong.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crds::Indexer;
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, Service, ServiceAccount},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
        storage::v1::StorageClass,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    jiff::{SignedDuration, Timestamp},
};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::ApiResource,
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    api_server::{ApiServer, NAMESPACE},
    indexer,
    process::{LEASE, Operator},
    stand_in, within,
};

const LONG: Duration = Duration::from_secs(90);
/// Longer than a call may take and than a watch can be silent unnoticed.
const GONE: Duration = Duration::from_secs(60);
/// The name of the definition.
const DEFINITION: &str = "indexers.shrewd.dev";

async fn start() -> (ApiServer, Client, Api<Indexer>) {
    let server = ApiServer::start(&["admin", "operator", "a", "b", "stand-in"]).await;
    let client = server.client("admin").await;
    let indexers = Api::namespaced(client.clone(), NAMESPACE);
    (server, client, indexers)
}

async fn create(indexers: &Api<Indexer>, name: &str) {
    indexers.create(&PostParams::default(), &indexer(name)).await.unwrap();
}

async fn change(indexers: &Api<Indexer>, name: &str, spec: Value) {
    let patch = Patch::Merge(json!({ "spec": spec }));
    indexers.patch(name, &PatchParams::default(), &patch).await.unwrap();
}

/// Waits until the status is that of the spec.
async fn follows(indexers: &Api<Indexer>, name: &str) -> Duration {
    let follows = async || {
        let now = indexers.get(name).await.ok()?;
        (now.metadata.generation == Some(now.status?.observed_generation)).then_some(())
    };
    within(&format!("the status of {name} follows its spec"), LONG, follows)
        .await
        .1
}

fn condition(indexer: &Indexer, type_: &str) -> Option<(String, String)> {
    let conditions = &indexer.status.as_ref()?.conditions;
    let found = conditions.iter().find(|condition| condition.type_ == type_)?;
    Some((found.status.clone(), found.reason.clone()))
}

#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn an_api_server_that_is_gone_for_a_minute_is_waited_for() {
    let (server, _client, indexers) = start().await;
    let mut operator = Operator::start_alone("operator", &server, &[]);
    create(&indexers, "one").await;
    follows(&indexers, "one").await;
    // What is under way at that moment gets no answer.
    create(&indexers, "two").await;
    change(&indexers, "one", json!({"memory": {"threshold": "100Mi"}})).await;
    server.signal(Signal::STOP);
    tokio::time::sleep(GONE).await;
    assert_eq!(operator.ended(), None, "it waits");
    server.signal(Signal::CONT);
    let took = (follows(&indexers, "one").await, follows(&indexers, "two").await);
    change(&indexers, "one", json!({"memory": {"threshold": "110Mi"}})).await;
    let later = follows(&indexers, "one").await;
    println!("back: {took:?}, a change after that: {later:?}");
    assert_eq!(operator.ended(), None);
    // The pass over the one that was new failed; the next one makes the rest. Six of each Indexer, but for the one that
    // was under way: it may be made and answered with a timeout.
    let mut made = within("all is made", LONG, async || {
        let made = made_by_the_operator(&server);
        (made.len() >= 11).then_some(made)
    })
    .await
    .0;
    let all = made.len();
    made.sort();
    made.dedup();
    assert_eq!(made.len(), all, "an object was made twice: {made:?}");
}

/// Kinds and names of the objects that the operator made, without events.
fn made_by_the_operator(server: &ApiServer) -> Vec<(String, String)> {
    let made = server
        .writes()
        .into_iter()
        .filter(|write| write.user == "operator" && write.code == 201 && !write.resource.starts_with("events"));
    made.map(|write| (write.resource, write.name)).collect()
}

#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn a_definition_that_is_missing_or_goes_is_waited_for() {
    let (server, client, indexers) = start().await;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    remove(&definitions).await;
    let mut operator = Operator::start_alone("operator", &server, &[]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        (operator.ended(), operator.says().await.unwrap().0),
        (None, false),
        "not ready"
    );
    install(&definitions, &indexers).await;
    create(&indexers, "one").await;
    println!("installed: {:?}", follows(&indexers, "one").await);
    assert!(operator.says().await.unwrap().0, "ready");

    // With it every Indexer goes, and then what they own.
    remove(&definitions).await;
    collect(&client).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(operator.ended(), None);
    install(&definitions, &indexers).await;
    create(&indexers, "one").await;
    println!("put back: {:?}", follows(&indexers, "one").await);
    let sets: Api<StatefulSet> = Api::namespaced(client, NAMESPACE);
    within("its set is made", LONG, async || {
        let sets = sets.list(&ListParams::default()).await.unwrap();
        (sets.items.len() == 1).then_some(())
    })
    .await;
    assert_eq!(operator.ended(), None);
}

async fn remove(definitions: &Api<CustomResourceDefinition>) {
    definitions.delete(DEFINITION, &DeleteParams::default()).await.unwrap();
    let is_gone = async || definitions.get_opt(DEFINITION).await.unwrap().is_none().then_some(());
    within("the definition is gone", LONG, is_gone).await;
}

async fn install(definitions: &Api<CustomResourceDefinition>, indexers: &Api<Indexer>) {
    definitions.create(&PostParams::default(), &crds::crd()).await.unwrap();
    let is_served = async || indexers.list(&ListParams::default()).await.ok();
    within("the definition is served", LONG, is_served).await;
}

/// What the garbage collector does when all Indexers are gone.
async fn collect(client: &Client) {
    let kinds = [
        ApiResource::erase::<StatefulSet>(&()),
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<ServiceAccount>(&()),
        ApiResource::erase::<NetworkPolicy>(&()),
        ApiResource::erase::<PodDisruptionBudget>(&()),
    ];
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=shrewd-operator");
    for kind in kinds {
        let objects: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &kind);
        for object in objects.list_metadata(&ours).await.unwrap() {
            let name = object.metadata.name.unwrap();
            objects.delete(&name, &DeleteParams::default()).await.unwrap();
        }
    }
}

#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn an_indexer_that_cannot_be_read_stops_no_other() {
    let (server, client, indexers) = start().await;
    // A definition of another version may allow what this one cannot read.
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut loose = definitions.get(DEFINITION).await.unwrap();
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = loose.spec.versions[0].schema.as_mut().unwrap();
    version.open_api_v3_schema = Some(serde_json::from_value(schema).unwrap());
    definitions
        .replace(DEFINITION, &PostParams::default(), &loose)
        .await
        .unwrap();
    let kind = ApiResource::erase::<Indexer>(&());
    let any: Api<DynamicObject> = Api::namespaced_with(client, NAMESPACE, &kind);
    let broken = json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "broken"},
                        "spec": {"module": "an older form"}});
    let broken: DynamicObject = serde_json::from_value(broken).unwrap();
    within("the loose definition is in force", LONG, async || {
        let created = any.create(&PostParams::default(), &broken).await;
        created.inspect_err(|error| println!("not yet: {error}")).ok()
    })
    .await;
    create(&indexers, "good").await;
    let mut operator = Operator::start_alone("operator", &server, &[]);
    follows(&indexers, "good").await;
    let status = async || any.get("broken").await.unwrap().data["status"].clone();
    let is_stalled = async || {
        let conditions = status().await["conditions"].as_array()?.clone();
        let stalled = conditions
            .into_iter()
            .find(|condition| condition["type"] == "Stalled")?;
        (stalled["reason"] == "InvalidSpec").then_some(stalled)
    };
    let (stalled, _) = within("it is stalled", LONG, is_stalled).await;
    println!("{}", stalled["message"]);
    change(&indexers, "good", json!({"memory": {"threshold": "100Mi"}})).await;
    let took = follows(&indexers, "good").await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(
        status().await["operator"]["installation"],
        json!(format!("{NAMESPACE}/shrewd-operator"))
    );
    // Repaired.
    let repaired = Patch::Merge(json!({"spec": indexer("broken").spec}));
    any.patch("broken", &PatchParams::default(), &repaired).await.unwrap();
    within("it is read", LONG, async || {
        let now = indexers.get("broken").await.ok()?;
        (condition(&now, "Stalled")?.0 == "False").then_some(())
    })
    .await;
    assert_eq!(operator.ended(), None);
}

/// Seconds by which a clock is ahead of that of the API server, or behind.
const SKEW: i64 = 60;

/// A library that, loaded into a process, has its clock go by so many seconds wrong; that of elapsed time stays right.
fn wrong_clock(folder: &Path, seconds: i64) -> PathBuf {
    let (source, library) = (folder.join("clock.c"), folder.join(format!("clock{seconds}.so")));
    let code = format!(
        "#define _GNU_SOURCE\n#include <sys/syscall.h>\n#include <time.h>\n#include <unistd.h>\n\
         int clock_gettime(clockid_t id, struct timespec *t) {{\n\
         int failed = syscall(SYS_clock_gettime, id, t);\n\
         if (!failed && id == CLOCK_REALTIME) t->tv_sec += {seconds};\n\
         return failed;\n}}\n"
    );
    std::fs::write(&source, code).unwrap();
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .status();
    assert!(compiled.expect("run cc").success());
    library
}

/// Two operators, two minutes apart. The one that is ahead leads first, so whatever it notes is still to come for the other
/// one; nothing goes wrong but the times that people read.
#[tokio::test]
#[ignore = "needs tests/kind/control-plane and cc"]
async fn clocks_that_are_a_minute_wrong_change_nothing_but_the_times_that_are_shown() {
    let (server, client, indexers) = start().await;
    let class = json!({"metadata": {"name": "local"}, "provisioner": "none"});
    let class: StorageClass = serde_json::from_value(class).unwrap();
    Api::all(client.clone())
        .create(&PostParams::default(), &class)
        .await
        .unwrap();
    let plays = tokio::spawn(stand_in::play(server.client("stand-in").await));
    let wrong = |name: &str, seconds| {
        let library = wrong_clock(&server.path("."), seconds);
        Operator::start_with(
            name,
            name,
            &server,
            server.port,
            &["--lease", LEASE],
            &[("LD_PRELOAD", library.as_path())],
        )
    };
    let mut ahead = wrong("a", SKEW);
    create(&indexers, "one").await;
    change(&indexers, "one", json!({"rollout": {"soak": "1s"}})).await;
    let first = serves(&indexers, None).await;
    let seen = indexers.get("one").await.unwrap();
    let ready = seen
        .status
        .as_ref()
        .unwrap()
        .conditions
        .iter()
        .find(|condition| condition.type_ == "Ready");
    let shown = ready.unwrap().last_transition_time.0;
    let by = shown.duration_since(Timestamp::now());
    assert!(by > SignedDuration::from_secs(SKEW / 2), "its clock is ahead: {by:?}");
    // To a second revision, which is later than everything that the other one's clock will say for two minutes.
    change(&indexers, "one", json!({"module": {"sha256": "3b2f".repeat(16)}})).await;
    let second = serves(&indexers, Some(&first)).await;

    let behind = wrong("b", -SKEW);
    within("it stands by", LONG, async || {
        behind.says().await.filter(|says| *says == (true, false))
    })
    .await;
    let killed = std::time::Instant::now();
    ahead.kill().await;
    within("it leads", LONG, async || behind.says().await.filter(|says| says.1)).await;
    println!("taken over after {:?}", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(20));

    // Back, by the one that is behind. When all is lost that names the revision that serves, records do: this is the
    // later move, whatever the clocks say.
    change(&indexers, "one", json!({"module": {"sha256": "3b1f".repeat(16)}})).await;
    assert_eq!(serves(&indexers, Some(&second)).await, first);
    // Neither of them is declared, so none is taken for the one that serves because of that.
    let third = json!({"module": {"sha256": "3b3f".repeat(16)}, "rollout": {"activateAt": 2_000_000}});
    change(&indexers, "one", third).await;
    follows(&indexers, "one").await;
    let services: Api<Service> = Api::namespaced(client.clone(), NAMESPACE);
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(client, NAMESPACE);
    behind.signal(Signal::STOP);
    let params = DeleteParams::default();
    services.delete("one", &params).await.unwrap();
    budgets.delete("one", &params).await.unwrap();
    let erased = Patch::Merge(json!({"status": {"active": null}}));
    indexers
        .patch_status("one", &PatchParams::default(), &erased)
        .await
        .unwrap();
    behind.signal(Signal::CONT);
    let (selected, _) = within("the Service is back", LONG, async || {
        let service = json!(services.get_opt("one").await.unwrap()?);
        service["spec"]["selector"]["shrewd.dev/revision"]
            .as_str()
            .map(str::to_owned)
    })
    .await;
    assert_eq!(selected, first, "{second} served before");
    plays.abort();
}

/// Waits until another revision than this one serves and is ready.
async fn serves(indexers: &Api<Indexer>, other_than: Option<&str>) -> String {
    let serves = async || {
        let now = indexers.get("one").await.unwrap();
        let revision = now.status.as_ref()?.active.as_ref()?.revision.to_string();
        let is_ready = condition(&now, "Ready")?.0 == "True"
            && now.metadata.generation == Some(now.status.as_ref()?.observed_generation);
        (is_ready && Some(revision.as_str()) != other_than).then_some(revision)
    };
    within("a revision serves", LONG, serves).await.0
}
