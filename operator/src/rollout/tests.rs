//! The whole state space: every combination of what can be declared, what can exist and how its pods can be, held
//! against rules that say what must never happen, and an operator that ends after any of its writes.

mod cluster;
mod deletions;
mod upgrades;

use std::{collections::BTreeMap, time::Duration};

use crds::{CompareView, FromActive, OnDifference, RolloutStrategy, SeedSpec, conditions::reasons};

use super::*;
use crate::{
    facts::Observed,
    fixtures,
    memory::Memories,
    objects::{ChildKind, Served},
    plan::plan,
    record::records,
    storage::Sizes,
};

/// What the spec says, next to what serves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Nothing,
    Module,
    Limit,
    ModuleInPlace,
    LimitInPlace,
    ModuleSeeded,
    LimitSeeded,
}

const CHANGES: [Change; 7] = [
    Change::Nothing,
    Change::Module,
    Change::Limit,
    Change::ModuleInPlace,
    Change::LimitInPlace,
    Change::ModuleSeeded,
    Change::LimitSeeded,
];

/// How the candidate's set is; the flag says whether time is up for what it does.
const CANDIDATES: [Option<(Kind, bool)>; 7] = [
    None,
    Some((Kind::Waits, false)),
    Some((Kind::Waits, true)),
    Some((Kind::Blocked, false)),
    Some((Kind::Failed, false)),
    Some((Kind::Healthy, false)),
    Some((Kind::Healthy, true)),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Waits,
    Blocked,
    Failed,
    Healthy,
}

/// What stands between a healthy candidate and the clients.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Gate {
    Open,
    HeightAhead,
    HeightReached,
    NotCompared,
    Incomparable,
    Equal,
    DifferentReported,
    DifferentBlocks,
}

const GATES: [Gate; 8] = [
    Gate::Open,
    Gate::HeightAhead,
    Gate::HeightReached,
    Gate::NotCompared,
    Gate::Incomparable,
    Gate::Equal,
    Gate::DifferentReported,
    Gate::DifferentBlocks,
];

/// The revision that served before.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    None,
    Kept,
    Expired,
    /// Kept, and it is the declared one.
    Declared,
    /// A set that nothing names: a candidate that was declared earlier.
    Abandoned,
}

const BEFORE: [Before; 5] = [
    Before::None,
    Before::Kept,
    Before::Expired,
    Before::Declared,
    Before::Abandoned,
];

const NOW: i64 = 100_000;
const TIP: u32 = 500;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap()
}

/// The spec before the change, and after it.
fn declared(change: Change, gate: Gate) -> (ValidIndexer, ValidIndexer) {
    let before = fixtures::valid();
    let mut after = before.clone();
    match change {
        Change::Nothing => {}
        Change::Module | Change::ModuleInPlace | Change::ModuleSeeded => after.identity.module_sha256 = "cd".repeat(32),
        Change::Limit | Change::LimitInPlace | Change::LimitSeeded => after.identity.memory_limit_bytes = 1 << 30,
    }
    after.revision = after.identity.revision();
    match change {
        Change::ModuleInPlace | Change::LimitInPlace => after.rollout.strategy = RolloutStrategy::InPlace,
        Change::ModuleSeeded | Change::LimitSeeded => {
            after.rollout.seed = Some(SeedSpec {
                from_active: FromActive { at_height: 7 },
            });
        }
        _ => {}
    }
    let compares = matches!(
        gate,
        Gate::NotCompared | Gate::Incomparable | Gate::Equal | Gate::DifferentReported | Gate::DifferentBlocks
    );
    if compares {
        after.rollout.compare_views = vec![CompareView {
            function: "tip".into(),
            input: "0x".into(),
            heights: vec![],
        }];
    }
    if gate == Gate::DifferentBlocks {
        after.rollout.on_difference = OnDifference::Block;
    }
    after.rollout.activate_at = match gate {
        Gate::HeightAhead => Some(TIP + 1),
        Gate::HeightReached => Some(TIP),
        _ => None,
    };
    (before, after)
}

fn health_of(kind: Kind) -> Health {
    match kind {
        Kind::Waits => Health::Waits("syncs".into()),
        Kind::Blocked => Health::Blocked("quota".into()),
        Kind::Failed => Health::Failed("trap".into()),
        Kind::Healthy => Health::Healthy { tip: TIP },
    }
}

