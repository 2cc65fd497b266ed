//! The controller of stateful sets and the kubelet of a cluster without either: makes the claims and pods of each set,
//! has them run, and says so in the set's status. Of what a real one does it leaves out what nothing here asks for: no pod is
//! replaced, and none goes.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use crds::Revision;
use futures::{StreamExt as _, pin_mut};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{PersistentVolumeClaim, Pod},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt as _, watcher},
};
use operator::names;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    pods,
    reports::{Chain, Reporter},
    support::api_server::NAMESPACE,
};

/// Sets worked on at the same time.
const CONCURRENT: usize = 16;

/// See the module.
pub(crate) struct Controller {
    client: Client,
    chain: Arc<Chain>,
    /// Of the pods.
    end: CancellationToken,
    /// How many pods there are.
    pods: AtomicUsize,
    /// Sets that are done, by unique id.
    done: Mutex<HashSet<String>>,
}

impl Controller {
    pub(crate) fn new(client: Client, chain: Arc<Chain>, end: CancellationToken) -> Self {
        Self {
            client,
            chain,
            end,
            pods: AtomicUsize::new(0),
            done: Mutex::default(),
        }
    }

    /// Works without limit.
    pub(crate) async fn run(&self) {
        let sets = watcher(self.api::<StatefulSet>(), watcher::Config::default());
        let sets = sets.default_backoff().applied_objects();
        let work = sets.for_each_concurrent(CONCURRENT, async |set| match set {
            Ok(set) if self.is_new(&set) => self.start(&set).await,
            Ok(set) => self.observe(&set).await,
            Err(error) => println!("the watch of sets begins again: {error}"),
        });
        pin_mut!(work);
        work.await;
    }

    /// Has the kubelet say whether the containers of all pods are ready.
    pub(crate) async fn ready(&self, is_ready: bool) {
        let pods = self.api::<Pod>().list(&Default::default()).await.unwrap();
        let status = json!({"status": {"conditions": conditions(is_ready)}});
        futures::stream::iter(pods)
            .for_each_concurrent(CONCURRENT, async |pod| {
                self.patch_status::<Pod>(&pod.name_any(), &status).await;
            })
            .await;
    }

    fn is_new(&self, set: &StatefulSet) -> bool {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.insert(set.uid().unwrap())
    }

    /// A set that was changed in what no pod shows: its status says that the change was seen.
    async fn observe(&self, set: &StatefulSet) {
        let generation = set.metadata.generation;
        let status = set.status.as_ref();
        // Before its pods have been started, that is for who starts them to say.
        if status.is_some_and(|status| status.replicas > 0 && status.observed_generation != generation) {
            let status = json!({"status": {"observedGeneration": generation}});
            self.patch_status::<StatefulSet>(&set.name_any(), &status).await;
        }
    }

    async fn start(&self, set: &StatefulSet) {
        let spec = set.spec.as_ref().unwrap();
        let template = json!(spec.template);
        let revision = format!("{}-{}", set.name_any(), short_hash(&template));
        let replicas = spec.replicas.unwrap();
        for ordinal in 0..replicas {
            self.start_pod(set, ordinal, &template, &revision).await;
        }
        let status = json!({"status": {
            "observedGeneration": set.metadata.generation, "replicas": replicas, "readyReplicas": replicas,
            "availableReplicas": replicas, "currentReplicas": replicas, "updatedReplicas": replicas,
            "currentRevision": revision, "updateRevision": revision,
        }});
        self.patch_status::<StatefulSet>(&set.name_any(), &status).await;
    }

