//! Data of other versions: no pod is restarted into an image that cannot read it, and what is too old is built beside.

use super::{
    cluster::{Data, Lab},
    *,
};
use crate::{record::MadeWith, validate::Formats};

fn made_with(image: &str, store_format: u32) -> Option<MadeWith> {
    Some(MadeWith {
        image: image.into(),
        store_format,
    })
}

/// An operator of a version that reads these formats, from the oldest to the one that it writes.
fn version(image: &str, reads_from: u32, writes: u32) -> ValidIndexer {
    ValidIndexer {
        image: image.into(),
        formats: Some(Formats { reads_from, writes }),
        ..fixtures::valid()
    }
}

#[test]
fn pods_get_an_image_that_reads_their_data_or_keep_theirs() {
    // What; formats that pods report, what the record says; the image after it by an operator that reads 3 and writes 4,
    // whether clients wait for another index, and whether somebody must act.
    type Case<'a> = (&'a str, Option<(u32, u32)>, Option<MadeWith>, &'a str, bool, bool);
    let cases: [Case<'_>; 9] = [
        ("current", Some((4, 4)), made_with("old", 4), "new", false, false),
        (
            "of the version before",
            Some((3, 3)),
            made_with("old", 3),
            "new",
            false,
            false,
        ),
        (
            "one of two is converted",
            Some((3, 4)),
            made_with("new", 4),
            "new",
            false,
            false,
        ),
        ("without a report", None, made_with("old", 3), "new", false, false),
        ("too old", Some((2, 2)), made_with("old", 2), "old", true, false),
        (
            "too old, without a report",
            None,
            made_with("old", 2),
            "old",
            true,
            false,
        ),
        (
            "of version 0.1, which noted nothing",
            None,
            None,
            "of its set",
            true,
            false,
        ),
        ("too new", Some((5, 5)), made_with("newer", 5), "newer", false, true),
        (
            "one of two is too new",
            Some((4, 5)),
            made_with("newer", 5),
            "newer",
            false,
            true,
        ),
    ];
    for (what, formats, recorded, image, waits, stalls) in cases {
        let valid = version("new", 3, 4);
        let mut serving = set(&valid, Health::Healthy { tip: TIP });
        (serving.formats, serving.image) = (formats, Some("of its set".into()));
        serving.record = Some(Record {
            made_with: recorded,
            served: Some(at(1)),
            ..valid.declared()
        });
        let world = World {
            served: Some(Served {
                revision: valid.revision.clone(),
                previous: None,
            }),
            guarded: None,
            last_active: None,
            sets: BTreeMap::from([(valid.revision.clone(), serving)]),
            forgotten: BTreeMap::new(),
            inquiry: Inquiry::default(),
            now: at(NOW),
        };
        let decided = decide(&valid, &world);
        let record = decided.record(&valid.revision).unwrap();
        assert_eq!(record.made_with.as_ref().unwrap().image, image, "{what}");
        assert_eq!(matches!(decided.step, Step::Queued(_)), waits, "{what}: {decided:?}");
        let is_refused = matches!(decided.step, Step::Refused(reasons::STORE_FORMAT_REFUSED, _));
        assert_eq!(is_refused, stalls, "{what}: {decided:?}");
        assert_eq!(is_queued(&valid, &world), waits, "{what}");

        // An image that the spec names is the spec's to answer for.
        let named = ValidIndexer { formats: None, ..valid };
        let decided = decide(&named, &world);
        let record = decided.record(&named.revision).unwrap();
        assert_eq!(record.made_with.as_ref().unwrap().image, "new", "{what}");
        assert_eq!(decided.step, Step::Settled, "{what}");
    }
}

#[test]
fn data_of_several_modules_is_neither_built_again_nor_restarted_into_an_image_that_cannot_read_it() {
    let (before, after) = (version("old", 1, 2), version("new", 4, 5));
    let mut lab = Lab::new();
    let in_place = |valid: ValidIndexer, digit: &str| {
        let mut valid = ValidIndexer { ..valid };
        valid.identity.module_sha256 = digit.repeat(64);
        valid.revision = valid.identity.revision();
        valid.rollout.strategy = RolloutStrategy::InPlace;
        valid
    };
    for valid in [in_place(before.clone(), "a"), in_place(before, "b")] {
        for _ in 0..12 {
            lab.pass(&valid, usize::MAX);
        }
    }
    let left = lab.sets.clone();
    for _ in 0..3 {
        let decided = lab.pass(&in_place(after.clone(), "b"), usize::MAX);
        let Step::Refused(reasons::STORE_FORMAT_REFUSED, why) = &decided.step else {
            panic!("{decided:?}")
        };
        assert!(why.contains("several modules"), "{why}");
    }
    assert_eq!(lab.sets, left);
    // Another module may still continue it, in the image that can.
    for _ in 0..3 {
        lab.pass(&in_place(after.clone(), "c"), usize::MAX);
    }
    let record = lab.sets.values().next().unwrap();
    assert_eq!(record.identity.module_sha256, "c".repeat(64));
    assert_eq!(record.made_with, made_with("old", 2));
}

#[test]
fn what_is_too_old_is_built_beside_in_its_turn_and_stays_built() {
    let (before, after) = (version("old", 1, 2), version("new", 4, 5));
    let mut lab = Lab::new();
    for _ in 0..12 {
        lab.pass(&before, usize::MAX);
    }
    let rebuilt = after.identity.revision_in(5);
    let image = |lab: &Lab, revision: &Revision| lab.sets[revision].made_with.clone().unwrap().image;
    for _ in 0..3 {
        let decided = lab.pass(&after, usize::MAX);
        assert!(matches!(decided.step, Step::Queued(_)), "{decided:?}");
        assert_eq!((lab.sets.len(), image(&lab, &before.revision)), (1, "old".into()));
    }
    lab.has_turn = true;
    lab.pass(&after, usize::MAX);
    // A turn is for the beginning.
    lab.has_turn = false;
    let mut moved = 0;
    for _ in 0..12 {
        let decided = lab.pass(&after, usize::MAX);
        assert!(lab.data[&decided.serving].is_complete(), "{decided:?}");
        assert_eq!(image(&lab, &before.revision), "old");
        moved += u32::from(decided.step == Step::Switching);
    }
    assert_eq!((lab.served().unwrap().revision, moved), (rebuilt.clone(), 1));
    assert_eq!(image(&lab, &rebuilt), "new");
    let whole = Data {
        height: TIP,
        modules: vec![after.identity.module_sha256.clone()],
    };
    assert_eq!((&lab.data[&rebuilt], &lab.data[&before.revision]), (&whole, &whole));

    // What was kept for a way back goes; the next version that reads the data leaves it where it is.
    lab.now += 3_600;
    let next = version("next", 5, 6);
    for _ in 0..12 {
        lab.pass(&next, usize::MAX);
    }
    assert_eq!(lab.sets.keys().collect::<Vec<_>>(), [&rebuilt]);
    assert_eq!(image(&lab, &rebuilt), "next");
}
