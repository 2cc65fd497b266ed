//! A set whose volumes get another size, beside a controller and a garbage collector that do what Kubernetes' do, and an
//! operator that ends after any of its writes.

use crds::Retention;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;

use super::*;
use crate::{
    apply::{Changes, changes},
    facts::Observed,
    fixtures::{bound_claim, settled, valid},
    memory::Memories,
    names,
    objects::ChildKind,
    plan::{Plan, plan},
    storage::{Sizes, raises},
    validate::ValidIndexer,
};

/// Pods; the last claim is of one that was scaled away.
const PODS: usize = 2;
const CLAIMS: usize = 3;

type Write = Box<dyn FnOnce(&mut Cluster)>;

/// What there is of one revision.
struct Cluster {
    set: Option<Value>,
    claims: Vec<PersistentVolumeClaim>,
    /// The owner of each pod.
    pods: Vec<Option<String>>,
    sets_made: u32,
    /// Whether the controller of sets knows of a policy by which claims go with their set.
    owns: bool,
}

impl Cluster {
    /// At rest, with volumes of 50Gi.
    fn new(valid: &ValidIndexer) -> Self {
        let set = names::of_revision("one", &valid.revision);
        let claims = (0..CLAIMS).map(|i| bound_claim(&format!("data-{set}-{i}"), "50Gi"));
        let mut cluster = Self {
            set: None,
            claims: claims.collect(),
            pods: vec![None; PODS],
            sets_made: 0,
            owns: false,
        };
        let owns = valid.storage.retention == Retention::Delete;
        cluster.pass(valid, usize::MAX);
        cluster.controllers();
        // As its controller left it when there were three pods.
        cluster.own(CLAIMS - 1, owns);
        cluster
    }

    fn observed(&self) -> Observed {
        let set = self.set.clone().map(|set| ((ChildKind::StatefulSet, name(&set)), set));
        Observed {
            children: set.into_iter().collect(),
            claims: self.claims.iter().filter_map(VolumeClaim::read).collect(),
            ..Observed::default()
        }
    }

    /// One pass of an operator that ends after so many writes. Returns whether there was anything to write.
    fn pass(&mut self, valid: &ValidIndexer, writes_max: usize) -> bool {
        let (observed, decision) = (self.observed(), settled(valid));
        let sizes = Sizes::of(valid, &decision, &observed);
        let mut plan: Plan = plan(valid, &decision, &sizes, &Memories::default());
        plan.children.retain(|child| child.kind == ChildKind::StatefulSet);
        let Changes {
            apply,
            release,
            orphan,
            prune,
        } = changes(&plan, &observed);
        assert_eq!(prune, []);
        let mut writes: Vec<Write> = Vec::new();
        for raise in raises(valid, &decision, &sizes, &observed) {
            let (claim, size) = (raise.claim.name.clone(), raise.size.text);
            writes.push(Box::new(move |cluster| cluster.raise(&claim, &size)));
        }
        for child in apply {
            let body = child.body.clone();
            writes.push(Box::new(move |cluster| cluster.apply(body)));
        }
        for (claim, owner) in release {
            let i = self
                .claims
                .iter()
                .position(|found| found.metadata.name.as_deref() == Some(&claim.name))
                .unwrap();
            assert_eq!(Some(owner), self.set.as_ref().and_then(uid));
            writes.push(Box::new(move |cluster| cluster.own(i, false)));
        }
        for _ in orphan {
            writes.push(Box::new(|cluster| {
                assert!(
                    cluster
                        .claims
                        .iter()
                        .all(|claim| claim.metadata.owner_references.is_none()),
                    "data would go"
                );
                cluster.set.as_mut().unwrap()["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            }));
        }
        let any = !writes.is_empty();
        for write in writes.into_iter().take(writes_max) {
            write(self);
        }
        any
    }

    fn raise(&mut self, claim: &str, size: &str) {
        for found in &mut self.claims {
            if found.metadata.name.as_deref() == Some(claim) {
                *found = PersistentVolumeClaim {
                    metadata: found.metadata.clone(),
                    ..bound_claim(claim, size)
                };
            }
        }
    }

    fn apply(&mut self, mut body: Value) {
        if let Some(before) = &self.set {
            assert!(
                before["metadata"]["deletionTimestamp"].is_null(),
                "written while it goes"
            );
            assert_eq!(before.pointer(SIZE), body.pointer(SIZE), "it is immutable");
            let generation = before["metadata"]["generation"].as_u64().unwrap();
            body["metadata"]["uid"] = before["metadata"]["uid"].clone();
            body["metadata"]["generation"] = json!(generation + 1);
            body["status"] = before["status"].clone();
        } else {
            self.sets_made += 1;
            body["metadata"]["uid"] = json!(format!("set-{}", self.sets_made));
            body["metadata"]["generation"] = json!(1);
        }
        self.set = Some(body);
    }

    fn own(&mut self, claim: usize, owns: bool) {
        let id = self.set.as_ref().and_then(uid).unwrap();
        let owner = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "one", "uid": id}]);
        self.claims[claim].metadata.owner_references = owns.then(|| serde_json::from_value(owner).unwrap());
    }

    /// What the controller of sets and the garbage collector do in the end. The former may have begun before the last
    /// write, on what it knew then.
    fn controllers(&mut self) {
        let Some(set) = self.set.clone() else {
            return;
        };
        let is_seen = set["status"]["observedGeneration"] == set["metadata"]["generation"];
        if !is_seen {
            (0..PODS).for_each(|claim| self.own(claim, self.owns));
        }
        if set["metadata"]["deletionTimestamp"].is_null() {
            self.owns = set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete";
            self.pods = vec![uid(&set); PODS];
            (0..PODS).for_each(|claim| self.own(claim, self.owns));
            self.set.as_mut().unwrap()["status"]["observedGeneration"] = set["metadata"]["generation"].clone();
        } else {
            self.pods = vec![None; PODS];
            (self.set, self.owns) = (None, false);
        }
        let id = self.set.as_ref().and_then(uid);
        let owners = self
            .claims
            .iter()
            .flat_map(|claim| claim.metadata.owner_references.iter().flatten());
        for owner in owners {
            assert_eq!(Some(&owner.uid), id.as_ref(), "the garbage collector deletes a claim");
        }
    }
}

fn name(set: &Value) -> String {
    set["metadata"]["name"].as_str().unwrap().to_owned()
}

fn declared(size: &str, retention: Retention) -> ValidIndexer {
    let mut valid = valid();
    valid.storage.size.0 = size.into();
    valid.storage_bytes = valid.storage.size.bytes().unwrap();
    valid.storage.retention = retention;
    valid.replicas = i32::try_from(PODS).unwrap();
    valid
}

/// A size is declared, and another one some passes later.
#[derive(Clone, Copy, Debug)]
struct Course {
    retention: Retention,
    /// Writes after which each operator ends.
    ends_after: usize,
    /// The controllers have their turn after so many passes.
    controllers_every: usize,
    then: &'static str,
    at_pass: usize,
}

impl Course {
    /// Every course, some hundred.
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for retention in [Retention::Retain, Retention::Delete] {
            for (ends_after, controllers_every) in [(1, 1), (1, 3), (2, 1), (3, 2), (usize::MAX, 1), (usize::MAX, 3)] {
                for then in ["60Gi", "80Gi", "50Gi"] {
                    all.extend((0..8).map(|at_pass| Self {
                        retention,
                        ends_after,
                        controllers_every,
                        then,
                        at_pass,
                    }));
                }
            }
        }
        all
    }