fn set(valid: &ValidIndexer, health: Health) -> SetState {
    SetState {
        record: Some(valid.declared()),
        health,
        halted: false,
        heights: Some((TIP - 1, TIP)),
        orphaned: false,
        formats: None,
        image: None,
    }
}

fn third() -> ValidIndexer {
    let mut third = fixtures::valid();
    third.identity.module_sha256 = "ee".repeat(32);
    third.revision = third.identity.revision();
    third
}

/// A world; none if the combination means nothing.
fn world(
    before: &ValidIndexer,
    after: &ValidIndexer,
    candidate: Option<(Kind, bool)>,
    gate: Gate,
    kept: Before,
) -> Option<World> {
    let mut sets = BTreeMap::from([(before.revision.clone(), set(before, Health::Healthy { tip: TIP }))]);
    if let Some((kind, _)) = candidate {
        if after.revision == before.revision {
            return None;
        }
        sets.insert(after.revision.clone(), set(after, health_of(kind)));
    }
    let old = match kept {
        Before::Declared if after.revision == before.revision || candidate.is_none() => return None,
        Before::Declared => after.clone(),
        _ => third(),
    };
    if matches!(kept, Before::Kept | Before::Expired | Before::Abandoned) {
        sets.insert(old.revision.clone(), set(&old, Health::Healthy { tip: TIP }));
    }
    let keep = seconds(after.timing.keep_previous);
    let switched = match kept {
        Before::None | Before::Abandoned => None,
        Before::Kept | Before::Declared => Some(at(NOW - keep + 1)),
        Before::Expired => Some(at(NOW - keep)),
    };
    let late = candidate.is_some_and(|(_, late)| late);
    let started = |span: Duration| at(NOW - seconds(span) + i64::from(!late));
    Some(World {
        served: Some(Served {
            revision: before.revision.clone(),
            previous: switched.map(|at| (old.revision.clone(), at)),
        }),
        guarded: Some(before.revision.clone()),
        last_active: Some(before.revision.clone()),
        sets,
        forgotten: BTreeMap::new(),
        inquiry: Inquiry {
            obstacle: None,
            idle: candidate.map_or(Duration::ZERO, |_| {
                after.timing.progress_deadline - Duration::from_secs(u64::from(!late))
            }),
            healthy_since: candidate
                .filter(|(kind, _)| *kind == Kind::Healthy)
                .map(|_| started(after.timing.soak)),
            compared: match gate {
                Gate::Open | Gate::HeightAhead | Gate::HeightReached | Gate::NotCompared => None,
                Gate::Incomparable => Some(Compared::Impossible("silent".into())),
                Gate::Equal => Some(Compared::Done { different: 0 }),
                Gate::DifferentReported | Gate::DifferentBlocks => Some(Compared::Done { different: 2 }),
            },
            has_turn: false,
        },
        now: at(NOW),
    })
}

/// Every combination that means something.
fn every(mut check: impl FnMut(&str, &ValidIndexer, &ValidIndexer, &World)) {
    let mut combinations = 0;
    for change in CHANGES {
        for gate in GATES {
            let (before, after) = declared(change, gate);
            for candidate in CANDIDATES {
                for kept in BEFORE {
                    if let Some(world) = world(&before, &after, candidate, gate, kept) {
                        check(
                            &format!("{change:?} {candidate:?} {gate:?} {kept:?}"),
                            &before,
                            &after,
                            &world,
                        );
                        combinations += 1;
                    }
                }
            }
        }
    }
    assert!(combinations > 1_500, "{combinations}");
}

#[test]
fn clients_are_moved_only_to_a_healthy_candidate_that_passed_every_gate() {
    every(|name, before, after, world| {
        let decided = decide(after, world);
        let set = world.sets.get(&after.revision);
        let is_healthy = set.is_some_and(|set| matches!(set.health, Health::Healthy { .. }));
        let way_back = world.previous(after).is_some_and(|(kept, _)| kept == after.revision);
        let soaked = world
            .inquiry
            .healthy_since
            .is_some_and(|since| at(NOW).duration_since(since).as_secs() >= 60);
        let reached = after.rollout.activate_at.is_none_or(|height| height <= TIP);
        let compared = after.rollout.compare_views.is_empty()
            || match &world.inquiry.compared {
                Some(Compared::Done { different }) => {
                    *different == 0 || after.rollout.on_difference == OnDifference::Report
                }
                _ => false,
            };
        let passes = way_back || (soaked && reached && compared);
        let moves = after.revision != before.revision && is_healthy && passes;
        assert_eq!(decided.serving != before.revision, moves, "{name}: {decided:?}");
        if moves {
            assert_eq!(decided.serving, after.revision, "{name}");
            assert_eq!(decided.previous, Some((before.revision.clone(), at(NOW))), "{name}");
            assert_eq!(decided.step, Step::Switching, "{name}");
        }
    });
}

