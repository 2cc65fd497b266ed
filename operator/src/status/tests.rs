mod recorded;
mod resizing;
mod snapshots;
mod storage;

use std::collections::BTreeMap;

use crds::{
    Comparison, MAX_BEHIND, Phase,
    conditions::reasons,
    pod::{FaultClass, Halt, Status, Trouble},
};

use super::*;
use crate::{
    facts::{Consistency, Difference, Observed, Sample, VolumeClaim},
    fixtures::{answering_pod, bound_claim, following, observed_pod, settled, stateful_set, under_way, valid},
    memory::Memories,
    rollout::{Decision, Step},
    validate::{Invalid, ValidIndexer},
};

/// What Flux, Helm and Argo CD make of a status (kubernetes-sigs/cli-utils, `pkg/kstatus`).
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kstatus {
    InProgress,
    Failed,
    Current,
}

fn kstatus(generation: i64, status: &IndexerStatus) -> Kstatus {
    if status.observed_generation != generation {
        return Kstatus::InProgress;
    }
    for condition in &status.conditions {
        match (condition.type_.as_str(), condition.status.as_str()) {
            ("Reconciling", "True") => return Kstatus::InProgress,
            ("Stalled", "True") => return Kstatus::Failed,
            _ => {}
        }
    }
    match status.conditions.iter().find(|c| c.type_ == "Ready") {
        Some(ready) if ready.status != "True" => Kstatus::InProgress,
        Some(_) | None => Kstatus::Current,
    }
}

/// One situation; starts as a single pod that follows the chain.
struct Situation {
    valid: ValidIndexer,
    invalid: Option<Invalid>,
    observed: Observed,
    applied: Applied,
    decision: Decision,
    comparison: Option<Comparison>,
    recommendation: Option<MemoryRecommendation>,
    memories: Memories,
    last_status: Option<IndexerStatus>,
    now: i64,
    /// Nanoseconds beside `now`.
    fraction: i32,
}

/// The claim of a pod of the serving revision.
fn claim_of(ordinal: i32) -> String {
    names::claim(&names::of_revision("one", &valid().revision), ordinal)
}

impl Default for Situation {
    fn default() -> Self {
        let observed = Observed {
            pods: vec![answering_pod("one-0")],
            stateful_sets: vec![stateful_set("new")],
            claims: vec![VolumeClaim::read(&bound_claim(&claim_of(0), "50Gi")).unwrap()],
            ..Observed::default()
        };
        Self {
            valid: valid(),
            invalid: None,
            observed,
            applied: Applied::default(),
            decision: settled(&valid()),
            comparison: None,
            recommendation: None,
            memories: Memories::default(),
            last_status: None,
            now: 1_000,
            fraction: 0,
        }
    }
}

impl Situation {
    fn status(&self) -> IndexerStatus {
        status(&Inputs {
            namespace: "ns",
            name: "one",
            generation: 1,
            outcome: self.invalid.as_ref().map_or(Ok(&self.valid), Err),
            observed: &self.observed,
            applied: &self.applied,
            decision: self.invalid.is_none().then_some(&self.decision),
            comparison: self.comparison.as_ref(),
            recommendation: self.recommendation.as_ref(),
            memories: &self.memories,
            last_status: self.last_status.as_ref(),
            now: self.now(),
        })
    }

    fn now(&self) -> Timestamp {
        Timestamp::new(self.now, self.fraction).unwrap()
    }

    fn pod(&mut self) -> &mut ObservedPod {
        &mut self.observed.pods[0]
    }

    /// A candidate beside the serving revision, with a pod of its own.
    fn candidate(&mut self, step: Step) {
        self.decision.sets.push((other(), self.valid.declared()));
        self.decision.candidate = Some(other());
        self.decision.step = step;
        self.observed.pods.push(other_pod());
    }

