//! Which runs are merged, as a table, and what that comes to over time.

use proptest::prelude::*;

use crate::rows::plan::{Eagerness, Size, due};

const EIGHT: Eagerness = Eagerness { runs: 8 };
const THREE: Eagerness = Eagerness { runs: 3 };

/// Runs from the newest on, in KiB; those below zero are busy.
fn runs(kib: &[i64]) -> Vec<Size> {
    let size = |kib: &i64| Size {
        bytes: kib.unsigned_abs() << 10,
        is_busy: *kib < 0,
    };
    kib.iter().map(size).collect()
}

#[test]
fn the_policy() {
    // What there is, and how many runs from the newest on are merged; with three of a size: below 443 KiB, to 1.3 MiB,
    // to 4 MiB, and so on.
    let table: &[(&str, &[i64], usize)] = &[
        ("nothing", &[], 0),
        ("too few", &[1, 200], 0),
        ("enough, however small", &[1, 200, 50], 3),
        ("all of the size", &[1, 200, 50, 70, 90], 5),
        ("the larger one stays", &[1, 200, 50, 900], 3),
        ("too few of each size", &[100, 100, 900, 900, 3_000, 3_000], 0),
        ("the smallest size first", &[100, 100, 100, 900, 900, 900], 3),
        (
            "larger ones with the smaller ones before them",
            &[100, 100, 900, 900, 900, 3_000],
            5,
        ),
        ("small ones behind a larger one count as such", &[900, 100, 100], 3),
        ("and are no reason to merge what is before", &[100, 100, 900, 100], 0),
        ("a hair above and below", &[440, 446, 440, 446], 4),
        ("nothing behind what is busy", &[100, -100, 100, 100, 100], 0),
        ("but what is before", &[100, 100, 100, -100, 100], 3),
    ];
    for (name, kib, merged) in table {
        let wanted = (*merged > 0).then_some(0..*merged);
        assert_eq!(due(&runs(kib), THREE), wanted, "{name}: {kib:?}");
    }
    assert_eq!(due(&runs(&[100; 7]), EIGHT), None);
    assert_eq!(due(&runs(&[100; 8]), EIGHT), Some(0..8));
}

/// Adds runs of these sizes and merges whatever is due. Gives the most runs there ever were, and bytes written for each
/// byte added.
fn course(sizes: impl IntoIterator<Item = u64>, eagerness: Eagerness) -> (usize, f64) {
    let mut all: Vec<Size> = Vec::new();
    let (mut most, mut added, mut written) = (0, 0, 0);
    for bytes in sizes {
        all.insert(0, Size { bytes, is_busy: false });
        added += bytes;
        while let Some(merged) = due(&all, eagerness) {
            assert!(merged.len() >= 2, "a run is merged with nothing");
            let bytes = all.drain(merged).map(|run| run.bytes).sum();
            written += bytes;
            all.insert(0, Size { bytes, is_busy: false });
        }
        most = most.max(all.len());
    }
    (most, written as f64 / added as f64)
}

#[test]
fn a_row_is_written_once_for_every_factor_by_which_the_index_grows() {
    // A terabyte, in batches of 32 MiB: three to four factors of eight above one batch come to 32 Ki of them.
    let (most, written) = course(std::iter::repeat_n(32 << 20, 1 << 15), EIGHT);
    assert!(
        most < 40 && (3.0..6.0).contains(&written),
        "{most} runs, {written} times"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Commits wait where there are 64 runs: there is always something to merge before that.
    #[test]
    fn however_large_batches_are_there_are_never_too_many_runs(
        scales in proptest::collection::vec((0..30u32, 0..12u32), 1..12), times in 1..200usize
    ) {
        let sizes: Vec<u64> = scales.iter().flat_map(|(bits, count)| vec![1 << bits; *count as usize]).collect();
        for eagerness in [EIGHT, THREE] {
            let (most, _) = course(sizes.iter().copied().cycle().take(sizes.len() * times), eagerness);
            prop_assert!(most < 64, "{} runs", most);
        }
    }
}
