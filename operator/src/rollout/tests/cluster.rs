//! A cluster reduced to what rollouts are about: it takes the operator's writes one by one, runs pods, and loses objects.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use crds::{ActiveRevision, IndexerStatus, LineageStep, RecordRow};
use k8s_openapi::{
    api::core::v1::PersistentVolumeClaim,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    facts::{ObservedPod, Sample, VolumeClaim},
    names,
    rollout::stamps,
};

/// Blocks that a pod indexes between two passes: it takes several to complete an index.
const PACE: u32 = TIP / 3 + 1;

/// What all pods have in common. Made once, because there are very many.
static POD: LazyLock<ObservedPod> = LazyLock::new(|| fixtures::observed_pod("one-0"));
static REPORT: LazyLock<crds::pod::Status> = LazyLock::new(|| fixtures::following(TIP));

/// What there is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lab {
    pub(super) sets: BTreeMap<Revision, Record>,
    pub(super) maps: BTreeMap<Revision, Record>,
    pub(super) service: Option<Value>,
    pub(super) budget: Option<Value>,
    pub(super) claims: BTreeMap<Revision, PersistentVolumeClaim>,
    pub(super) status: Option<IndexerStatus>,
    /// Revisions with a pod.
    pub(super) pods: BTreeSet<Revision>,
    /// What is on the volumes.
    pub(super) data: BTreeMap<Revision, Data>,
    pub(super) now: i64,
    /// Whether a pod may have to run on data that it cannot continue; it does not start then.
    pub(super) may_refuse: bool,
    /// Whether an index may be built again because its data is too old.
    pub(super) has_turn: bool,
}

type Write<'a> = Box<dyn FnOnce(&mut Lab) + 'a>;

/// An index.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Data {
    pub(super) height: u32,
    /// The modules that built it, oldest first.
    pub(super) modules: Vec<String>,
}

impl Data {
    pub(super) fn is_complete(&self) -> bool {
        self.height == TIP
    }
}

impl Lab {
    pub(super) fn new() -> Self {
        Self {
            sets: BTreeMap::new(),
            maps: BTreeMap::new(),
            service: None,
            budget: None,
            claims: BTreeMap::new(),
            status: None,
            pods: BTreeSet::new(),
            data: BTreeMap::new(),
            now: NOW,
            may_refuse: false,
            has_turn: false,
        }
    }

    pub(super) fn served(&self) -> Option<Served> {
        self.service.as_ref().and_then(Served::read)
    }

    /// All but the clock, to be compared.
    pub(super) fn without_time(&self) -> Self {
        Self { now: 0, ..self.clone() }
    }

    /// Whether anything says how the data of a revision was built.
    pub(super) fn has_record(&self, revision: &Revision) -> bool {
        self.has_record_but_in_status(revision) || self.record_in_status(revision).is_some()
    }

    /// Whether an object, or a claim, says so.
    pub(super) fn has_record_but_in_status(&self, revision: &Revision) -> bool {
        let is_stamped = |claim: &PersistentVolumeClaim| claim.metadata.annotations.is_some();
        self.sets.contains_key(revision)
            || self.maps.contains_key(revision)
            || self.claims.get(revision).is_some_and(is_stamped)
    }

    /// Whether the status says that the data of a revision was built as this record does.
    pub(super) fn has_in_status(&self, revision: &Revision, record: &Record) -> bool {
        let known = self.record_in_status(revision);
        known.is_some_and(|known| known.identity == record.identity && known.in_place == record.in_place)
    }

    fn record_in_status(&self, revision: &Revision) -> Option<Record> {
        let mut rows = self.status.iter().flat_map(|status| &status.records);
        rows.find(|row| row.revision == *revision)
            .and_then(|row| Record::parse(&row.record))
    }

    /// Whether the Service, or what is asked in its place, names a revision as the one that serves.
    pub(super) fn is_named(&self, revision: &Revision) -> bool {
        let budget = self.budget.as_ref();
        let guarded = || budget.map(|budget| &budget["spec"]["selector"]["matchLabels"][names::LABEL_REVISION]);
        match self.served() {
            Some(served) => served.revision == *revision,
            None => guarded().is_some_and(|guarded| *guarded == json!(revision)),
        }
    }

    /// One pass, of which the operator makes so many writes; then pods do what they do. Returns what was decided.
    pub(super) fn pass(&mut self, valid: &ValidIndexer, writes_max: usize) -> Decision {
        self.now += 1;
        let observed = self.observed();
        let mut world = World::of(valid, &observed, self.served(), self.status.as_ref(), at(self.now));
        // Every candidate that is healthy has been so for long.
        world.inquiry.healthy_since = Some(at(0));
        world.inquiry.has_turn = self.has_turn;
        let decided = decide(valid, &world);
        if !matches!(decided.step, Step::Lost(_)) {
            self.carry_out(valid, &decided, &observed, writes_max);
        }
        self.run_pods();
        decided
    }

