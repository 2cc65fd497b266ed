//! `status.snapshots` and `SnapshotsReady`.

use crds::{
    LatestSnapshot, SnapshotUnderway,
    conditions::types,
    pod::{Check, Publishing, Snapshots},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;

const PREFIX: &str = "s3://bucket/prefix";

fn latest(height: u32) -> LatestSnapshot {
    LatestSnapshot {
        height,
        block_hash: "cd".repeat(32),
        digest: "ef".repeat(32),
        url: format!("{PREFIX}/{height}"),
        manifest_sha256: "ab".repeat(32),
        bytes: 7,
        time: Time(Timestamp::new(900, 5).unwrap()),
    }
}

/// An Indexer that declares snapshots, whose publisher says this.
fn saying(ok: Option<bool>, reason: &str, message: &str) -> Situation {
    let mut situation = Situation::default();
    situation.valid.snapshots = Some(Publishing {
        url: format!("{PREFIX}/"),
        every_blocks: 10,
        keep: 1,
        bytes_per_second: None,
        host: None,
        serves_file: None,
        storage: crds::pod::ObjectStorage::default(),
    });
    situation.pod().name = names::publisher("one", &valid().revision);
    let check = Check {
        ok,
        reason: reason.into(),
        message: message.into(),
    };
    situation.says(|status| {
        status.snapshots = Some(Snapshots {
            latest: Some(latest(90)),
            underway: Some(SnapshotUnderway {
                height: 100,
                done_bytes: 1,
                total_bytes: 2,
            }),
            check,
            last_request: None,
        });
    });
    situation
}

fn not_the_publisher() -> Situation {
    let mut situation = saying(Some(true), "Published", "");
    situation.pod().name = names::pod(&names::of_revision("one", &valid().revision), 1);
    situation
}

fn of_a_version_before() -> Situation {
    let mut situation = saying(None, "", "");
    situation.says(|status| status.snapshots = None);
    situation
}

fn silent() -> Situation {
    let mut situation = saying(None, "", "");
    situation.pod().sample = Sample::Silent("no answer".into());
    situation
}

#[test]
fn it_is_told_whether_snapshots_are_published() {
    let denied = "s3://bucket/prefix does not accept these credentials";
    let cases = [
        (Situation::default(), "True", "NotConfigured", "not declared"),
        (
            saying(Some(true), "Published", ""),
            "True",
            "Published",
            "the last snapshot that was due",
        ),
        (
            saying(Some(false), "StorageDenied", denied),
            "False",
            "StorageDenied",
            denied,
        ),
        (saying(None, "Publishing", "words"), "Unknown", "Publishing", "words"),
        (
            saying(Some(false), "AsExpected", "words"),
            "False",
            "UnrecognizedReason",
            "words",
        ),
        (not_the_publisher(), "Unknown", "NoReport", ""),
        (of_a_version_before(), "Unknown", "NoReport", "says nothing"),
        (silent(), "Unknown", "PodUnreachable", ""),
    ];
    for (situation, status, reason, words) in cases {
        let written = situation.status();
        let found = find(&written, types::SNAPSHOTS_READY);
        assert_eq!((found.status.as_str(), found.reason.as_str()), (status, reason));
        assert!(found.message.contains(words), "{}", found.message);
        // Snapshots are for others: the index is as it should be without them.
        let ready = &find(&written, types::READY).status;
        assert!(ready == "True" || reason == "PodUnreachable", "{reason}");
    }
}

#[test]
fn the_last_snapshot_stays_known_while_nobody_tells() {
    assert_eq!(Situation::default().status().snapshots, None);
    let told = saying(Some(true), "Published", "").status();
    let shown = told.snapshots.clone().unwrap();
    assert_eq!(shown.latest.as_ref().map(|latest| latest.height), Some(90));
    assert_eq!(shown.latest.as_ref().unwrap().time.0.subsec_nanosecond(), 0);
    assert_eq!(shown.underway.as_ref().map(|underway| underway.total_bytes), Some(2));

    let after = |edit: fn(&mut Situation)| {
        let mut situation = silent();
        situation.last_status = Some(told.clone());
        edit(&mut situation);
        situation.status().snapshots
    };
    let kept = after(|_| {}).unwrap();
    assert_eq!((&kept.latest, &kept.underway), (&shown.latest, &None));
    let elsewhere = |s: &mut Situation| s.valid.snapshots.as_mut().unwrap().url = "s3://other/prefix".into();
    assert_eq!(after(elsewhere).unwrap().latest, None, "it is in another place");
    let of_another = |s: &mut Situation| s.last_status.as_mut().unwrap().active.as_mut().unwrap().revision = other();
    assert_eq!(after(of_another).unwrap().latest, None, "it is of another revision");
    assert_eq!(after(|s| s.valid.snapshots = None), None);
    let unreadable = |s: &mut Situation| {
        s.invalid = Some(Invalid {
            reason: reasons::INVALID_SPEC,
            problems: vec!["no".into()],
        });
    };
    assert_eq!(
        after(unreadable).unwrap().latest,
        shown.latest,
        "an invalid spec changes nothing"
    );
}

#[test]
fn how_far_an_empty_volume_is_filled_is_in_the_row_of_its_pod() {
    let mut situation = Situation::default();
    situation.says(|status| {
        status.ready = false;
        status.seed = Check {
            ok: None,
            reason: "Restoring".into(),
            message: "12 of 300 MiB".into(),
        };
    });
    let written = situation.status();
    assert_eq!(written.pods[0].message.as_deref(), Some("12 of 300 MiB"));
    let ready = find(&written, types::READY);
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "Restoring"));
    assert!(!ready.message.contains("12"), "a figure that moves: {}", ready.message);
}
