//! A substitute for the controllers and nodes of a cluster, as far as the operator can see them: makes the pods and claims of
//! `StatefulSet`s and replaces what is deleted, collects garbage, keeps disruption budgets, binds claims and lets them grow,
//! and runs pods, which answer (`pods`).
//!
//! It looks at everything again and again, and does what is missing, as controllers do.

use std::{collections::BTreeSet, fmt::Debug, time::Duration};

use futures::StreamExt;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::StatefulSet,
        core::v1::{PersistentVolumeClaim, Pod},
        policy::v1::PodDisruptionBudget,
    },
};
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    runtime::{
        WatchStreamExt,
        reflector::{Store, store::Writer},
        watcher,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::pods::{Pods, at_the_tip};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Plays until it is dropped.
pub(crate) async fn play(client: Client) {
    let (pods, fill_pods) = cache::<Pod>(&client);
    let (claims, fill_claims) = cache::<PersistentVolumeClaim>(&client);
    let (budgets, fill_budgets) = cache::<PodDisruptionBudget>(&client);
    let (sets, fill_sets) = cache::<StatefulSet>(&client);
    let acts = async {
        let mut running = Pods::default();
        loop {
            let seen = Seen {
                pods: all(&pods),
                claims: all(&claims),
                budgets: all(&budgets),
                sets: all(&sets),
            };
            // Whatever fails, because something changed meanwhile or is not known yet, is done at the next look.
            seen.act(&client, &mut running).await;
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = acts => {}
        () = fill_pods => {}
        () = fill_claims => {}
        () = fill_budgets => {}
        () = fill_sets => {}
    }
}

/// What there is. A set that is not there has no pods that were made since: they are made when it is seen.
struct Seen {
    pods: Vec<Value>,
    claims: Vec<Value>,
    budgets: Vec<Value>,
    sets: Vec<Value>,
}

impl Seen {
    async fn act(&self, client: &Client, pods: &mut Pods) {
        for set in &self.sets {
            if set["metadata"]["deletionTimestamp"].is_null() {
                self.keep_set(client, set).await;
            } else {
                self.orphan(client, set).await;
            }
        }
        let there: BTreeSet<&str> = self.sets.iter().filter_map(uid).collect();
        let is_garbage = |object: &&Value| owner(object).is_some_and(|owner| !there.contains(owner));
        for pod in self.pods.iter().filter(is_garbage) {
            delete::<Pod>(client, pod).await;
        }
        for claim in &self.claims {
            if is_garbage(&claim) {
                delete::<PersistentVolumeClaim>(client, claim).await;
            }
            bind(client, claim).await;
        }
        for budget in &self.budgets {
            allow_one(client, budget).await;
        }
        let uids: Vec<String> = self.pods.iter().filter_map(uid).map(str::to_owned).collect();
        pods.keep(&uids);
        for pod in &self.pods {
            self.run(client, pod, pods).await;
        }
    }

    /// What the controller of a `StatefulSet` does.
    async fn keep_set(&self, client: &Client, set: &Value) {
        let template = template_name(set);
        let wanted = set["spec"]["replicas"].as_u64().unwrap_or(1);
        for ordinal in 0..wanted {
            let name = format!("{}-{ordinal}", name(set));
            self.keep_claim(client, set, &name).await;
            match find(&self.pods, set, &name) {
                None => create::<Pod>(client, set, &pod_of(set, &name, &template)).await,
                Some(pod) if owner(pod).is_none() => own::<Pod>(client, pod, json!([reference(set)])).await,
                Some(_) => {}
            }
        }
        let mine = self.pods.iter().filter(|pod| owner(pod) == uid(set));
        let (mut ready, mut updated, mut all) = (0, 0, 0);
        for pod in mine {
            let number = name(pod)
                .rsplit('-')
                .next()
                .and_then(|number| number.parse::<u64>().ok());
            if number.is_none_or(|number| number >= wanted) {
                delete::<Pod>(client, pod).await;
            }
            all += 1;
            ready += u64::from(is_running(pod));
            updated += u64::from(pod["metadata"]["labels"]["controller-revision-hash"] == json!(template));
        }
        let status = json!({"observedGeneration": set["metadata"]["generation"], "replicas": all, "readyReplicas": ready,
                            "currentReplicas": updated, "updatedReplicas": updated, "availableReplicas": ready,
                            "currentRevision": template, "updateRevision": template, "collisionCount": 0});
        patch_status::<StatefulSet>(client, set, &status).await;
    }

    async fn keep_claim(&self, client: &Client, set: &Value, pod: &str) {
        let template = &set["spec"]["volumeClaimTemplates"][0];
        let name = format!("{}-{pod}", template["metadata"]["name"].as_str().unwrap());
        let goes_along = set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete";
        let owners = if goes_along { json!([reference(set)]) } else { json!([]) };
        match find(&self.claims, set, &name) {
            None => {
                let metadata =
                    json!({"name": name, "labels": template["metadata"]["labels"], "ownerReferences": owners});
                let claim = json!({"metadata": metadata, "spec": template["spec"]});
                create::<PersistentVolumeClaim>(client, set, &claim).await;
            }
            Some(claim) if owner(claim).is_some() != goes_along => {
                own::<PersistentVolumeClaim>(client, claim, owners).await;
            }
            Some(_) => {}
        }
    }

    /// What the garbage collector does for a set that is deleted without its pods.
    async fn orphan(&self, client: &Client, set: &Value) {
        for pod in self.pods.iter().filter(|pod| owner(pod) == uid(set)) {
            own::<Pod>(client, pod, json!([])).await;
        }
        for claim in self.claims.iter().filter(|claim| owner(claim) == uid(set)) {
            own::<PersistentVolumeClaim>(client, claim, json!([])).await;
        }
        let is_owned = |object: &Value| owner(object) == uid(set);
        if !self.pods.iter().any(is_owned) && !self.claims.iter().any(is_owned) {
            patch::<StatefulSet>(client, set, &json!({"metadata": {"finalizers": null}})).await;
        }
    }

    /// Runs a pod: what a scheduler and a kubelet do.
    async fn run(&self, client: &Client, pod: &Value, pods: &mut Pods) {
        if !pod["metadata"]["deletionTimestamp"].is_null() {
            return delete::<Pod>(client, pod).await;
        }
        let made_from = self.sets.iter().find(|set| uid(set) == owner(pod));
        let (Some(set), Some(uid), false) = (made_from, uid(pod), is_running(pod)) else {
            return;
        };
        let record = set["metadata"]["annotations"]["shrewd.dev/revision-record"].as_str();
        let record: Value = serde_json::from_str(record.unwrap()).unwrap();
        let labels = &pod["metadata"]["labels"];
        let said = at_the_tip(
            &format!("{}/{}", namespace(pod), labels["shrewd.dev/indexer"].as_str().unwrap()),
            labels["shrewd.dev/revision"].as_str().unwrap(),
            record["identity"]["moduleSha256"].as_str().unwrap(),
        );
        let address = pods.address(uid, said).await;
        let status = json!({
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "indexer", "image": "i", "imageID": "", "ready": true, "restartCount": 0,
                                   "state": {"running": {}}}],
        });
        patch_status::<Pod>(client, pod, &status).await;
    }
}

