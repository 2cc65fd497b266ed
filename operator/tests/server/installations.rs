//! Several operators that see the same Indexers, without a Lease between them: two installations, two classes, two
//! processes of one installation with different images. Every write of theirs is in the audit log.

use std::{collections::BTreeMap, time::Duration};

use crds::{Indexer, OperatorStatus};
use k8s_openapi::{
    api::{apps::v1::StatefulSet, core::v1::Pod, events::v1::Event, storage::v1::StorageClass},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{
    api_server::{ApiServer, NAMESPACE},
    audit::Write,
    indexer,
    process::Operator,
    stand_in, within,
};

const LONG: Duration = Duration::from_secs(60);
/// So many Indexers, made while operators race for them.
const INDEXERS: usize = 12;
/// Nothing is written for so long.
const REST: Duration = Duration::from_secs(5);

struct Scene {
    server: ApiServer,
    client: Client,
    indexers: Api<Indexer>,
    plays: JoinHandle<()>,
}

impl Scene {
    async fn start() -> Self {
        let server = ApiServer::start(&["admin", "a", "b", "stand-in"]).await;
        let client = server.client("admin").await;
        let class = json!({"metadata": {"name": "local"}, "provisioner": "none"});
        let class: StorageClass = serde_json::from_value(class).unwrap();
        let classes: Api<StorageClass> = Api::all(client.clone());
        classes.create(&PostParams::default(), &class).await.unwrap();
        Self {
            indexers: Api::namespaced(client.clone(), NAMESPACE),
            plays: tokio::spawn(stand_in::play(server.client("stand-in").await)),
            client,
            server,
        }
    }

    async fn make(&self) {
        for name in names() {
            self.indexers
                .create(&PostParams::default(), &indexer(&name))
                .await
                .unwrap();
        }
    }

    async fn change(&self, spec: Value) {
        let patch = Patch::Merge(json!({ "spec": spec }));
        for name in names() {
            self.indexers
                .patch(&name, &PatchParams::default(), &patch)
                .await
                .unwrap();
        }
    }

    async fn owner(&self, name: &str) -> Option<OperatorStatus> {
        self.indexers.get(name).await.unwrap().status?.operator
    }

    /// Whose each Indexer is, once its status is that of its spec and its pods are ready.
    async fn owners(&self) -> BTreeMap<String, OperatorStatus> {
        let mut owners = BTreeMap::new();
        for name in names() {
            let settles = async || {
                let now = self.indexers.get(&name).await.unwrap();
                let status = now.status?;
                let is_ready = status
                    .conditions
                    .iter()
                    .any(|c| c.type_ == "Ready" && c.status == "True");
                (now.metadata.generation == Some(status.observed_generation) && is_ready).then_some(())?;
                status.operator
            };
            let (owner, _) = within(&format!("{name} is ready"), LONG, settles).await;
            owners.insert(name, owner);
        }
        owners
    }

    /// What operators wrote but for events.
    fn work(&self) -> Vec<Write> {
        let writes = self.server.writes().into_iter();
        writes
            .filter(|write| ["a", "b"].contains(&write.user.as_str()) && write.is_work())
            .filter(|write| !write.resource.starts_with("events"))
            .collect()
    }

    /// Waits until no operator has written anything for a while, and returns what was written by then.
    async fn rests(&self) -> Vec<Write> {
        let rests = async || {
            let before = self.work();
            tokio::time::sleep(REST).await;
            (self.work().len() == before.len()).then_some(before)
        };
        within("nothing is written", LONG, rests).await.0
    }

    async fn events(&self, reason: &str) -> Vec<Event> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), NAMESPACE);
        let found = events.list(&ListParams::default()).await.unwrap().items.into_iter();
        found.filter(|event| event.reason.as_deref() == Some(reason)).collect()
    }

    /// The images in the templates of all sets.
    async fn images(&self) -> Vec<String> {
        let sets: Api<StatefulSet> = Api::namespaced(self.client.clone(), NAMESPACE);
        let sets = sets.list(&ListParams::default()).await.unwrap().items.into_iter();
        let images = sets.map(|set| json!(set)["spec"]["template"]["spec"]["containers"][0]["image"].clone());
        images.map(|image| image.as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.plays.abort();
    }
}

fn names() -> impl Iterator<Item = String> {
    (0..INDEXERS).map(|number| format!("index-{number}"))
}

async fn left_alone(operator: &Operator) -> f64 {
    operator.values("left_alone_indexers").await.iter().sum()
}

