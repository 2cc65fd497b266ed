//! Whatever is deleted by hand, singly and in every combination, after any write of any rollout.

use std::collections::BTreeSet;

use super::{
    cluster::{Data, Lab},
    *,
};
use crate::names;

/// Passes after which everything has settled: an index takes three to be complete, a switch and what follows it a few.
const SETTLED: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Set {
    Stays,
    /// With its pods.
    Goes,
    /// Its pods stay (`--cascade=orphan`).
    GoesAlone,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Service {
    Stays,
    Goes,
    LosesSelector,
    LosesAnnotations,
}

/// What is deleted.
#[derive(Clone, Copy, Debug)]
struct Loss {
    serving: Set,
    others: Set,
    service: Service,
    budget: bool,
    maps: bool,
    stamps: bool,
    status: bool,
}

impl Loss {
    fn each() -> Vec<Self> {
        let mut all = Vec::new();
        for serving in [Set::Stays, Set::Goes, Set::GoesAlone] {
            for others in [Set::Stays, Set::Goes, Set::GoesAlone] {
                for service in [
                    Service::Stays,
                    Service::Goes,
                    Service::LosesSelector,
                    Service::LosesAnnotations,
                ] {
                    for flags in 0..16 {
                        all.push(Self {
                            serving,
                            others,
                            service,
                            budget: flags & 1 != 0,
                            maps: flags & 2 != 0,
                            stamps: flags & 4 != 0,
                            status: flags & 8 != 0,
                        });
                    }
                }
            }
        }
        // The budget matters where the Service names nobody.
        all.retain(|loss| !loss.budget || matches!(loss.service, Service::Goes | Service::LosesSelector));
        all
    }

    fn befall(self, lab: &mut Lab) {
        let serving = lab.served().map(|served| served.revision);
        let revisions: Vec<Revision> = lab.sets.keys().cloned().collect();
        for revision in revisions {
            let fate = if Some(&revision) == serving.as_ref() {
                self.serving
            } else {
                self.others
            };
            if fate != Set::Stays {
                lab.sets.remove(&revision);
            }
            if fate == Set::Goes {
                lab.pods.remove(&revision);
            }
        }
        match (self.service, &mut lab.service) {
            (Service::Goes, service) => *service = None,
            (Service::LosesSelector, Some(service)) => service["spec"]["selector"] = serde_json::Value::Null,
            (Service::LosesAnnotations, Some(service)) => service["metadata"]["annotations"] = serde_json::Value::Null,
            _ => {}
        }
        if self.budget {
            lab.budget = None;
        }
        if self.maps {
            lab.maps.clear();
        }
        if self.stamps {
            lab.claims
                .values_mut()
                .for_each(|claim| claim.metadata.annotations = None);
        }
        if self.status {
            lab.status = None;
        }
    }
}

/// A module that is declared, and how it takes over.
fn module(digit: &str, strategy: RolloutStrategy) -> ValidIndexer {
    let mut valid = fixtures::valid();
    valid.identity.module_sha256 = digit.repeat(64);
    valid.revision = valid.identity.revision();
    valid.rollout.strategy = strategy;
    valid
}

/// Courses of declarations.
fn courses() -> Vec<Vec<ValidIndexer>> {
    let beside = |digit| module(digit, RolloutStrategy::BlueGreen);
    let in_place = |digit| module(digit, RolloutStrategy::InPlace);
    let seeded = |digit| {
        let mut valid = beside(digit);
        valid.rollout.seed = Some(SeedSpec {
            from_active: FromActive { at_height: 7 },
        });
        valid
    };
    vec![
        vec![beside("a"), beside("b"), beside("a"), beside("c")],
        vec![in_place("a"), in_place("b"), in_place("a"), in_place("c"), beside("d")],
        vec![beside("a"), in_place("b"), beside("c"), in_place("b"), beside("a")],
        vec![beside("a"), seeded("b"), beside("c")],
    ]
}

/// Every state in which a course leaves the cluster, with what is declared then: after each pass, and after each write of
/// one whose operator ends there.
fn states() -> Vec<(ValidIndexer, Lab)> {
    let (mut states, mut known) = (Vec::new(), BTreeSet::new());
    for course in courses() {
        let mut lab = Lab::new();
        for valid in course {
            for _ in 0..SETTLED {
                let before = lab.clone();
                lab.pass(&valid, usize::MAX);
                for writes in 0.. {
                    let mut partly = before.clone();
                    partly.pass(&valid, writes);
                    let is_whole = partly == lab;
                    if known.insert(format!("{} {:?}", valid.revision, partly.without_time())) {
                        states.push((valid.clone(), partly));
                    }
                    if is_whole {
                        break;
                    }
                }
            }
        }
    }
    states
}

/// What is the same in the end, whatever happened on the way.
fn end(lab: &Lab) -> impl PartialEq + std::fmt::Debug + use<> {
    let served = lab
        .served()
        .map(|served| (served.revision, served.previous.map(|(previous, _)| previous)));
    let timeless = |records: &BTreeMap<Revision, Record>| -> Vec<(Revision, Record)> {
        let records = records.iter();
        records
            .map(|(revision, record)| (revision.clone(), timeless(record)))
            .collect()
    };
    let modules: BTreeMap<Revision, Vec<String>> = lab
        .sets
        .keys()
        .map(|revision| (revision.clone(), lab.data[revision].modules.clone()))
        .collect();
    (
        served,
        lab.budget.clone(),
        timeless(&lab.sets),
        timeless(&lab.maps),
        modules,
        lab.pods.clone(),
    )
}

/// Lets passes follow until nothing moves. No client is moved to an incomplete index while there is a complete one, and
/// nothing is removed that would not have been removed anyway.
fn settle(what: &str, valid: &ValidIndexer, lab: &mut Lab, stays: &[Revision]) {
    for _ in 0..SETTLED {
        let served = lab.served().map(|served| served.revision);
        let complete: Vec<Revision> = lab
            .data
            .iter()
            .filter(|(_, data)| data.is_complete())
            .map(|(revision, _)| revision.clone())
            .collect();
        let before = lab.without_time();
        let decided = lab.pass(valid, usize::MAX);
        let serves = &decided.serving;
        let moves = served.is_some_and(|served| served != *serves) || !matches!(decided.step, Step::Lost(_));
        let is_fit = complete.is_empty() || complete.contains(serves) || !stays.contains(serves);
        assert!(!moves || is_fit, "{what}: clients are moved to {serves}: {decided:?}");
        let removed: Vec<_> = decided
            .retired
            .iter()
            .filter(|revision| stays.contains(revision))
            .collect();
        assert_eq!(removed, [] as [&Revision; 0], "{what}: {decided:?}");
        if lab.without_time() == before {
            return;
        }
    }
    panic!("{what}: it does not come to rest: {lab:?}");
}

#[test]
fn whatever_is_deleted_at_any_moment_no_client_and_no_data_is_lost() {
    let states = states();
    let numbered: Vec<_> = states.iter().enumerate().collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let chunks = numbered.chunks(numbered.len().div_ceil(threads));
        let running: Vec<_> = chunks.map(|chunk| scope.spawn(|| outcomes_of(chunk))).collect();
        let ended = running.into_iter().map(|thread| thread.join().unwrap());
        ended.flatten().collect()
    });
    let lost = outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::WaitsForSomebody)
        .count();
    let combinations = outcomes.len();
    println!(
        "{} states, {combinations} combinations; {lost} wait for somebody",
        states.len()
    );
    assert!(combinations > 10_000 && lost > 500, "{combinations}, {lost}");
}

