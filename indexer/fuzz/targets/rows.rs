//! Files of rows: what any bytes answer is a row or an error, and going through them comes to an end.
#![no_main]
#![allow(clippy::expect_used)] // a panic is how a target says that something is wrong

use std::{env, fs, process, sync::Arc};

use fuzz::segment;
use indexer::{
    chain::Height,
    rows::{Cursor, Memory, Merge, Place, Placed, Runs, Segment, Space, key::parse_row_key},
};
use libfuzzer_sys::fuzz_target;

/// More than the rows of any input.
const ROWS_MAX: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let path = env::temp_dir().join(format!("fuzz-{}.rows", process::id()));
    // As they come, which a checksum refuses, and as somebody would make a file of them who knows checksums.
    for file in [bytes.to_vec(), segment::file(bytes)] {
        fs::write(&path, file).expect("write a file");
        for memory in [0, u64::MAX] {
            if let Ok(segment) = Segment::open(0, &path, &Memory::new(memory)) {
                read(&Arc::new(segment), bytes);
            }
        }
    }
});

/// Asks a file for everything in it, and for what the input has.
fn read(segment: &Arc<Segment>, bytes: &[u8]) {
    let (key, from) = bytes.split_at(bytes.len() / 2);
    let place = |highest, from: &[u8]| Place {
        run: 0,
        lowest: Height(0),
        highest,
        from: from.to_vec(),
    };
    // All of it, and as blocks that were undone and a merge leave it.
    for place in [place(Height(u32::MAX), &[]), place(segment.heights().0, from)] {
        let placed = Placed::new(Arc::clone(segment), place);
        let runs = Runs::new([Arc::clone(&placed)]);
        let mut space = Space::default();
        let mut get = |key: &[u8]| {
            for at in [0, 7, u32::MAX] {
                let _ = runs.get(key, Height(at), &mut space);
            }
        };
        get(key);
        let mut cursor = Cursor::new(&placed, key);
        let mut rows = 0;
        let mut has_row = cursor.first();
        while let Ok(true) = has_row {
            get(parse_row_key(cursor.key()).map_or(cursor.value(), |(key, _)| key));
            rows += 1;
            assert!(rows < ROWS_MAX, "there is no end");
            has_row = cursor.next();
        }
        if let Ok(mut merge) = Merge::new(runs.runs(), &[]) {
            let mut rows = 0;
            while let Ok(true) = merge.next() {
                rows += 1;
                assert!(rows < ROWS_MAX, "there is no end");
            }
        }
    }
}
