//! Memory of running pods, on a real API server, which knows what may be resized and what may not. What a kubelet and the
//! controller of sets would do is written here; the pod's report comes from a server that speaks like one.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, routing::get};
use crds::{Indexer, conditions::types, pod};
use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Pod};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::support::{
    api_server::{ApiServer, NAMESPACE},
    indexer,
    process::Operator,
    within,
};

const LONG: Duration = Duration::from_secs(60);
/// An address of this machine at which nothing else listens.
const ADDRESS: &str = "127.0.0.9";
const MIB: u64 = 1 << 20;
const REPLACED: [&str; 2] = ["pods/eviction", "pods"];

/// One Indexer whose memory is resized, its operator, and a pod as a kubelet would show it.
struct Scene {
    /// Before the server, so that its log is there when it is dropped.
    _operator: Operator,
    server: ApiServer,
    indexers: Api<Indexer>,
    sets: Api<StatefulSet>,
    pods: Api<Pod>,
    report: Arc<Mutex<pod::Status>>,
    pod: Pod,
}

impl Scene {
    async fn start() -> Self {
        let server = ApiServer::start(&["admin", "a"]).await;
        let client = server.client("admin").await;
        let indexers: Api<Indexer> = Api::namespaced(client.clone(), NAMESPACE);
        let mut declared = serde_json::to_value(indexer("one")).unwrap();
        declared["spec"]["memory"] =
            json!({"refresh": "OnThreshold", "threshold": "64Mi", "resize": "InPlace", "maxLimit": "3Gi"});
        declared["spec"]["resources"] = json!({"requests": {"memory": "64Mi"}, "limits": {"memory": "128Mi"}});
        let declared = serde_json::from_value(declared).unwrap();
        indexers.create(&PostParams::default(), &declared).await.unwrap();
        let operator = Operator::start("a", &server, server.port);
        let sets: Api<StatefulSet> = Api::namespaced(client.clone(), NAMESPACE);
        let (set, _) = within("a set", LONG, async || {
            sets.list(&ListParams::default()).await.unwrap().items.pop()
        })
        .await;
        let report = Arc::new(Mutex::new(said(&set)));
        tokio::spawn(answer(Arc::clone(&report)));
        let scene = Self {
            pod: run(&client, &set).await,
            pods: Api::namespaced(client, NAMESPACE),
            server,
            _operator: operator,
            indexers,
            sets,
            report,
        };
        scene.observe_set().await;
        scene
    }

    /// What the controller of sets does when it sees another template.
    async fn observe_set(&self) {
        let set = self.sets.list(&ListParams::default()).await.unwrap().items.remove(0);
        let generation = set.metadata.generation;
        let status =
            json!({"replicas": 1, "observedGeneration": generation, "updateRevision": format!("h{generation:?}")});
        let patch = Patch::Merge(json!({ "status": status }));
        let patched = self
            .sets
            .patch_status(&set.name_any(), &PatchParams::default(), &patch)
            .await;
        patched.unwrap();
    }

    /// Waits until the pod, which must be the one it was, and new pods have this request and limit.
    async fn has(&self, request: &str, limit: &str) {
        let wanted = json!({"requests": {"memory": request}, "limits": {"memory": limit}});
        within(&format!("{wanted}"), LONG, async || {
            let pod = self.pods.get(&self.pod.name_any()).await.unwrap();
            assert_eq!(pod.uid(), self.pod.uid());
            let set = self.sets.list(&ListParams::default()).await.unwrap().items.remove(0);
            let of = |object: Value| object["containers"][0]["resources"].clone();
            let own = of(serde_json::to_value(pod.spec).unwrap());
            let next = of(serde_json::to_value(set.spec.unwrap().template.spec).unwrap());
            (own == wanted && next == wanted).then_some(())
        })
        .await;
    }

    async fn says(&self, reason: &str) {
        within(reason, LONG, async || {
            let status = self.indexers.get("one").await.unwrap().status?;
            let found = status
                .conditions
                .into_iter()
                .find(|c| c.type_ == types::MEMORY_UNDERSIZED)?;
            (found.reason == reason).then_some(())
        })
        .await;
    }

    /// As a kubelet says that it cannot resize a pod.
    async fn pending(&self, reason: &str) {
        let mut status = running();
        let pending = json!({"type": "PodResizePending", "status": "True", "reason": reason, "message": "used: 7"});
        status["conditions"].as_array_mut().unwrap().push(pending);
        show(&self.pods, &self.pod.name_any(), &status).await;
    }