fn is_running(pod: &Value) -> bool {
    pod["status"]["phase"] == "Running"
}

/// Gives a claim a volume of the size that it asks for, and takes it away with the claim.
async fn bind(client: &Client, claim: &Value) {
    if !claim["metadata"]["deletionTimestamp"].is_null() {
        return patch::<PersistentVolumeClaim>(client, claim, &json!({"metadata": {"finalizers": null}})).await;
    }
    let capacity = &claim["spec"]["resources"]["requests"];
    let status = json!({"phase": "Bound", "capacity": capacity, "accessModes": claim["spec"]["accessModes"]});
    patch_status::<PersistentVolumeClaim>(client, claim, &status).await;
}

/// Lets one pod go at a time, as the controller of disruption budgets does while all pods are ready.
async fn allow_one(client: &Client, budget: &Value) {
    let status = json!({"observedGeneration": budget["metadata"]["generation"], "disruptionsAllowed": 1,
                        "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2, "disruptedPods": null});
    let status_is = |field: &str| budget["status"][field] == status[field];
    if !status_is("observedGeneration") || !status_is("disruptionsAllowed") {
        patch_status::<PodDisruptionBudget>(client, budget, &status).await;
    }
}

/// The name of a template: another one for each.
fn template_name(set: &Value) -> String {
    let hash = Sha256::digest(set["spec"]["template"].to_string());
    format!("{}-{}", name(set), &hex::encode(hash)[..10])
}

fn pod_of(set: &Value, pod: &str, template: &str) -> Value {
    let made_from = &set["spec"]["template"];
    let mut body = json!({"metadata": made_from["metadata"], "spec": made_from["spec"]});
    let metadata = &mut body["metadata"];
    metadata["name"] = json!(pod);
    metadata["ownerReferences"] = json!([reference(set)]);
    metadata["labels"]["controller-revision-hash"] = json!(template);
    metadata["labels"]["statefulset.kubernetes.io/pod-name"] = json!(pod);
    let volume = set["spec"]["volumeClaimTemplates"][0]["metadata"]["name"]
        .as_str()
        .unwrap();
    let claim = json!({"name": volume, "persistentVolumeClaim": {"claimName": format!("{volume}-{pod}")}});
    body["spec"]["volumes"].as_array_mut().unwrap().push(claim);
    body["spec"]["hostname"] = json!(pod);
    body
}

fn reference(set: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name(set), "uid": uid(set), "controller": true,
           "blockOwnerDeletion": true})
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

fn namespace(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap()
}

fn uid(object: &Value) -> Option<&str> {
    object["metadata"]["uid"].as_str()
}

/// The unique id of its owner.
fn owner(object: &Value) -> Option<&str> {
    object["metadata"]["ownerReferences"][0]["uid"].as_str()
}

fn find<'a>(objects: &'a [Value], beside: &Value, named: &str) -> Option<&'a Value> {
    let mut all = objects.iter();
    all.find(|object| name(object) == named && namespace(object) == namespace(beside))
}

