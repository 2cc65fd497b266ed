//! Whatever rows a file has, they are found: by look-ups at every height, and in their order from any key on.

use tempfile::tempdir;

use std::{fs, os::unix::fs::FileExt as _};

use super::*;

/// Cuts rows into files of one run at these keys.
fn cut(rows: &Rows, at: &[Vec<u8>]) -> Vec<Rows> {
    let mut parts = vec![Rows::new()];
    let mut at: Vec<_> = at.to_vec();
    at.sort();
    for (key, value) in rows {
        while at.first().is_some_and(|at| at <= key) {
            at.remove(0);
            parts.push(Rows::new());
        }
        parts.last_mut().unwrap().insert(key.clone(), value.clone());
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn assert_finds_all(runs: &Runs, rows: &Rows, asked_of: &Rows) {
    let mut space = Space::default();
    let heights = asked_heights(asked_of);
    for key in asked(asked_of) {
        for at in &heights {
            assert_eq!(
                get(runs, &key, *at, &mut space),
                newest(rows, &key, *at),
                "{key:02x?} at {at}"
            );
        }
    }
    assert_eq!(&all(runs.runs(), &[]), rows);
    for key in asked_of.keys().step_by(7) {
        for from in [key.clone(), behind(key), key[..key.len() / 2].to_vec()] {
            let wanted: Rows = rows
                .range(from.clone()..)
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            assert_eq!(all(runs.runs(), &from), wanted, "from {from:02x?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_of_a_run_is_found_at_every_height(
        rows in rows(),
        codec in codecs(),
        cuts in vec((keys(), heights()), 0..4),
        in_memory: bool,
    ) {
        let dir = tempdir().unwrap();
        let memory = Memory::new(if in_memory { u64::MAX } else { 0 });
        let cuts: Vec<_> = cuts.iter().map(|(key, height)| row_key(key, *height)).collect();
        let segments = cut(&rows, &cuts).into_iter().enumerate().map(|(id, part)| {
            let segment = segment(dir.path(), id as u64, codec, &part, &memory);
            assert_eq!(segment.rows(), part.len() as u64);
            assert_eq!(segment.filter_in_memory(), in_memory);
            assert_eq!(segment.first_key(), part.keys().next().unwrap());
            assert_eq!(segment.last_key(), part.keys().last().unwrap());
            Placed::new(segment, Place { highest: Height(u32::MAX), ..whole(0, 0..1) })
        });
        assert_finds_all(&Runs::new(segments), &rows, &rows);
    }

    /// As blocks that were undone leave them, and merges under way.
    #[test]
    fn rows_above_the_highest_height_and_before_the_first_key_do_not_count(
        rows in rows(),
        codec in codecs(),
        cuts in vec((keys(), heights()), 0..4),
        highest in heights(),
        before in any::<prop::sample::Index>(),
    ) {
        let dir = tempdir().unwrap();
        let memory = Memory::new(u64::MAX);
        let all: Vec<_> = rows.keys().collect();
        let from = behind(all[before.index(all.len())]);
        let cuts: Vec<_> = cuts.iter().map(|(key, height)| row_key(key, *height)).collect();
        let segments = cut(&rows, &cuts).into_iter().enumerate();
        // What has no row behind that key is removed, what has no row before it is left as it is.
        let segments = segments.filter(|(_, part)| part.keys().last().unwrap() >= &from).map(|(id, part)| {
            let is_cut = part.keys().next().unwrap() < &from;
            let from = if is_cut { from.clone() } else { Vec::new() };
            let place = Place { run: 0, lowest: Height(0), highest: Height(highest), from };
            Placed::new(segment(dir.path(), id as u64, codec, &part, &memory), place)
        });
        let counts = |key: &[u8]| *key >= *from && parse_row_key(key).unwrap().1 <= Height(highest);
        let wanted = rows.iter().filter(|(key, _)| counts(key)).map(|(key, value)| (key.clone(), value.clone()));
        assert_finds_all(&Runs::new(segments), &wanted.collect(), &rows);
    }

    #[test]
    fn runs_of_different_heights_are_one(rows in rows(), codec in codecs(), borders in vec(heights(), 0..5)) {
        let dir = tempdir().unwrap();
        let memory = Memory::new(u64::MAX);
        let mut borders = [&borders[..], &[0]].concat();
        borders.sort_unstable();
        borders.dedup();
        let highest = |at: usize| borders.get(at + 1).map_or(u32::MAX, |next| next - 1);
        // In whatever order they are named.
        let placed = borders.iter().enumerate().rev().filter_map(|(at, lowest)| {
            let heights = *lowest..=highest(at);
            let own = rows.iter().filter(|(key, _)| heights.contains(&parse_row_key(key).unwrap().1.0));
            let own: Rows = own.map(|(key, value)| (key.clone(), value.clone())).collect();
            let place = Place {
                run: at as u64,
                lowest: Height(*lowest),
                highest: Height(highest(at)),
                from: Vec::new(),
            };
            (!own.is_empty()).then(|| Placed::new(segment(dir.path(), at as u64, codec, &own, &memory), place))
        });
        let runs = Runs::new(placed);
        assert!(runs.runs().is_sorted_by_key(|run| std::cmp::Reverse(run.heights())));
        assert_finds_all(&runs, &rows, &rows);
    }
}

#[test]
fn thousands_of_versions_of_a_key_lie_over_blocks_and_files() {
    let dir = tempdir().unwrap();
    let memory = Memory::new(u64::MAX);
    for key in [&b""[..], b"key", &[7; 255], &[7; 300]] {
        let version = |height: u32| (row_key(key, height), format!("value {height}").into_bytes());
        // Every second height, and neighbours on both sides.
        let mut rows: Rows = (0..2_000).map(|n| version(2 * n + 1)).collect();
        let other = [&key[..key.len().saturating_sub(1)], &[8]].concat();
        rows.insert(row_key(&other, 5), b"of another".to_vec());
        rows.insert(row_key(&[key, &[0]].concat(), 5), b"of another".to_vec());
        let cuts: Vec<_> = (1..5).map(|n| row_key(key, n * 800)).collect();
        let parts = cut(&rows, &cuts);
        assert_eq!(parts.len(), 5);
        let segments = parts.iter().enumerate().map(|(id, part)| {
            let place = whole(0, 0..4_000);
            Placed::new(segment(dir.path(), id as u64, Codec::Zstd, part, &memory), place)
        });
        let runs = Runs::new(segments);
        let mut space = Space::default();
        for at in 0..4_002 {
            assert_eq!(get(&runs, key, at, &mut space), newest(&rows, key, at), "at {at}");
        }
        assert_eq!(all(runs.runs(), &[]), rows);
    }
}

#[test]
fn values_of_any_size_come_back() {
    let dir = tempdir().unwrap();
    let noise = |bytes: usize| {
        let mut noise = vec![0; bytes];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        noise
    };
    for codec in [Codec::Lz4, Codec::Zstd] {
        let sizes = [0, 1, 255, 256, 257, 8_191, 8_192, 100_000, 3 << 20];
        let values = sizes.into_iter().flat_map(|bytes| [noise(bytes), vec![5; bytes]]);
        let rows: Rows = (0..)
            .zip(values)
            .map(|(n, value)| (row_key(b"large", n), value))
            .collect();
        let segment = segment(dir.path(), 0, codec, &rows, &Memory::new(u64::MAX));
        let runs = Runs::new([Placed::new(segment, whole(0, 0..100))]);
        assert_finds_all(&runs, &rows, &rows);
    }
}

/// What a filter says costs nothing, so a file without a key is hardly ever read for it.
#[test]
fn a_file_is_not_read_for_keys_that_it_does_not_have() {
    let dir = tempdir().unwrap();
    let rows: Rows = (0..1_000u32)
        .map(|n| (row_key(&(2 * n).to_be_bytes(), n), vec![1; 40]))
        .collect();
    let path = dir.path().join("0.rows");
    drop(segment(dir.path(), 0, Codec::Lz4, &rows, &Memory::new(0)));
    // Whatever block is read is an error.
    let file = fs::File::options().write(true).open(&path).unwrap();
    let segment = Segment::open(0, &path, &Memory::new(u64::MAX)).unwrap();
    file.write_all_at(&vec![0xff; segment.index().bytes() as usize], 0)
        .unwrap();
    let runs = Runs::new([Placed::new(Arc::new(segment), whole(0, 0..1_000))]);
    let mut space = Space::default();
    let mut reads = |key: u32| runs.get(&key.to_be_bytes(), Height(u32::MAX), &mut space).is_err();
    let wrong = (0..1_000).filter(|n| reads(2 * n + 1)).count();
    assert!(wrong < 40, "{wrong} reads");
    assert!((0..1_000).all(|n| reads(2 * n)), "those that are there are read");
}

#[test]
fn memory_that_indexes_and_filters_take_is_given_back() {
    let dir = tempdir().unwrap();
    let rows: Rows = (0..1_000u32)
        .map(|n| (row_key(&n.to_be_bytes(), n), vec![1; 40]))
        .collect();
    let memory = Memory::new(4_000);
    let first = segment(dir.path(), 0, Codec::Lz4, &rows, &memory);
    let (taken, most) = memory.used();
    assert!(taken > 2_000 && most == 4_000, "{taken}");
    let second = segment(dir.path(), 1, Codec::Lz4, &rows, &memory);
    assert!(!second.filter_in_memory() || memory.used().0 <= most);
    drop((first, second));
    assert_eq!(memory.used(), (0, 4_000));
}

#[test]
fn a_file_goes_with_its_last_user_once_it_belongs_to_nobody() {
    let dir = tempdir().unwrap();
    let rows: Rows = [(row_key(b"key", 7), b"value".to_vec())].into();
    let held = segment(dir.path(), 0, Codec::Lz4, &rows, &Memory::new(0));
    let path = held.path().to_path_buf();
    drop(Arc::clone(&held));
    held.doom();
    assert!(path.exists());
    let runs = Runs::new([Placed::new(held, whole(0, 0..8))]);
    assert!(get(&runs, b"key", 7, &mut Space::default()).is_some());
    drop(runs);
    assert!(!path.exists());
    // Nor does one stay whose writer gave up.
    let path = dir.path().join("1.rows");
    let mut writer = Writer::create(&path, Codec::Lz4).unwrap();
    writer.push(&row_key(b"key", 7), b"value").unwrap();
    assert!(path.exists());
    drop(writer);
    assert!(!path.exists());
}