    fn reports(&self, edit: impl FnOnce(&mut pod::Status)) {
        edit(&mut self.report.lock().unwrap());
    }
}

/// What a pod of a set says that has indexed some blocks.
fn said(set: &StatefulSet) -> pod::Status {
    let check = json!({"ok": true, "reason": "", "message": ""});
    serde_json::from_value(json!({
        "version": "0.2.0", "indexer": format!("{NAMESPACE}/one"),
        "revision": set.labels()["shrewd.dev/revision"],
        "phase": "Following", "ready": true, "height": 100, "tip": 100, "behind": 0,
        "module": check, "source": check,
        "memory": {"guestBytes": 30 * MIB, "guestPeakBytes": 30 * MIB, "guestPeakHeight": 90,
                   "residentBytes": 100 * MIB, "thresholdBytes": 64 * MIB, "limitBytes": 4096 * MIB},
    }))
    .unwrap()
}

async fn answer(report: Arc<Mutex<pod::Status>>) {
    let say = move || {
        let said = report.lock().unwrap().clone();
        async move { Json(said) }
    };
    let listener = tokio::net::TcpListener::bind((ADDRESS, pod::OPS_PORT)).await.unwrap();
    let routes = Router::new().route(pod::STATUS_PATH, get(say));
    axum::serve(listener, routes).await.unwrap();
}

fn running() -> Value {
    json!({
        "phase": "Running", "podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}],
        "conditions": [{"type": "Ready", "status": "True"}],
        // With the resources that are in force, by which the API server knows a kubelet that can resize pods.
        "containerStatuses": [{"name": "indexer", "image": "i", "imageID": "", "ready": true, "restartCount": 0,
                               "state": {"running": {}}, "resources": {"limits": {"memory": "128Mi"}}}],
    })
}

async fn show(pods: &Api<Pod>, name: &str, status: &Value) {
    let patch = Patch::Merge(json!({ "status": status }));
    pods.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

/// Makes the first pod of a set, as its controller would, and has it run, as a kubelet would.
async fn run(client: &Client, set: &StatefulSet) -> Pod {
    let mut pod = serde_json::to_value(&set.spec.as_ref().unwrap().template).unwrap();
    let name = format!("{}-0", set.name_any());
    (pod["apiVersion"], pod["kind"]) = (json!("v1"), json!("Pod"));
    pod["metadata"]["name"] = json!(name);
    pod["metadata"]["labels"]["controller-revision-hash"] = json!("h-first");
    pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet",
        "name": set.name_any(), "uid": set.uid(), "controller": true}]);
    pod["spec"]["nodeName"] = json!("node");
    let claim = json!({"name": "data", "persistentVolumeClaim": {"claimName": format!("data-{name}")}});
    pod["spec"]["volumes"].as_array_mut().unwrap().push(claim);
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let pod = pods
        .create(&PostParams::default(), &serde_json::from_value(pod).unwrap())
        .await
        .unwrap();
    show(&pods, &name, &running()).await;
    pod
}

#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn a_running_pod_gets_the_memory_that_it_needs_and_stays() {
    let scene = Scene::start().await;
    // A guest that may grow to 64Mi, a quarter more, and 2124Mi for all else.
    scene.has("128Mi", "2304Mi").await;
    scene.observe_set().await;
    scene.says("FiltersInMemory").await;

    scene.reports(|report| report.memory.resident_bytes = 1024 * MIB);
    scene.has("1280Mi", "2304Mi").await;
    scene.observe_set().await;

    // More than it may have.
    scene.reports(|report| report.memory.resident_bytes = 3000 * MIB);
    scene.has("3071Mi", "3Gi").await;
    scene.observe_set().await;
    scene.says("AtMaxLimit").await;

    for (reason, shown) in [("Deferred", "ResizeDeferred"), ("Infeasible", "ResizeInfeasible")] {
        scene.pending(reason).await;
        scene.says(shown).await;
    }
    let writes = scene.server.writes();
    let of_pods = writes
        .iter()
        .filter(|write| write.user == "a" && write.resource.starts_with("pods"));
    let resized = of_pods
        .clone()
        .filter(|write| write.resource == "pods/resize" && write.code == 200);
    assert_eq!(resized.count(), 3, "{writes:?}");
    let replaced = of_pods.filter(|write| write.verb != "patch" && REPLACED.contains(&write.resource.as_str()));
    assert_eq!(replaced.collect::<Vec<_>>(), [] as [&crate::support::audit::Write; 0]);
}