fn outcomes_of(states: &[(usize, &(ValidIndexer, Lab))]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (number, (valid, state)) in states {
        let mut undisturbed = state.clone();
        settle("undisturbed", valid, &mut undisturbed, &[]);
        let losses = Loss::each().into_iter();
        outcomes.extend(losses.map(|loss| {
            let what = format!("state {number}, {loss:?}");
            comes_to(&what, loss, valid, state, &undisturbed)
        }));
    }
    outcomes
}

#[derive(Debug, PartialEq)]
enum Outcome {
    /// The same as if nothing had been deleted.
    Same,
    /// Clients are served; of a revision beside nothing but claims is left, and it is made as it is declared, if at all.
    Served,
    /// Of what serves nothing but claims is left: nothing is changed.
    WaitsForSomebody,
}

/// What becomes of a loss; it is checked.
fn comes_to(what: &str, loss: Loss, valid: &ValidIndexer, state: &Lab, undisturbed: &Lab) -> Outcome {
    let mut lab = state.clone();
    loss.befall(&mut lab);
    let left = lab.clone();
    let is_forgotten = |revision: &Revision| state.claims.contains_key(revision) && !left.has_record(revision);
    let serving = state.served().map(|served| served.revision);
    if serving.is_some_and(|serving| is_forgotten(&serving) && left.is_named(&serving)) {
        let decided = lab.pass(valid, usize::MAX);
        assert!(
            matches!(decided.step, Step::Lost(_)),
            "{what}: it begins anew: {decided:?}"
        );
        assert_eq!((&lab.maps, &lab.sets), (&left.maps, &left.sets), "{what}");
        assert_eq!((&lab.service, &lab.claims), (&left.service, &left.claims), "{what}");
        return Outcome::WaitsForSomebody;
    }
    let stays: Vec<Revision> = undisturbed.sets.keys().cloned().collect();
    // The status is written after all that it tells of: it may be the only source left, and one take-over behind.
    let is_behind = |(revision, record): (&Revision, &Record)| {
        !left.has_record_but_in_status(revision) && !left.has_in_status(revision, record)
    };
    lab.may_refuse = stays.iter().any(is_forgotten) || state.sets.iter().any(is_behind);
    settle(what, valid, &mut lab, &stays);
    if !lab.may_refuse {
        assert_eq!(end(&lab), end(undisturbed), "{what}");
        return Outcome::Same;
    }
    let served = lab.served().map(|served| served.revision);
    assert!(served.is_none_or(|served| stays.contains(&served)), "{what}: {lab:?}");
    Outcome::Served
}