    /// What there is once nothing is written any more, and what was declared last.
    fn run(self) -> (Cluster, ValidIndexer) {
        let mut cluster = Cluster::new(&declared("50Gi", self.retention));
        let mut valid = declared("60Gi", self.retention);
        let mut rests = 0;
        for pass in 0.. {
            if pass == self.at_pass {
                valid = declared(self.then, self.retention);
            }
            rests = if cluster.pass(&valid, self.ends_after) {
                0
            } else {
                rests + 1
            };
            if pass % self.controllers_every == 0 {
                cluster.controllers();
            }
            // The controllers had two turns.
            if pass > self.at_pass && rests > 2 * self.controllers_every {
                break;
            }
            assert!(pass < 80, "{self:?}: it does not end");
        }
        (cluster, valid)
    }
}

#[test]
fn an_operator_that_ends_after_any_write_leaves_what_the_next_one_completes() {
    let mut replaced = 0;
    for course in Course::all() {
        let (cluster, valid) = course.run();
        let (observed, set) = (cluster.observed(), cluster.set.as_ref().unwrap());
        let size = Sizes::of(&valid, &settled(&valid), &observed).size(&valid, &valid.revision);
        let policy = set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"].as_str();
        assert_eq!(policy, Some(format!("{:?}", course.retention).as_str()), "{course:?}");
        assert_eq!(set.pointer(SIZE), Some(&json!(size.text)), "{course:?}");
        assert!(
            observed.claims.iter().all(|claim| claim.requested == size),
            "{course:?}"
        );
        assert_eq!(cluster.pods, vec![uid(set); PODS], "{course:?}");
        if course.then != "50Gi" {
            assert_eq!(size.text, course.then, "{course:?}");
        }
        replaced += u32::from(cluster.sets_made > 1);
    }
    assert!(replaced > 200, "{replaced}");
}

/// What else is planned for the set does not wait until it is replaced.
#[test]
fn another_image_is_applied_together_with_the_first_step() {
    let before = declared("50Gi", Retention::Delete);
    let cluster = Cluster::new(&before);
    let mut after = declared("60Gi", Retention::Delete);
    after.image = "another".into();
    let plan = plan(&after, &settled(&after), &Sizes::default(), &Memories::default());
    let planned = plan
        .children
        .iter()
        .find(|child| child.kind == ChildKind::StatefulSet)
        .unwrap();
    let Next::Apply(passing) = next(planned, cluster.set.as_ref(), &[]) else {
        panic!("nothing is applied");
    };
    let spec = &passing.body["spec"];
    assert_eq!(spec["template"]["spec"]["containers"][0]["image"], "another");
    assert_eq!(passing.body.pointer(SIZE), cluster.set.as_ref().unwrap().pointer(SIZE));
    assert_eq!(spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"], "Retain");
}
