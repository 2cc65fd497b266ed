//! `StorageReady`.

use crds::{
    AutoGrow,
    conditions::types,
    pod::{FaultClass, Trouble, Volume},
};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::{Value, json};

use super::*;
use crate::{
    fixtures::claim,
    storage::{Obstacle, Refusal},
};

fn with(claims: &[PersistentVolumeClaim]) -> Situation {
    let mut situation = Situation::default();
    situation.pod().name = names::claimant(&claim_of(0)).unwrap().into();
    situation.observed.claims = claims.iter().filter_map(VolumeClaim::read).collect();
    situation
}

/// A volume of 40Gi whose claim asks for 50Gi.
fn growing(condition: &str) -> PersistentVolumeClaim {
    let conditions = json!([{"type": condition, "status": "True", "message": "no room at the provider"}]);
    let status: Value = json!({"phase": "Bound", "capacity": {"storage": "40Gi"}, "conditions": conditions});
    claim(&claim_of(0), "50Gi", &status)
}

fn refusal(obstacle: Obstacle) -> Situation {
    let mut situation = with(&[bound_claim(&claim_of(0), "10Gi")]);
    situation.applied.refusals = vec![Refusal {
        claim: claim_of(0),
        size: "50Gi".into(),
        obstacle,
        words: "the server's words".into(),
    }];
    situation
}

/// A pod with a free byte, whose volume has the largest size there may be.
fn full() -> Situation {
    let mut situation = with(&[bound_claim(&claim_of(0), "50Gi")]);
    situation.valid.auto_grow = Some(AutoGrow {
        max_bytes: 50 << 30,
        free_percent: 15,
        step_percent: 25,
    });
    let mut status = following(100);
    status.volume.as_mut().unwrap().free_bytes = 1;
    situation.pod().sample = Sample::Answer(Box::new(status));
    situation
}

/// A pod with such a volume, so many seconds before the end of a sync.
fn filling(free_gib: u64, days_left: Option<f64>, seconds_left: Option<u64>) -> Situation {
    let mut situation = with(&[bound_claim(&claim_of(0), "50Gi")]);
    let mut status = following(100);
    status.volume = Some(Volume {
        capacity_bytes: 50 << 30,
        free_bytes: free_gib << 30,
        growth_per_day_bytes: days_left.map(|_| 1 << 30),
        days_left,
    });
    status.seconds_left = seconds_left;
    situation.pod().sample = Sample::Answer(Box::new(status));
    situation
}

fn declaring(size: &str, claims: &[PersistentVolumeClaim]) -> Situation {
    let mut situation = with(claims);
    situation.valid.storage.size.0 = size.into();
    situation.valid.storage_bytes = situation.valid.storage.size.bytes().unwrap();
    situation
}

/// A full disk keeps indexing from going on, which `Ready` says too.
#[test]
fn a_full_volume_is_named_first() {
    let mut situation = with(&[growing("Resizing")]);
    let mut status = following(100);
    status.trouble = Some(Trouble::now(FaultClass::DiskFull, "no room for rows".into()));
    situation.pod().sample = Sample::Answer(Box::new(status));
    let conditions = situation.status().conditions;
    for (of, words) in [
        (types::STORAGE_READY, "raise storage.size"),
        (types::READY, "no room for rows"),
    ] {
        let found = conditions.iter().find(|condition| condition.type_ == of).unwrap();
        assert_eq!((found.status.as_str(), found.reason.as_str()), ("False", "DiskFull"));
        assert!(found.message.contains(words), "{}", found.message);
    }
}