#[test]
fn what_went_leaves_nothing_on_its_claims_that_brings_it_back() {
    let mut lab = Lab::new();
    let course = &courses()[0];
    for valid in course {
        for _ in 0..SETTLED {
            lab.pass(valid, usize::MAX);
        }
    }
    let stamp = |lab: &Lab, valid: &ValidIndexer| {
        let claim = &lab.claims[&valid.revision].metadata;
        claim.annotations.as_ref().unwrap()[names::ANNOTATION_RECORD].clone()
    };
    assert_eq!(
        stamp(&lab, &course[1]),
        names::RECORD_RETIRED,
        "of the second, between the first twice"
    );
    let before = end(&lab);
    for kind in [&course[0], &course[3]] {
        assert!(Record::parse(&stamp(&lab, kind)).unwrap().served.is_some());
    }
    // Only claims are left.
    (lab.service, lab.budget, lab.status) = (None, None, None);
    (lab.sets, lab.maps) = (BTreeMap::new(), BTreeMap::new());
    lab.pods.clear();
    for _ in 0..SETTLED {
        lab.pass(&course[3], usize::MAX);
    }
    assert_eq!(end(&lab), before);
}

#[test]
fn somebody_can_say_that_data_without_a_record_is_what_is_declared() {
    let mut lab = Lab::new();
    let valid = module("a", RolloutStrategy::BlueGreen);
    for _ in 0..SETTLED {
        lab.pass(&valid, usize::MAX);
    }
    let before = end(&lab);
    let everything = Loss {
        serving: Set::Goes,
        others: Set::Goes,
        service: Service::Goes,
        budget: true,
        maps: true,
        stamps: true,
        status: true,
    };
    everything.befall(&mut lab);
    let decided = lab.pass(&valid, usize::MAX);
    let Step::Lost(why) = decided.step else {
        panic!("{decided:?}")
    };
    let claim = names::claim(&names::of_revision("one", &valid.revision), 0);
    let annotate = format!(
        "kubectl annotate -n ns --overwrite pvc {claim} {}=declared",
        names::ANNOTATION_RECORD
    );
    assert!(
        why.contains(&annotate) && why.contains(&format!("kubectl delete -n ns pvc {claim}")),
        "{why}"
    );

    let another = module("b", RolloutStrategy::BlueGreen);
    assert!(
        matches!(lab.pass(&another, usize::MAX).step, Step::Lost(_)),
        "another module is declared"
    );
    let by_hand = BTreeMap::from([(
        names::ANNOTATION_RECORD.to_owned(),
        names::RECORD_AS_DECLARED.to_owned(),
    )]);
    lab.claims.get_mut(&valid.revision).unwrap().metadata.annotations = Some(by_hand);
    assert!(
        matches!(lab.pass(&another, usize::MAX).step, Step::Lost(_)),
        "it is not what is declared"
    );
    for _ in 0..SETTLED {
        lab.pass(&valid, usize::MAX);
    }
    assert_eq!(end(&lab), before);
    let whole = Data {
        height: TIP,
        modules: vec![valid.identity.module_sha256.clone()],
    };
    assert_eq!(lab.data[&valid.revision], whole);
}

#[test]
fn a_claim_of_an_earlier_indexer_of_the_name_is_used_and_never_waited_for() {
    let valid = module("a", RolloutStrategy::BlueGreen);
    let mut lab = Lab::new();
    for _ in 0..SETTLED {
        lab.pass(&valid, usize::MAX);
    }
    (lab.service, lab.budget, lab.status) = (None, None, None);
    (lab.sets, lab.maps) = (BTreeMap::new(), BTreeMap::new());
    lab.pods.clear();
    let later = |valid: ValidIndexer, seconds| ValidIndexer {
        uid: "another".into(),
        created: Some(at(NOW + seconds)),
        ..valid
    };
    let mut again = lab.clone();
    let decided = again.pass(&later(valid.clone(), 1_000), usize::MAX);
    assert_eq!((decided.serving, decided.step), (valid.revision.clone(), Step::Settled));
    let other = module("b", RolloutStrategy::BlueGreen);
    let mut again = lab.clone();
    let decided = again.pass(&later(other.clone(), 1_000), usize::MAX);
    assert_eq!(
        (&decided.serving, decided.sets.len()),
        (&other.revision, 1),
        "it begins with what it declares"
    );

    // A claim without a record, as versions before wrote none: it is older than the Indexer, or else of it.
    lab.claims.get_mut(&valid.revision).unwrap().metadata.annotations = None;
    for (seconds, is_lost) in [(1_000, false), (0, true)] {
        let decided = lab.clone().pass(&later(other.clone(), seconds), usize::MAX);
        assert_eq!(matches!(decided.step, Step::Lost(_)), is_lost, "{seconds}");
    }
}