    fn keeps_another(&mut self) {
        self.decision.sets.push((other(), self.valid.declared()));
        self.decision.previous = Some((other(), Timestamp::new(0, 5).unwrap()));
        self.observed.pods.push(other_pod());
    }

    fn differ(&mut self) {
        let difference = Difference {
            first_height: Some(90),
            majority: vec!["one-1".into(), "one-2".into()],
            minority: vec!["one-0".into()],
        };
        let verdict = Consistency::Differ(difference);
        self.observed.consistency.insert(self.valid.revision.clone(), verdict);
    }

    fn says(&mut self, edit: impl FnOnce(&mut Status)) {
        let mut status = following(100);
        edit(&mut status);
        self.pod().sample = Sample::Answer(Box::new(status));
    }
}

fn find<'a>(status: &'a IndexerStatus, type_: &str) -> &'a Condition {
    status.conditions.iter().find(|c| c.type_ == type_).unwrap()
}

fn halt(class: FaultClass) -> Halt {
    Halt {
        class,
        height: 101,
        block_hash: "cd".repeat(32),
        runs: 2,
        message: "unreachable executed".into(),
    }
}

fn lacks_credentials(s: &mut Status) {
    (s.ready, s.phase, s.source.ok) = (false, Phase::WaitingForSource, Some(false));
    (s.source.reason, s.source.message) = ("CredentialsMissing".into(), "the Secret has no key username".into());
}