#[test]
fn what_serves_or_is_kept_or_declared_never_goes_and_everything_else_does() {
    every(|name, before, after, world| {
        let decided = decide(after, world);
        let moves = decided.serving != before.revision;
        // The way back from a switch leads to what served until then; what served earlier is given up.
        let kept = world.previous(after).map(|(revision, _)| revision).filter(|_| !moves);
        for revision in world.sets.keys() {
            // What was declared before and refused now has no candidate, so nothing else keeps its set.
            let stays = *revision == before.revision || kept.as_ref() == Some(revision) || *revision == after.revision;
            assert_eq!(!decided.retired.contains(revision), stays, "{name}: {revision}");
            assert_eq!(decided.keeps(revision), stays, "{name}: {revision}");
        }
        assert!(decided.keeps(&decided.serving), "{name}");
    });
}

#[test]
fn a_failure_is_told_and_moves_nothing() {
    every(|name, before, after, world| {
        let decided = decide(after, world);
        let set = world
            .sets
            .get(&after.revision)
            .filter(|_| after.revision != before.revision);
        let late = world.inquiry.idle.as_secs() >= 600;
        let fails = match set.map(|set| &set.health) {
            Some(Health::Failed(_)) => true,
            Some(Health::Waits(_)) => late,
            _ => false,
        };
        assert_eq!(matches!(decided.step, Step::Failed(_)), fails, "{name}: {decided:?}");
        if fails {
            assert_eq!(decided.serving, before.revision, "{name}");
        }
    });
}

#[test]
fn only_the_module_can_change_on_the_same_data() {
    for (change, refused) in [
        (Change::ModuleInPlace, None),
        (Change::LimitInPlace, Some(reasons::IN_PLACE_REFUSED)),
        (Change::ModuleSeeded, None),
        (Change::LimitSeeded, Some(reasons::SEED_REFUSED)),
    ] {
        let (before, after) = declared(change, Gate::Open);
        let world = world(&before, &after, None, Gate::Open, Before::None).unwrap();
        let decided = decide(&after, &world);
        match (&decided.step, refused) {
            (Step::Refused(reason, why), Some(expected)) => {
                assert_eq!(*reason, expected);
                assert!(why.contains("memory.limit"), "{why}");
                let (of, record) = &decided.sets[0];
                assert_eq!((of, timeless(record)), (&before.revision, before.declared()));
            }
            (_, None) => assert!(decided.sets.iter().any(|(_, record)| record.identity == after.identity)),
            (step, _) => panic!("{change:?}: {step:?}"),
        }
    }
}

#[test]
fn in_place_all_pods_begin_above_the_lowest_of_them_and_the_height_is_kept() {
    let (before, after) = declared(Change::ModuleInPlace, Gate::Open);
    let mut world = world(&before, &after, None, Gate::Open, Before::None).unwrap();
    let decided = decide(&after, &world);
    let (revision, record) = decided.sets[0].clone();
    assert_eq!((&revision, record.in_place_at), (&before.revision, Some(TIP)));
    assert_eq!((decided.step, decided.candidate), (Step::Settled, None));

    // Later passes, and another strategy, leave it as it was agreed.
    let mut set = set(&before, Health::Healthy { tip: TIP });
    (set.record, set.heights) = (Some(record.clone()), Some((TIP + 9, TIP + 9)));
    world.sets.insert(revision.clone(), set);
    for strategy in [RolloutStrategy::InPlace, RolloutStrategy::BlueGreen] {
        let mut after = after.clone();
        after.rollout.strategy = strategy;
        assert_eq!(decide(&after, &world).sets, [(revision.clone(), record.clone())]);
    }

    // And back: the same set, whose data goes back by itself.
    for strategy in [RolloutStrategy::InPlace, RolloutStrategy::BlueGreen] {
        let mut back = before.clone();
        back.rollout.strategy = strategy;
        let decided = decide(&back, &world);
        let (of, record) = &decided.sets[0];
        assert_eq!(
            (of, &record.identity, record.in_place),
            (&revision, &before.identity, true)
        );
        assert_eq!((record.in_place_at, decided.step), (None, Step::Settled));
    }
}