async fn free(indexers: &Api<Indexer>, name: &str) {
    let freed = Patch::Merge(json!({"status": {"operator": null}}));
    indexers
        .patch_status(name, &PatchParams::default(), &freed)
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn of_two_installations_that_see_an_indexer_one_has_it_and_the_other_says_so() {
    let scene = Scene::start().await;
    // One for all namespaces and one for some, of two images.
    let flags_of_b = [
        "--installation",
        "b",
        "--indexer-image",
        "i:b",
        "--namespaces",
        NAMESPACE,
    ];
    let mut a = Operator::start_alone("a", &scene.server, &["--installation", "a", "--indexer-image", "i:a"]);
    let mut b = Operator::start_alone("b", &scene.server, &flags_of_b);
    scene.make().await;
    let owners = scene.owners().await;
    scene.change(json!({"memory": {"threshold": "100Mi"}})).await;
    assert_eq!(scene.owners().await, owners, "nobody took any");
    let writes = scene.rests().await;
    let mut of_each: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, owner) in &owners {
        let user = owner.installation.strip_prefix(&format!("{NAMESPACE}/")).unwrap();
        *of_each.entry(user).or_default() += 1;
        // What lost the race for it was refused.
        let others: Vec<&Write> = writes
            .iter()
            .filter(|write| write.indexer() == *name && write.user != user && write.code != 409)
            .collect();
        assert!(others.is_empty(), "{name} is {user}'s: {others:#?}");
    }
    println!("of each: {of_each:?}, {} writes", writes.len());
    assert_eq!(left_alone(&a).await + left_alone(&b).await, INDEXERS as f64);
    let events = scene.events("OtherInstallation").await;
    assert_eq!(events.len(), INDEXERS, "one for each: {events:#?}");
    assert!(events.iter().all(|event| event.series.is_none()));

    // One is uninstalled, and the other one gets notice of it, as the event says.
    a.kill().await;
    for (name, owner) in &owners {
        if owner.installation == format!("{NAMESPACE}/a") {
            free(&scene.indexers, name).await;
        }
    }
    within("all are b's", LONG, async || {
        let owners = scene.owners().await;
        owners
            .values()
            .all(|owner| owner.installation == format!("{NAMESPACE}/b"))
            .then_some(())
    })
    .await;
    scene.rests().await;
    assert!(scene.images().await.iter().all(|image| image == "i:b"));
    assert_eq!(left_alone(&b).await, 0.0);

    // Installed again under its name, it continues.
    b.kill().await;
    let again = Operator::start_alone("b", &scene.server, &flags_of_b);
    scene.change(json!({"memory": {"threshold": "110Mi"}})).await;
    scene.owners().await;
    assert_eq!(left_alone(&again).await, 0.0);
}

#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn an_indexer_whose_class_changes_changes_hands() {
    let scene = Scene::start().await;
    let a = Operator::start_alone("a", &scene.server, &["--installation", "a", "--indexer-image", "i:a"]);
    let of_class = [
        "--installation",
        "b",
        "--indexer-image",
        "i:b",
        "--operator-class",
        "blue",
    ];
    let b = Operator::start_alone("b", &scene.server, &of_class);
    scene.make().await;
    let owners = scene.owners().await;
    assert!(
        owners
            .values()
            .all(|owner| owner.installation.ends_with("/a") && owner.class.is_none())
    );
    assert!(scene.rests().await.iter().all(|write| write.user == "a"));

    scene.change(json!({"operatorClass": "blue"})).await;
    within("all are b's", LONG, async || {
        let mut owners = scene.owners().await.into_values();
        owners.all(|owner| owner.class.as_deref() == Some("blue")).then_some(())
    })
    .await;
    let handed_over = Timestamp::now();
    scene.change(json!({"memory": {"threshold": "100Mi"}})).await;
    scene.owners().await;
    let writes = scene.rests().await;
    let late: Vec<&Write> = writes
        .iter()
        .filter(|w| w.user == "a" && w.received > handed_over)
        .collect();
    assert!(late.is_empty(), "{late:#?}");
    assert!(scene.images().await.iter().all(|image| image == "i:b"));
    for operator in [&a, &b] {
        assert_eq!(left_alone(operator).await, 0.0);
    }
    assert!(scene.events("OtherInstallation").await.is_empty());
    // An unused class: the pods stay.
    let pods: Api<Pod> = Api::namespaced(scene.client.clone(), NAMESPACE);
    let before = pods.list(&ListParams::default()).await.unwrap().items.len();
    scene.change(json!({"operatorClass": "red"})).await;
    let wrote = scene.rests().await.len();
    scene.change(json!({"memory": {"threshold": "120Mi"}})).await;
    assert_eq!(scene.rests().await.len(), wrote);
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), before);
}