#[test]
fn what_holds_a_volume_up_is_told_with_the_cure() {
    let pending = json!({"phase": "Pending"});
    let fifty = || bound_claim(&claim_of(0), "50Gi");
    let of_another = || bound_claim("data-one-0123456789-0", "90Gi");
    let mut unused = with(&[growing("FileSystemResizePending"), bound_claim(&claim_of(0), "50Gi")]);
    unused.observed.claims[0].name = claim_of(7);
    let cases = [
        (unused, "True", "AsExpected", "every volume"),
        (full(), "False", "AtMaxSize", "raise that"),
        (filling(5, None, None), "True", "AsExpected", "every volume"),
        (filling(4, None, None), "False", "VolumeLow", "8 % of the volume"),
        (filling(40, Some(2.9), None), "False", "VolumeLow", "full in 2.9 days"),
        (filling(40, Some(3.1), None), "True", "AsExpected", "every volume"),
        (
            filling(40, Some(0.2), Some(7_200)),
            "True",
            "AsExpected",
            "every volume",
        ),
        (
            filling(40, Some(0.2), Some(36_000)),
            "False",
            "VolumeLow",
            "raise storage.size",
        ),
        (with(&[]), "Unknown", "ClaimsPending", "-0 has no volume yet"),
        (
            with(&[claim(&claim_of(0), "50Gi", &pending)]),
            "Unknown",
            "ClaimsPending",
            "-0 has",
        ),
        (with(&[fifty()]), "True", "AsExpected", "every volume"),
        (with(&[growing("Resizing")]), "False", "Resizing", "grows to 50Gi"),
        (
            with(&[growing("FileSystemResizePending")]),
            "False",
            "FileSystemResizePending",
            "delete the pod",
        ),
        (
            with(&[growing("ControllerResizeError")]),
            "False",
            "ResizeFailed",
            "no room at the provider",
        ),
        (
            refusal(Obstacle::Class),
            "False",
            "ClassCannotExpand",
            "allowVolumeExpansion",
        ),
        (refusal(Obstacle::Quota), "False", "QuotaExceeded", "raise the quota"),
        (refusal(Obstacle::Other), "False", "ResizeFailed", "the server's words"),
        (
            declaring("20Gi", &[fifty()]),
            "False",
            "SizeRefused",
            "set storage.size to 50Gi or more",
        ),
        (
            declaring("20Gi", &[bound_claim(&claim_of(0), "20Gi"), of_another()]),
            "True",
            "AsExpected",
            "every",
        ),
    ];
    for (situation, status, reason, words) in cases {
        let written = situation.status();
        let found = written
            .conditions
            .iter()
            .find(|c| c.type_ == types::STORAGE_READY)
            .unwrap();
        assert_eq!(
            (found.status.as_str(), found.reason.as_str()),
            (status, reason),
            "{}",
            found.message
        );
        assert!(found.message.contains(words), "{}", found.message);
        let ready = written.conditions.iter().find(|c| c.type_ == types::READY).unwrap();
        assert_eq!(ready.status, "True", "{reason}: {}", ready.message);
    }
}

#[test]
fn a_spec_that_is_not_valid_hides_no_volume_that_does_not_grow() {
    let mut situation = with(&[growing("ControllerResizeError")]);
    situation.invalid = Some(Invalid {
        reason: reasons::INVALID_SPEC,
        problems: vec!["no".into()],
    });
    let written = situation.status();
    let found = written
        .conditions
        .iter()
        .find(|c| c.type_ == types::STORAGE_READY)
        .unwrap();
    assert_eq!(found.reason, "ResizeFailed");
}

#[test]
fn the_room_shown_is_that_of_the_pod_with_least() {
    let mut situation = Situation::default();
    let mut second = answering_pod("one-1");
    let mut status = following(100);
    status.volume.as_mut().unwrap().free_bytes = 7 << 30;
    second.sample = Sample::Answer(Box::new(status));
    situation.observed.pods.push(second);
    let written = situation.status();
    let storage = written.storage.clone().unwrap();
    assert_eq!(
        (storage.used_bytes, storage.free_bytes),
        (Some(43 << 30), Some(7 << 30))
    );

    let with_free = |free_bytes: u64| {
        let mut next = written.clone();
        let storage = next.storage.as_mut().unwrap();
        (storage.used_bytes, storage.free_bytes) = (Some((50 << 30) - free_bytes), Some(free_bytes));
        differs(&written, &next)
    };
    assert!(!with_free((7 << 30) - 4096) && with_free(6 << 30));
}