/// A cache of all objects of a kind, untyped, since there are many that are looked at often.
fn cache<K>(client: &Client) -> (Store<DynamicObject>, impl Future<Output = ()> + use<K>)
where
    K: Resource<DynamicType = ()>,
{
    let kind = ApiResource::erase::<K>(&());
    let writer = Writer::new(kind.clone());
    let store = writer.as_reader();
    let changes = watcher(
        Api::<DynamicObject>::all_with(client.clone(), &kind),
        watcher::Config::default(),
    );
    let filled = changes.default_backoff().reflect(writer).for_each(|_| async {});
    (store, filled)
}

fn all(cache: &Store<DynamicObject>) -> Vec<Value> {
    let objects = cache.state().into_iter().map(|object| {
        let mut value = object.data.clone();
        value["metadata"] = json!(object.metadata);
        value
    });
    objects.collect()
}

fn api<K>(client: &Client, beside: &Value) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    Api::namespaced(client.clone(), namespace(beside))
}

async fn create<K>(client: &Client, beside: &Value, body: &Value)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Serialize + Debug,
{
    let object: K = serde_json::from_value(body.clone()).unwrap();
    let _ = api::<K>(client, beside).create(&PostParams::default(), &object).await;
}

async fn delete<K>(client: &Client, object: &Value)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let at_once = DeleteParams::default().grace_period(0);
    let _ = api::<K>(client, object).delete(name(object), &at_once).await;
}

async fn own<K>(client: &Client, object: &Value, owners: Value)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    patch::<K>(client, object, &json!({"metadata": {"ownerReferences": owners}})).await;
}

/// Writes if the object is still as it was seen.
async fn patch<K>(client: &Client, object: &Value, change: &Value)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let mut change = change.clone();
    change["metadata"]["resourceVersion"] = object["metadata"]["resourceVersion"].clone();
    let params = PatchParams::default();
    let _ = api::<K>(client, object)
        .patch(name(object), &params, &Patch::Merge(&change))
        .await;
}

/// Writes a status that differs from the one there is.
async fn patch_status<K>(client: &Client, object: &Value, status: &Value)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let fields = status.as_object().unwrap();
    let is_so = |(field, value): (&String, &Value)| {
        let there = &object["status"][field];
        there == value || (there.is_null() && matches!(value.as_u64(), Some(0)))
    };
    if fields.iter().all(is_so) {
        return;
    }
    let (params, change) = (PatchParams::default(), json!({ "status": status }));
    let _ = api::<K>(client, object)
        .patch_status(name(object), &params, &Patch::Merge(&change))
        .await;
}