/// As with a Lease that is not used, or a node that was given up and is not gone.
#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn of_two_processes_with_different_images_the_one_that_came_last_works_and_no_pod_goes_twice() {
    let scene = Scene::start().await;
    let old = Operator::start_alone("a", &scene.server, &["--indexer-image", "i:old"]);
    scene.make().await;
    scene.owners().await;
    scene.rests().await;
    let new = Operator::start_alone("b", &scene.server, &["--indexer-image", "i:new"]);
    within("all have the new image", LONG, async || {
        let images = scene.images().await;
        images.iter().all(|image| image == "i:new").then_some(())
    })
    .await;
    scene.owners().await;
    assert_one_works(&scene.rests().await, "a", "b", 1);
    // People go on, and both see it.
    scene
        .change(json!({"podMetadata": {"annotations": {"by": "hand"}}}))
        .await;
    scene.owners().await;
    assert_one_works(&scene.rests().await, "a", "b", 2);
    assert_eq!((left_alone(&old).await, left_alone(&new).await), (INDEXERS as f64, 0.0));
    assert_eq!(scene.events("Superseded").await.len(), INDEXERS);
    for name in names() {
        assert!(scene.owner(&name).await.is_some());
    }
}

/// After `to` had taken an Indexer, `from` wrote nothing to it that was carried out; and its pod, recreated each time, went
/// once for each template.
fn assert_one_works(writes: &[Write], from: &str, to: &str, templates: usize) {
    let done = || writes.iter().filter(|write| write.is_done());
    let mut removed: BTreeMap<&str, usize> = BTreeMap::new();
    for write in done().filter(|write| write.removes_pod()) {
        *removed.entry(&write.name).or_default() += 1;
    }
    for name in names() {
        let taken = done().find(|write| write.user == to && write.indexer() == name);
        let taken = taken.unwrap_or_else(|| panic!("{to} has not taken {name}"));
        assert_eq!(taken.resource, "indexers/status", "it is taken first");
        let late: Vec<&Write> = done()
            .filter(|write| write.user == from && write.indexer() == name && write.received > taken.answered)
            .collect();
        assert!(late.is_empty(), "{from} wrote after {}: {late:#?}", taken.answered);
    }
    let refused = writes.iter().filter(|write| write.code == 409).count();
    println!("{} writes, {refused} refused, pods removed: {removed:?}", writes.len());
    assert!(
        removed.len() == INDEXERS && removed.values().all(|times| *times == templates),
        "{removed:?}"
    );
}

#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn two_processes_with_different_images_that_start_at_once_come_to_rest() {
    let scene = Scene::start().await;
    scene.make().await;
    let operators = [("a", "i:a"), ("b", "i:b")]
        .map(|(name, image)| Operator::start_alone(name, &scene.server, &["--indexer-image", image]));
    for size in 100..110 {
        scene
            .change(json!({"memory": {"threshold": format!("{size}Mi")}}))
            .await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let owners = scene.owners().await;
    let writes = scene.rests().await;
    let takes = writes
        .iter()
        .filter(|write| write.resource == "indexers/status" && write.is_done());
    println!("{} writes, {} of statuses", writes.len(), takes.count());
    assert_eq!(
        left_alone(&operators[0]).await + left_alone(&operators[1]).await,
        INDEXERS as f64
    );
    let mut images = scene.images().await;
    images.sort();
    let settings = |image: &str| images.iter().filter(|of| *of == image).count();
    assert_eq!(settings("i:a") + settings("i:b"), INDEXERS, "{images:?}");
    assert_eq!(scene.owners().await, owners);
    // Whoever is restarted has them all: each of them takes an Indexer once.
    let [mut a, b] = operators;
    a.kill().await;
    let _again = Operator::start_alone("a", &scene.server, &["--indexer-image", "i:a"]);
    within("all are that one's", LONG, async || {
        let images = scene.images().await;
        images.iter().all(|image| image == "i:a").then_some(())
    })
    .await;
    scene.owners().await;
    scene.rests().await;
    assert_eq!(left_alone(&b).await, INDEXERS as f64);
}