    fn carry_out(&mut self, valid: &ValidIndexer, decided: &Decision, observed: &Observed, writes_max: usize) {
        let mut writes: Vec<Write<'_>> = Vec::new();
        for stamp in stamps(valid, decided, observed) {
            writes.push(Box::new(move |lab| {
                let claim = lab.claims.get_mut(&stamp.claim.revision).unwrap();
                claim.metadata.annotations = Some(BTreeMap::from([
                    (names::ANNOTATION_RECORD.to_owned(), stamp.text),
                    (names::ANNOTATION_INDEXER_UID.to_owned(), valid.uid.clone()),
                ]));
            }));
        }
        for (revision, record) in &decided.sets {
            if self.maps.get(revision) != Some(record) {
                writes.push(Box::new(|lab| drop(lab.maps.insert(revision.clone(), record.clone()))));
            }
        }
        let (service, budget, status) = (service(decided), budget(decided), status(decided));
        if self.service.as_ref() != Some(&service) {
            writes.push(Box::new(|lab| lab.service = Some(service)));
        }
        if self.budget.as_ref() != Some(&budget) {
            writes.push(Box::new(|lab| lab.budget = Some(budget)));
        }
        for (revision, record) in &decided.sets {
            if self.sets.get(revision) != Some(record) {
                writes.push(Box::new(|lab| drop(lab.sets.insert(revision.clone(), record.clone()))));
            }
        }
        let gone = observed.records.keys().filter(|revision| !decided.keeps(revision));
        for gone in gone {
            writes.push(Box::new(|lab| drop(lab.maps.remove(gone))));
            writes.push(Box::new(|lab| {
                lab.sets.remove(gone);
                lab.pods.remove(gone);
            }));
        }
        if self.status.as_ref() != Some(&status) {
            writes.push(Box::new(|lab| lab.status = Some(status)));
        }
        writes.into_iter().take(writes_max).for_each(|write| write(self));
    }

    /// Sets make pods and claims; pods index. One whose store is not what its configuration says would refuse it.
    fn run_pods(&mut self) {
        for (revision, record) in &self.sets {
            let now = Time(at(self.now));
            self.claims
                .entry(revision.clone())
                .or_insert_with(|| claim(revision, now));
            self.pods.insert(revision.clone());
            let module = &record.identity.module_sha256;
            let data = self.data.entry(revision.clone()).or_insert_with(|| Data {
                height: 0,
                modules: vec![module.clone()],
            });
            if !record.in_place && data.modules != [module.clone()] {
                assert!(self.may_refuse, "{revision} is not kept: {data:?}, {record:?}");
                self.pods.remove(revision);
                continue;
            }
            match data.modules.iter().position(|known| known == module) {
                Some(i) => data.modules.truncate(i + 1),
                None => data.modules.push(module.clone()),
            }
        }
        for revision in &self.pods {
            if let Some(data) = self.data.get_mut(revision) {
                data.height = (data.height + PACE).min(TIP);
            }
        }
    }

    fn observed(&self) -> Observed {
        let known: BTreeSet<_> = self.maps.keys().chain(self.sets.keys()).collect();
        let record = |revision: &Revision| {
            let (set, map) = (self.sets.get(revision), self.maps.get(revision));
            let served = set.and_then(|set| set.served).max(map.and_then(|map| map.served));
            set.or(map).map(|record| Record {
                served,
                ..record.clone()
            })
        };
        let budget = |body: &Value| ((ChildKind::PodDisruptionBudget, "one".to_owned()), body.clone());
        Observed {
            children: self.budget.iter().map(budget).collect(),
            pods: self.pods.iter().map(|revision| self.pod(revision)).collect(),
            claims: self.claims.values().filter_map(VolumeClaim::read).collect(),
            records: known
                .into_iter()
                .map(|revision| (revision.clone(), record(revision)))
                .collect(),
            ..Observed::default()
        }
    }

    fn pod(&self, revision: &Revision) -> ObservedPod {
        let data = &self.data[revision];
        let lineage = data.modules.iter().map(|module| LineageStep {
            from_height: 0,
            module_sha256: module.clone(),
        });
        let report = crds::pod::Status {
            revision: revision.clone(),
            module_sha256: data.modules.last().unwrap().clone(),
            height: Some(data.height),
            tip: Some(TIP),
            behind: Some(TIP - data.height),
            // What the image of its set writes.
            store_format: self
                .sets
                .get(revision)
                .and_then(|record| Some(record.made_with.as_ref()?.store_format)),
            lineage: lineage.collect(),
            ..REPORT.clone()
        };
        ObservedPod {
            name: format!("{}-0", names::of_revision("one", revision)),
            revision: revision.clone(),
            ready: data.is_complete(),
            orphan: !self.sets.contains_key(revision),
            sample: Sample::Answer(Box::new(report)),
            ..POD.clone()
        }
    }
}

fn service(decided: &Decision) -> Value {
    let noted = decided.previous.as_ref().map(
        |(revision, at)| json!({names::ANNOTATION_PREVIOUS: revision, names::ANNOTATION_SWITCHED: at.to_string()}),
    );
    json!({"metadata": {"annotations": noted}, "spec": {"selector": {names::LABEL_REVISION: decided.serving}}})
}

fn budget(decided: &Decision) -> Value {
    json!({"spec": {"selector": {"matchLabels": {names::LABEL_REVISION: decided.serving}}}})
}

fn claim(revision: &Revision, now: Time) -> PersistentVolumeClaim {
    let name = names::claim(&names::of_revision("one", revision), 0);
    let claim = fixtures::bound_claim(&name, "50Gi");
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            labels: Some(names::pod_labels("one", revision)),
            annotations: None,
            creation_timestamp: Some(now),
            ..claim.metadata
        },
        ..claim
    }
}

fn status(decided: &Decision) -> IndexerStatus {
    let row = |(revision, record): &(Revision, Record)| RecordRow {
        revision: revision.clone(),
        record: record.text(),
    };
    IndexerStatus {
        active: Some(ActiveRevision {
            revision: decided.serving.clone(),
            module_sha256: String::new(),
            height: None,
            block_hash: None,
            digest: None,
            behind: None,
            blocks_per_second: None,
            time_left: None,
            store_format: None,
            lineage: Vec::new(),
        }),
        records: decided.sets.iter().map(row).collect(),
        ..IndexerStatus::default()
    }
}