    async fn start_pod(&self, set: &StatefulSet, ordinal: i32, template: &Value, revision: &str) {
        let (name, claim) = (
            names::pod(&set.name_any(), ordinal),
            names::claim(&set.name_any(), ordinal),
        );
        let wanted = &set.spec.as_ref().unwrap().volume_claim_templates.as_ref().unwrap()[0];
        let mut body = json!({"metadata": wanted.metadata, "spec": wanted.spec});
        body["metadata"]["name"] = json!(claim);
        let size = body["spec"]["resources"]["requests"]["storage"].clone();
        self.create::<PersistentVolumeClaim>(body).await;
        let bound =
            json!({"status": {"phase": "Bound", "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"]}});
        self.patch_status::<PersistentVolumeClaim>(&claim, &bound).await;

        let pod = self.create::<Pod>(pod(set, &name, &claim, template, revision)).await;
        let address = pods::address(self.pods.fetch_add(1, Ordering::Relaxed));
        pods::run(address, reporter(&pod, ordinal), Arc::clone(&self.chain), &self.end).await;
        let running = running(&pod, address, self.chain.is_at_rest());
        self.patch_status::<Pod>(&name, &running).await;
    }

    async fn create<K>(&self, body: Value) -> K
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
        K: Clone + DeserializeOwned + Serialize + std::fmt::Debug,
    {
        let object = serde_json::from_value(body).unwrap();
        self.api::<K>().create(&PostParams::default(), &object).await.unwrap()
    }

    async fn patch_status<K>(&self, name: &str, body: &Value)
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
        K: Clone + DeserializeOwned + std::fmt::Debug,
    {
        let (objects, params) = (self.api::<K>(), PatchParams::default());
        objects.patch_status(name, &params, &Patch::Merge(body)).await.unwrap();
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }
}

/// A pod as the controller makes it of a set's template.
fn pod(set: &StatefulSet, name: &str, claim: &str, template: &Value, revision: &str) -> Value {
    let mut body = template.clone();
    body["metadata"]["name"] = json!(name);
    body["metadata"]["labels"]["controller-revision-hash"] = json!(revision);
    body["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = json!(name);
    body["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "apps/v1", "kind": "StatefulSet", "name": set.name_any(), "uid": set.uid(),
        "controller": true, "blockOwnerDeletion": true,
    }]);
    body["spec"]["hostname"] = json!(name);
    body["spec"]["subdomain"] = json!(set.spec.as_ref().unwrap().service_name);
    let volumes = body["spec"]["volumes"].as_array_mut().unwrap();
    volumes.push(json!({"name": names::DATA, "persistentVolumeClaim": {"claimName": claim}}));
    body
}

/// The status of a pod that runs at an address.
fn running(pod: &Pod, address: Ipv4Addr, is_ready: bool) -> Value {
    let image = &pod.spec.as_ref().unwrap().containers[0].image;
    json!({"status": {
        "phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "startTime": pod.creation_timestamp(),
        "conditions": conditions(is_ready),
        "containerStatuses": [{
            "name": names::CONTAINER, "image": image, "imageID": format!("sha256:{}", "ab".repeat(32)),
            "containerID": format!("containerd://{}", "cd".repeat(32)), "ready": is_ready, "started": true,
            "restartCount": 0, "state": {"running": {"startedAt": pod.creation_timestamp()}},
        }],
    }})
}

fn conditions(is_ready: bool) -> Value {
    let status = if is_ready { "True" } else { "False" };
    json!([
        {"type": "PodScheduled", "status": "True"},
        {"type": "Initialized", "status": "True"},
        {"type": "ContainersReady", "status": status},
        {"type": "Ready", "status": status},
    ])
}

fn reporter(pod: &Pod, ordinal: i32) -> Reporter {
    let labels = pod.labels();
    Reporter {
        indexer: format!("{NAMESPACE}/{}", labels[names::LABEL_INDEXER]),
        revision: Revision::parse(&labels[names::LABEL_REVISION]).unwrap(),
        ordinal: u32::try_from(ordinal).unwrap(),
    }
}

fn short_hash(template: &Value) -> String {
    let mut hasher = DefaultHasher::new();
    template.to_string().hash(&mut hasher);
    format!("{:010x}", hasher.finish() >> 24)
}
