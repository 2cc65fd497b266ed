//! Files of rows against a map. Blocks of rows are small here.

mod damage;
mod lookups;
mod packing;
mod plans;

use std::{collections::BTreeMap, ops::Range, path::Path, sync::Arc};

use proptest::{collection::vec, prelude::*};

use super::{
    Codec, Memory, Merge, Place, Placed, Run, Runs, Segment, Space, Writer,
    key::{behind, parse_row_key, write_row_key},
};
use crate::chain::Height;

/// Rows in their order.
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn row_key(key: &[u8], height: u32) -> Vec<u8> {
    let mut out = Vec::new();
    write_row_key(&mut out, key, Height(height));
    out
}

/// Writes rows into a file and opens it.
fn segment(dir: &Path, id: u64, codec: Codec, rows: &Rows, memory: &Memory) -> Arc<Segment> {
    let path = dir.join(format!("{id}.rows"));
    let mut writer = Writer::create(&path, codec).unwrap();
    for (key, value) in rows {
        writer.push(key, value).unwrap();
    }
    writer.finish().unwrap();
    Arc::new(Segment::open(id, &path, memory).unwrap())
}

/// A place in which all rows count.
fn whole(run: u64, heights: Range<u32>) -> Place {
    Place {
        run,
        lowest: Height(heights.start),
        highest: Height(heights.end - 1),
        from: Vec::new(),
    }
}

/// The newest of these rows of a guest key as of a height.
fn newest(rows: &Rows, key: &[u8], at: u32) -> Option<(Height, Vec<u8>)> {
    let (row_key, value) = rows.range(row_key(key, at)..).next()?;
    let (found, height) = parse_row_key(row_key)?;
    (found == key).then(|| (height, value.clone()))
}

/// What runs answer.
fn get(runs: &Runs, key: &[u8], at: u32, space: &mut Space) -> Option<(Height, Vec<u8>)> {
    let found = runs.get(key, Height(at), space).unwrap();
    found.map(|(height, value)| (height, value.to_vec()))
}

/// All rows of runs from a key on.
fn all<'a>(runs: impl IntoIterator<Item = &'a Run>, from: &[u8]) -> Rows {
    let mut merge = Merge::new(runs, from).unwrap();
    let mut rows = Rows::new();
    let mut before = Vec::new();
    while merge.next().unwrap() {
        assert!(rows.is_empty() || *before < *merge.key(), "rows are not in order");
        before = merge.key().to_vec();
        rows.insert(before.clone(), merge.value().to_vec());
    }
    rows
}

/// Empty, prefixes of each other, with much in common, and around the long form of a length.
fn keys() -> impl Strategy<Value = Vec<u8>> {
    let byte = || prop::sample::select(vec![0x00, 0x01, 0xfe, 0xff]);
    let long = |length: usize| move |end: Vec<u8>| [vec![7; length], end].concat();
    prop_oneof![
        4 => vec(byte(), 0..4),
        2 => vec(byte(), 1..3).prop_map(long(20)),
        1 => vec(byte(), 1..4).prop_map(long(252)),
        1 => vec(byte(), 1..3).prop_map(long(299)),
    ]
}

/// Empty, small, and larger than a block.
fn values() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => Just(Vec::new()),
        6 => vec(any::<u8>(), 1..60),
        2 => (any::<u8>(), 0..200usize).prop_map(|(byte, length)| vec![byte; length]),
        1 => vec(any::<u8>(), 300..900),
    ]
}

/// Heights of a row, most of them near each other.
fn heights() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..40u32, 1 => Just(u32::MAX), 1 => any::<u32>()]
}

fn rows() -> impl Strategy<Value = Rows> {
    let row = (keys(), heights(), values()).prop_map(|(key, height, value)| (row_key(&key, height), value));
    vec(row, 1..120).prop_map(|rows| rows.into_iter().collect())
}

fn codecs() -> impl Strategy<Value = Codec> {
    prop::sample::select(vec![Codec::Lz4, Codec::Zstd])
}

/// Every guest key of these rows, and some that may be none of them.
fn asked(rows: &Rows) -> Vec<Vec<u8>> {
    let mut keys: Vec<_> = rows.keys().map(|key| parse_row_key(key).unwrap().0.to_vec()).collect();
    keys.dedup();
    let near = keys
        .iter()
        .flat_map(|key| [[key, &[0][..]].concat(), key[..key.len().saturating_sub(1)].to_vec()]);
    let mut all: Vec<_> = near.chain([vec![], vec![9], vec![7; 300]]).collect();
    all.extend(keys);
    all
}

/// The heights of these rows, those beside them, and the ends.
fn asked_heights(rows: &Rows) -> Vec<u32> {
    let own = rows.keys().map(|key| parse_row_key(key).unwrap().1.0);
    let mut heights: Vec<_> = own
        .flat_map(|height| [height.saturating_sub(1), height, height.saturating_add(1)])
        .chain([0, u32::MAX])
        .collect();
    heights.sort_unstable();
    heights.dedup();
    heights
}