type Edit = fn(&mut Situation);
/// Name, situation, reading by kstatus, status and reason of Ready, and other conditions that matter.
type Row = (
    &'static str,
    Edit,
    Kstatus,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const FAILED: Kstatus = Kstatus::Failed;
const MOVING: Kstatus = Kstatus::InProgress;

// One situation reads as one row.
#[rustfmt::skip]
const SITUATIONS: &[Row] = &[
    ("follows the chain", |_| {}, Kstatus::Current, "True", reasons::AS_EXPECTED, &[
        ("Synced", "True"), ("Available", "True"), ("ModuleVerified", "True"), ("ChainSourceReady", "True"),
        ("MemoryPressure", "False"), ("Suspended", "False"),
    ]),
    ("newborn", |s| s.observed.pods.clear(), MOVING, "False", reasons::ROLLING, &[
        ("Available", "False"), ("Synced", "Unknown"), ("ModuleVerified", "Unknown"), ("Reconciling", "True"),
    ]),
    ("container starts", |s| { s.pod().sample = Sample::NotRunning; s.pod().ready = false; }, MOVING, "False",
        reasons::ROLLING, &[("ChainSourceReady", "Unknown")]),
    ("image cannot be pulled",
        |s| { *s.pod() = observed_pod("one-0"); s.pod().ready = false; s.pod().trouble = Some("ImagePullBackOff: x".into()); },
        MOVING, "False", reasons::POD_NOT_RUNNING, &[("Stalled", "False")]),
    ("catches up",
        |s| {
            s.says(|p| {
                (p.behind, p.ready) = (Some(MAX_BEHIND + 1), false);
                (p.blocks_per_second, p.seconds_left) = (Some(0.052), Some(58));
            });
            s.pod().ready = false;
        },
        MOVING, "False", reasons::CATCHING_UP, &[("Synced", "False"), ("Available", "False")]),
    ("halted", |s| { s.says(|p| { p.halt = Some(halt(FaultClass::Guest)); p.ready = false; }); s.pod().ready = false; },
        FAILED, "False", reasons::HALTED, &[("Stalled", "True"), ("Reconciling", "False"), ("Synced", "False")]),
    ("reorganised too deep", |s| s.says(|p| p.halt = Some(halt(FaultClass::Reorg))), FAILED, "False",
        reasons::REORG_TOO_DEEP, &[("Stalled", "True")]),
    ("an audit failed", |s| s.says(|p| p.halt = Some(halt(FaultClass::Nondeterminism))), FAILED, "False",
        reasons::NONDETERMINISM, &[("Stalled", "True")]),
    ("module has another digest",
        |s| s.says(|p| { p.module.ok = Some(false); p.module.reason = "DigestMismatch".into(); p.ready = false; }),
        FAILED, "False", "DigestMismatch", &[("ModuleVerified", "False"), ("Stalled", "True")]),
    ("a snapshot of another module is refused",
        |s| s.says(|p| {
            (p.ready, p.source.ok, p.source.reason) = (false, None, "Pending".into());
            (p.seed.ok, p.seed.reason) = (Some(false), "SnapshotRefused".into());
            p.seed.message = "the snapshot s3://bucket/5 is not used: its module is aa, not ab".into();
        }),
        FAILED, "False", "SnapshotRefused", &[("Stalled", "True"), ("Reconciling", "False")]),
    ("an empty volume is restored from a snapshot",
        |s| s.says(|p| {
            (p.ready, p.source.ok, p.source.reason) = (false, None, "Pending".into());
            (p.seed.reason, p.seed.message) = ("Restoring".into(), "12 of 300 MiB".into());
        }),
        MOVING, "False", "Restoring", &[("Stalled", "False"), ("Reconciling", "True")]),
    ("credentials are missing", |s| s.says(lacks_credentials), MOVING, "False", "CredentialsMissing",
        &[("ChainSourceReady", "False"), ("Stalled", "False"), ("Synced", "Unknown"), ("Reconciling", "True")]),
    ("the host is short of memory",
        |s| s.says(|s| s.trouble = Some(Trouble::now(FaultClass::Host, "no memory".into()))), MOVING, "False",
        reasons::HOST_FAULT, &[("Stalled", "False"), ("Reconciling", "True"), ("Synced", "True")]),
    ("pod is ready and silent", |s| s.pod().sample = Sample::Silent("no answer in time".into()), MOVING, "Unknown",
        reasons::UNREACHABLE, &[("Synced", "Unknown"), ("ChainSourceReady", "Unknown"), ("MemoryPressure", "Unknown")]),
    ("pod is neither ready nor speaks",
        |s| { s.pod().sample = Sample::Silent("no connection".into()); s.pod().ready = false; }, MOVING, "False",
        reasons::UNREACHABLE, &[("Available", "False")]),
    ("local path", |s| s.invalid = Some(Invalid { reason: reasons::MODULE_PATH_NOT_FOR_PODS, problems: vec!["p".into()] }),
        FAILED, "False", reasons::MODULE_PATH_NOT_FOR_PODS, &[("Stalled", "True"), ("Reconciling", "False")]),
    ("call refused for now",
        |s| s.applied.failure = Some(Failure { revision: None, message: "apply Service one: forbidden".into(), needs_change: false }),
        MOVING, "False", reasons::APPLY_FAILED, &[("Stalled", "False"), ("Reconciling", "True")]),
    ("call refused for good",
        |s| s.applied.failure = Some(Failure { revision: None, message: "apply StatefulSet: invalid".into(), needs_change: true }),
        FAILED, "False", reasons::APPLY_FAILED, &[("Stalled", "True")]),
    ("suspended", |s| { s.valid.suspended = true; s.valid.replicas = 0; s.observed.pods.clear(); }, Kstatus::Current, "True",
        reasons::SUSPENDED, &[("Suspended", "True"), ("Reconciling", "False"), ("Available", "False")]),
    ("is being suspended", |s| { s.valid.suspended = true; s.valid.replicas = 0; }, MOVING, "False",
        reasons::ROLLING, &[("Suspended", "True"), ("Reconciling", "True")]),
    ("scaled to nothing", |s| { s.valid.replicas = 0; s.observed.pods.clear(); }, Kstatus::Current, "True",
        reasons::SCALED_TO_ZERO, &[("Reconciling", "False"), ("Suspended", "False"), ("Available", "False")]),
    ("a second pod is missing", |s| s.valid.replicas = 2, MOVING, "False", reasons::ROLLING, &[("Available", "True")]),
    ("under pressure", |s| s.says(|p| p.memory.last_crossing_height = Some(99)), Kstatus::Current, "True",
        reasons::AS_EXPECTED, &[("MemoryPressure", "True")]),
    ("a Service was put right", |s| s.applied.changed = true, MOVING, "True", reasons::AS_EXPECTED,
        &[("Reconciling", "True")]),
    ("a new template was applied", |s| { s.applied.changed = true; s.applied.sets_changed = vec![valid().revision]; }, MOVING, "False",
        reasons::ROLLING, &[("Reconciling", "True"), ("Available", "True")]),
    ("its controller has not seen it", |s| s.observed.stateful_sets[0].metadata.generation = Some(2), MOVING, "False",
        reasons::ROLLING, &[("Reconciling", "True")]),
    ("the pod is of the template before", |s| s.pod().template = Some("old".into()), MOVING, "False", reasons::ROLLING,
        &[("Reconciling", "True"), ("Available", "True")]),
    ("the pod of the template before halted",
        |s| { s.says(|p| p.halt = Some(halt(FaultClass::Guest))); s.pod().template = Some("old".into()); },
        MOVING, "False", reasons::ROLLING, &[("Stalled", "False")]),
    ("a halted pod is on its way out", |s| { s.says(|p| p.halt = Some(halt(FaultClass::Guest))); s.pod().terminating = true; },
        MOVING, "False", reasons::ROLLING, &[("Stalled", "False")]),
    ("a pod of the template before crashes",
        |s| { s.pod().template = Some("old".into()); s.pod().trouble = Some("ended".into()); },
        MOVING, "False", reasons::ROLLING, &[("Stalled", "False")]),
    ("module is not there yet",
        |s| s.says(|p| { p.module.ok = Some(false); p.module.reason = "ModuleNotFound".into(); p.ready = false; }),
        MOVING, "False", "ModuleNotFound", &[("ModuleVerified", "False"), ("Stalled", "False")]),
    ("module that cannot be fetched",
        |s| s.says(|p| { p.module.ok = Some(false); p.module.reason = "FetchFailed".into(); p.ready = false; }),
        MOVING, "False", "FetchFailed", &[("ModuleVerified", "False"), ("Stalled", "False")]),
    ("a candidate catches up", |s| s.candidate(Step::CatchingUp("c".into())), MOVING, "True", reasons::AS_EXPECTED,
        &[("RolloutInProgress", "True"), ("Reconciling", "True"), ("Stalled", "False"), ("Available", "True")]),
    ("the set of a candidate was made",
        |s| { s.candidate(Step::CatchingUp("c".into())); s.applied.changed = true; s.applied.sets_changed = vec![other()]; },
        MOVING, "True", reasons::AS_EXPECTED, &[("RolloutInProgress", "True")]),
    ("a candidate soaks", |s| s.candidate(Step::Soaking), MOVING, "True", reasons::AS_EXPECTED,
        &[("RolloutInProgress", "True")]),
    ("a candidate is blocked", |s| s.candidate(Step::Blocked("quota".into())), MOVING, "True", reasons::AS_EXPECTED,
        &[("RolloutInProgress", "True"), ("Stalled", "False")]),
    ("a candidate answers otherwise",
        |s| s.candidate(Step::Differs("2 answers to rollout.compareViews differ, see status.comparison".into())), FAILED,
        "True", reasons::AS_EXPECTED,
        &[("RolloutInProgress", "True"), ("Reconciling", "False"), ("Stalled", "True"), ("Available", "True")]),
    ("a quota refuses a candidate's objects",
        |s| {
            s.candidate(Step::CatchingUp("c".into()));
            s.applied.failure =
                Some(Failure { revision: Some(other()), message: "exceeded quota".into(), needs_change: false });
        },
        MOVING, "True", reasons::AS_EXPECTED, &[("RolloutInProgress", "True"), ("Stalled", "False")]),
    ("a candidate failed", |s| s.candidate(Step::Failed("halted".into())), FAILED, "True", reasons::AS_EXPECTED,
        &[("RolloutInProgress", "False"), ("Reconciling", "False"), ("Stalled", "True"), ("Available", "True")]),
    ("a candidate cannot be begun",
        |s| s.decision.step = Step::Refused(reasons::IN_PLACE_REFUSED, "memory.limit differs".into()), FAILED, "True",
        reasons::AS_EXPECTED, &[("RolloutInProgress", "False"), ("Stalled", "True")]),
    ("nothing is left of what serves but claims",
        |s| { s.decision.step = Step::Lost("nothing is left".into()); s.observed.pods.clear(); }, FAILED, "False",
        reasons::ROLLING, &[("Stalled", "True"), ("RolloutInProgress", "False"), ("Reconciling", "False")]),
    ("another indexer is built again first", |s| s.decision.step = Step::Queued("it is old".into()), MOVING, "True",
        reasons::AS_EXPECTED, &[("RolloutInProgress", "True"), ("Reconciling", "True"), ("Stalled", "False")]),
    ("what serves halted, and a candidate is on its way",
        |s| { s.candidate(Step::CatchingUp("c".into())); s.says(|p| p.halt = Some(halt(FaultClass::Guest))); }, MOVING,
        "False", reasons::HALTED, &[("RolloutInProgress", "True"), ("Stalled", "False")]),
    ("a revision is kept for a way back", |s| s.keeps_another(), Kstatus::Current, "True", reasons::AS_EXPECTED,
        &[("RolloutInProgress", "False"), ("Reconciling", "False")]),
    ("a pod of a revision nobody keeps", |s| s.observed.pods.push(other_pod()), MOVING, "True", reasons::AS_EXPECTED,
        &[("Reconciling", "True")]),
    ("the only pod is kept out", |s| s.pod().kept_out = true, FAILED, "False", reasons::NO_READY_PODS,
        &[("Available", "False"), ("Stalled", "True")]),
    ("both pods are let back",
        |s| {
            s.valid.replicas = 2;
            s.observed.pods.push(answering_pod("one-1"));
            s.observed.pods.iter_mut().for_each(|pod| pod.kept_out = true);
            s.observed.consistency.insert(s.valid.revision.clone(), Consistency::Equal);
            s.applied.changed = true;
        },
        MOVING, "True", reasons::AS_EXPECTED, &[("Available", "False"), ("Stalled", "False"), ("Reconciling", "True")]),
    ("it is as far behind as the spec allows",
        |s| { s.valid.rollout.max_behind = 10; s.says(|p| p.behind = Some(10)); }, Kstatus::Current, "True",
        reasons::AS_EXPECTED, &[("Synced", "True")]),
    ("an earlier indexer of the name left objects",
        |s| s.observed.leftovers = vec!["StatefulSet one-0123456789".into(), "Service one".into()], MOVING, "False",
        reasons::ROLLING, &[("Reconciling", "True"), ("Stalled", "False")]),
    ("a pod gives a reason nobody knows",
        |s| s.says(|p| { p.module.ok = Some(false); p.module.reason = "Ready".into(); p.ready = false; }),
        FAILED, "False", reasons::UNRECOGNIZED, &[("ModuleVerified", "False"), ("Stalled", "True")]),
    ("pods differ", |s| s.differ(), FAILED, "False", reasons::DIGESTS_DIFFER,
        &[("Consistent", "False"), ("Stalled", "True")]),
];

/// A revision that is not the serving one.
fn other() -> Revision {
    Revision::parse("0123456789").unwrap()
}

fn other_pod() -> ObservedPod {
    ObservedPod {
        revision: other(),
        ..answering_pod("other-0")
    }
}

#[test]
fn situations_are_told_as_they_are() {
    for (name, edit, read, ready, reason, others) in SITUATIONS {
        let mut situation = Situation::default();
        edit(&mut situation);
        let status = situation.status();
        assert_eq!(kstatus(1, &status), *read, "{name}: {:#?}", status.conditions);
        assert_eq!(
            (
                find(&status, "Ready").status.as_str(),
                find(&status, "Ready").reason.as_str()
            ),
            (*ready, *reason),
            "{name}"
        );
        for (type_, expected) in *others {
            assert_eq!(find(&status, type_).status, *expected, "{name}: {type_}");
        }
    }
}

#[test]
fn every_condition_is_always_there_once_and_the_two_of_kstatus_exclude_each_other() {
    for (name, edit, ..) in SITUATIONS {
        let mut situation = Situation::default();
        edit(&mut situation);
        let status = situation.status();
        let listed: Vec<&str> = status.conditions.iter().map(|c| c.type_.as_str()).collect();
        assert_eq!(listed, types::ALL, "{name}");
        let both = find(&status, "Reconciling").status == "True" && find(&status, "Stalled").status == "True";
        assert!(!both, "{name}");
        assert!(
            status
                .conditions
                .iter()
                .all(|c| c.observed_generation == Some(1) && !c.reason.is_empty()),
            "{name}"
        );
    }
}

#[test]
fn a_status_of_an_older_generation_is_not_taken_for_current() {
    assert_eq!(kstatus(2, &Situation::default().status()), Kstatus::InProgress);
}

#[test]
fn a_second_pass_over_the_same_facts_differs_in_nothing() {
    for (name, edit, ..) in SITUATIONS {
        let mut situation = Situation::default();
        edit(&mut situation);
        let first = situation.status();
        (situation.last_status, situation.now) = (Some(first.clone()), 2_000);
        let second = situation.status();
        assert!(!differs(&first, &second), "{name}: {first:#?} {second:#?}");
    }
}

#[test]
fn only_a_turn_moves_the_time_of_a_condition() {
    let mut situation = Situation {
        last_status: Some(Situation::default().status()),
        now: 2_000,
        ..Situation::default()
    };
    situation.says(lacks_credentials);
    let status = situation.status();
    let times: BTreeMap<&str, i64> = status
        .conditions
        .iter()
        .map(|c| (c.type_.as_str(), c.last_transition_time.0.as_second()))
        .collect();
    assert_eq!(times["ChainSourceReady"], 2_000);
    assert_eq!(times["Ready"], 2_000);
    assert_eq!(times["ModuleVerified"], 1_000);
    assert_eq!(times["Stalled"], 1_000);
}

#[test]
fn a_dead_pod_leaves_no_stale_figures() {
    let mut situation = Situation {
        last_status: Some(Situation::default().status()),
        ..Situation::default()
    };
    situation.pod().sample = Sample::Silent("no connection".into());
    let status = situation.status();
    assert_eq!(status.pods[0].phase, Phase::Unknown);
    assert_eq!(
        (status.pods[0].height, status.active.unwrap().height, status.memory),
        (None, None, None)
    );
}

#[test]
fn a_halt_names_the_height_and_the_guests_words() {
    let mut situation = Situation::default();
    situation.says(|p| p.halt = Some(halt(FaultClass::Guest)));
    let status = situation.status();
    for text in [
        &find(&status, "Stalled").message,
        status.pods[0].message.as_ref().unwrap(),
    ] {
        assert!(text.contains("101") && text.contains("unreachable executed"), "{text}");
    }
}

#[test]
fn a_block_that_runs_for_a_minute_is_named_with_its_pod() {
    for (behind, status, reason) in [(1, "True", reasons::AS_EXPECTED), (9, "False", reasons::CATCHING_UP)] {
        let mut situation = Situation::default();
        let mut told = |seconds| {
            situation.says(|p| (p.behind, p.block_under_way) = (Some(behind), Some(under_way(seconds))));
            let status = situation.status();
            (find(&status, "Synced").clone(), status.pods[0].message.clone())
        };
        let (synced, message) = told(59);
        assert_eq!(
            (synced.status.as_str(), synced.reason.as_str(), message),
            (status, reason, None)
        );
        let (synced, message) = told(60);
        assert_eq!(
            (synced.status.as_str(), synced.reason.as_str()),
            (status, reasons::LONG_RUN)
        );
        let words = "one-0 has been running block 101 for more than a minute (first run)";
        assert!(synced.message.contains(words), "{}", synced.message);
        assert!(message.is_some_and(|message| message.starts_with(words)));
        assert_eq!(told(7_200).0, synced, "the time it takes is no news");
    }
}

#[test]
fn the_end_of_a_log_is_told_of_the_pod_only() {
    let mut situation = Situation::default();
    (situation.pod().trouble, situation.pod().last_words) = (Some("exit code 1".into()), Some("out of disk".into()));
    let status = situation.status();
    assert_eq!(find(&status, "Ready").message, "one-0: exit code 1");
    assert_eq!(status.pods[0].message.as_deref(), Some("exit code 1: out of disk"));
}

#[test]
fn jitter_of_resident_memory_is_no_difference_and_a_step_is() {
    let before = Situation::default().status();
    let mut situation = Situation {
        last_status: Some(before.clone()),
        ..Situation::default()
    };
    situation.says(|p| p.memory.resident_bytes += 8 << 20);
    assert!(!differs(&before, &situation.status()));
    situation.says(|p| p.memory.resident_bytes += 80 << 20);
    assert!(differs(&before, &situation.status()));
    situation.says(|p| p.height = Some(101));
    assert!(differs(&before, &situation.status()));
}

#[test]
fn figures_are_those_of_the_pod_that_took_most() {
    let mut situation = Situation::default();
    situation.valid.replicas = 2;
    situation.observed.pods.push(answering_pod("one-1"));
    situation.says(|p| {
        (p.height, p.memory.guest_peak_bytes, p.memory.resident_bytes) = (Some(99), 63 << 20, 7);
    });
    let status = situation.status();
    assert_eq!(status.active.unwrap().height, Some(100));
    let memory = status.memory.unwrap();
    assert_eq!(
        (memory.peak_of_threshold.as_str(), memory.resident_bytes),
        ("63Mi/64Mi", 7)
    );
    assert_eq!((status.replicas, status.ready_replicas), (2, 2));
    assert_eq!(status.endpoint.unwrap(), "http://one.ns.svc:8080");
}

#[test]
fn rows_are_bounded_and_start_with_the_serving_revision() {
    let mut situation = Situation::default();
    let mut other = situation.valid.identity.clone();
    other.start_height = 7;
    let mut old = answering_pod("a-0");
    old.revision = other.revision();
    situation.observed.pods = (0..48).map(|i| answering_pod(&format!("one-{i:02}"))).collect();
    situation.observed.pods.insert(0, old);
    let status = situation.status();
    assert_eq!(status.pods.len(), 48);
    assert_eq!(status.pods[0].name, "one-00");
}

#[test]
fn a_rollout_shows_both_revisions_and_then_the_way_back() {
    let mut situation = Situation::default();
    situation.candidate(Step::Soaking);
    situation.decision.healthy_since = Some(Timestamp::from_second(900).unwrap());
    let status = situation.status();
    let (active, candidate) = (status.active.unwrap(), status.candidate.unwrap());
    assert_eq!(
        (&active.revision, &candidate.revision),
        (&situation.valid.revision, &other())
    );
    assert_eq!(
        (candidate.height, candidate.healthy_since.unwrap().0.as_second()),
        (Some(100), 900)
    );

    let mut situation = Situation::default();
    situation.keeps_another();
    let status = situation.status();
    assert_eq!(status.candidate, None);
    let previous = status.previous.unwrap();
    assert_eq!((previous.revision, previous.until.0.as_second()), (other(), 3_600));
}

#[test]
fn a_difference_names_the_height_and_the_pods() {
    let mut situation = Situation::default();
    situation.differ();
    let status = situation.status();
    let message = &find(&status, "Consistent").message;
    for part in ["height 90", "one-0", "one-1, one-2"] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[test]
fn what_is_left_of_an_earlier_indexer_is_named() {
    let mut situation = Situation::default();
    situation.observed.leftovers = vec!["StatefulSet one-0123456789".into(), "Service one".into()];
    let message = find(&situation.status(), "Ready").message.clone();
    assert!(message.contains("StatefulSet one-0123456789 and 1 more"), "{message:?}");
}

#[test]
fn a_reason_of_a_pod_becomes_one_of_a_condition_only_if_it_is_known() {
    for (given, expected) in [
        ("CredentialsMissing", "CredentialsMissing"),
        ("", reasons::NO_REPORT),
        (reasons::HALTED, reasons::UNRECOGNIZED),
        ("no word at all\n", reasons::UNRECOGNIZED),
    ] {
        let mut situation = Situation::default();
        situation.says(|s| (s.source.ok, s.source.reason) = (Some(false), given.into()));
        let status = situation.status();
        for type_ in ["ChainSourceReady", "Synced"] {
            assert_eq!(find(&status, type_).reason, expected, "{type_}: {given:?}");
        }
    }
}

#[test]
fn a_status_is_the_same_once_it_was_written_and_read() {
    for (name, edit, ..) in SITUATIONS {
        let mut situation = Situation::default();
        edit(&mut situation);
        situation.fraction = 123_456_789;
        if situation.decision.candidate.is_some() {
            situation.decision.healthy_since = Some(situation.now());
        }
        let status = situation.status();
        let read: IndexerStatus = serde_json::from_value(serde_json::to_value(&status).unwrap()).unwrap();
        assert_eq!(read, status, "{name}");
    }
}

#[test]
fn what_is_recommended_is_shown_while_pods_report_and_stays_with_a_spec_that_is_not_valid() {
    let recommended = MemoryRecommendation {
        request: crds::ByteSize("512Mi".into()),
        limit: crds::ByteSize("2304Mi".into()),
        reason: "why".into(),
    };
    let mut situation = Situation {
        recommendation: Some(recommended.clone()),
        ..Situation::default()
    };
    let shown = |situation: &Situation| situation.status().memory.and_then(|memory| memory.recommendation);
    assert_eq!(shown(&situation), Some(recommended.clone()));
    situation.last_status = Some(situation.status());
    situation.recommendation = None;
    assert_eq!(shown(&situation), None);
    situation.invalid = Some(Invalid {
        reason: reasons::INVALID_SPEC,
        problems: vec!["spec.chain: no".into()],
    });
    assert_eq!(shown(&situation), Some(recommended));
    situation.pod().sample = Sample::NotRunning;
    assert_eq!(situation.status().memory, None);
}

#[test]
fn an_index_that_has_halted_as_a_whole_is_available_and_not_ready() {
    let mut situation = Situation::default();
    situation.says(|status| (status.ready, status.halt) = (false, Some(halt(FaultClass::Guest))));
    situation.pod().ready = false;
    let available = |situation: &Situation| {
        let status = situation.status();
        assert_eq!(find(&status, types::READY).status, "False");
        let found = find(&status, types::AVAILABLE);
        (found.status.clone(), found.reason.clone())
    };
    assert_eq!(
        available(&situation),
        ("False".into(), reasons::NO_READY_PODS.into()),
        "the Service is not told yet"
    );
    situation.decision.halted = true;
    assert_eq!(available(&situation), ("True".into(), reasons::HALTED.into()));
}