#[test]
fn in_place_the_highest_height_there_is_has_no_next_one() {
    let (before, after) = declared(Change::ModuleInPlace, Gate::Open);
    let mut world = world(&before, &after, None, Gate::Open, Before::None).unwrap();
    world.sets.get_mut(&before.revision).unwrap().heights = Some((u32::MAX, u32::MAX));
    assert_eq!(decide(&after, &world).sets[0].1.in_place_at, Some(u32::MAX));
}

#[test]
fn in_place_waits_until_every_pod_tells_its_height() {
    let (before, after) = declared(Change::ModuleInPlace, Gate::Open);
    let mut world = world(&before, &after, None, Gate::Open, Before::None).unwrap();
    for heights in [None, Some((0, TIP))] {
        world.sets.get_mut(&before.revision).unwrap().heights = heights;
        let decided = decide(&after, &world);
        assert!(matches!(decided.step, Step::Blocked(_)), "{decided:?}");
        assert_eq!(decided.sets[0].1.identity, before.identity);
    }
}

#[test]
fn objects_without_a_readable_record_stay_as_they_are() {
    let (before, after) = declared(Change::Module, Gate::Open);
    let mut world = world(&before, &after, None, Gate::Open, Before::Kept).unwrap();
    for set in world.sets.values_mut() {
        set.record = None;
    }
    let decided = decide(&after, &world);
    let mut untouched = decided.untouched.clone();
    untouched.sort();
    let mut expected = vec![before.revision, third().revision];
    expected.sort();
    assert_eq!((untouched, decided.retired), (expected, vec![]));
}

/// As while it is replaced, or after `kubectl delete`. The candidate's set is the only one then.
#[test]
fn a_revision_whose_set_is_gone_serves_on_and_gets_it_back() {
    let (before, after) = declared(Change::Module, Gate::Open);
    let mut children = fixtures::live(&plan(
        &before,
        &fixtures::settled(&before),
        &Sizes::default(),
        &Memories::default(),
    ))
    .children;
    children.retain(|(kind, _), _| *kind != ChildKind::StatefulSet);
    children.extend(
        fixtures::live(&plan(
            &after,
            &fixtures::settled(&after),
            &Sizes::default(),
            &Memories::default(),
        ))
        .children,
    );
    let observed = Observed {
        records: records(&children),
        children,
        ..Observed::default()
    };
    let served = Served {
        revision: before.revision.clone(),
        previous: None,
    };
    let world = World::of(&after, &observed, Some(served), None, at(NOW));
    let decided = decide(&after, &world);
    assert_eq!(decided.serving, before.revision);
    let (of, record) = &decided.sets[0];
    assert_eq!((of, timeless(record)), (&before.revision, before.declared()));
}

/// As the API server has it, and with no other name for who serves.
#[test]
fn the_disruption_budget_names_who_serves_when_the_service_is_gone() {
    let (before, after) = declared(Change::Module, Gate::Open);
    let made = |valid: &ValidIndexer| {
        plan(
            valid,
            &fixtures::settled(valid),
            &Sizes::default(),
            &Memories::default(),
        )
    };
    let mut children = fixtures::live(&made(&after)).children;
    children.extend(fixtures::live(&made(&before)).children);
    children.retain(|(kind, _), _| *kind != ChildKind::Service);
    let mut records = records(&children);
    for record in records.values_mut().flatten() {
        record.served = None;
    }
    let observed = Observed {
        records,
        children,
        ..Observed::default()
    };
    let world = World::of(&after, &observed, None, None, at(NOW));
    assert_eq!(world.guarded, Some(before.revision.clone()));
    assert_eq!(decide(&after, &world).serving, before.revision);
}

#[test]
fn a_set_goes_once_it_controls_its_pods() {
    let (before, after) = declared(Change::Nothing, Gate::Open);
    let mut world = world(&before, &after, None, Gate::Open, Before::Abandoned).unwrap();
    let old = third();
    world.sets.get_mut(&old.revision).unwrap().orphaned = true;
    let decided = decide(&after, &world);
    let planned = decided
        .sets
        .iter()
        .any(|set| *set == (old.revision.clone(), old.declared()));
    assert!(planned && decided.retired.is_empty(), "{decided:?}");
    assert_eq!(decided.serving, before.revision);

    world.sets.get_mut(&old.revision).unwrap().orphaned = false;
    assert_eq!(decide(&after, &world).retired, [old.revision]);
}

/// A record without the moment at which clients were moved to it.
fn timeless(record: &Record) -> Record {
    Record {
        served: None,
        ..record.clone()
    }
}

/// A cluster that takes the writes of a pass one by one: the Service, then the sets, then what goes.
#[derive(Clone, Debug, PartialEq)]
struct Cluster {
    served: Option<Served>,
    sets: BTreeMap<Revision, Record>,
}

impl Cluster {
    /// Carries out a decision; the operator ends after so many writes. Returns the writes made.
    fn apply(&mut self, decided: &Decision, writes_max: usize) -> usize {
        let mut left = writes_max;
        let mut write = |cluster: &mut Self, change: &dyn Fn(&mut Self)| {
            if left > 0 {
                left -= 1;
                change(cluster);
            }
        };
        let served = Some(decided.served());
        if self.served != served {
            write(self, &|cluster| cluster.served.clone_from(&served));
        }
        for (revision, record) in &decided.sets {
            if self.sets.get(revision) != Some(record) {
                write(self, &|cluster| {
                    cluster.sets.insert(revision.clone(), record.clone());
                });
            }
        }
        for revision in &decided.retired {
            write(self, &|cluster| {
                cluster.sets.remove(revision);
            });
        }
        writes_max - left
    }

    /// The world of an operator that just started; every pod is well for long.
    fn world(&self, now: i64) -> World {
        let state = |(revision, record): (&Revision, &Record)| {
            let state = SetState {
                record: Some(record.clone()),
                health: Health::Healthy { tip: TIP },
                halted: false,
                heights: Some((TIP, TIP)),
                orphaned: false,
                formats: None,
                image: None,
            };
            (revision.clone(), state)
        };
        World {
            served: self.served.clone(),
            guarded: None,
            last_active: None,
            sets: self.sets.iter().map(state).collect(),
            forgotten: BTreeMap::new(),
            inquiry: Inquiry {
                healthy_since: Some(at(0)),
                ..Inquiry::default()
            },
            now: at(now),
        }
    }
}

#[test]
fn an_operator_that_ends_after_any_write_leaves_what_the_next_one_completes() {
    // A course of declarations: first, another module, back, a third one, in place onto it, back, another limit.
    let (first, second) = declared(Change::Module, Gate::Open);
    let (_, limit) = declared(Change::Limit, Gate::Open);
    let in_place = {
        let mut valid = fixtures::valid();
        valid.identity.module_sha256 = "99".repeat(32);
        valid.revision = valid.identity.revision();
        valid.rollout.strategy = RolloutStrategy::InPlace;
        valid
    };
    let course = [&first, &second, &first, &third(), &in_place, &third(), &limit];
    for ends_after in 0..4 {
        let mut cluster = Cluster {
            served: None,
            sets: BTreeMap::new(),
        };
        let mut now = NOW;
        for valid in course {
            let indexed_before = cluster.served.as_ref().map(|served| served.revision.clone());
            for pass in 0..8 {
                now += 1;
                let decided = decide(valid, &cluster.world(now));
                // Only in the first pass of each declaration: an operator that always ends gets nowhere.
                let writes_max = if pass == 0 { ends_after } else { usize::MAX };
                cluster.apply(&decided, writes_max);
                if let (Some(served), Some(_)) = (&cluster.served, &indexed_before) {
                    assert!(cluster.sets.contains_key(&served.revision), "{ends_after}: {cluster:?}");
                }
            }
            let served = cluster.served.clone().unwrap();
            assert_eq!(cluster.sets[&served.revision].identity, valid.identity, "{ends_after}");
            assert!(cluster.sets.len() <= 2, "{ends_after}: {cluster:?}");
        }
        now += 3_600;
        let last = course[course.len() - 1];
        cluster.apply(&decide(last, &cluster.world(now)), usize::MAX);
        assert_eq!(cluster.sets.len(), 1, "what was kept for a way back goes in the end");
    }
}
