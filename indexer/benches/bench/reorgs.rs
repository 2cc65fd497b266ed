//! How long it takes to undo blocks.

use std::{fs, time::Instant};

use indexer::{chain::Height, store::Store};

use crate::{
    bench::Bench,
    report::{Bar::AtMost, median},
    sync::copy,
};

/// Undoes dense blocks, each time in a copy of the index.
pub(crate) fn reorgs(bench: &mut Bench) {
    let db = bench.dir.join("db/store");
    let scratch = bench.dir.join("db-unwound");
    for (name, depth, bar) in [("reorg_6_ms", 6, 500.0), ("reorg_100_ms", 100, 8_000.0)] {
        let times = (0..3).map(|_| {
            copy(&db, &scratch);
            let store = Store::open_existing(&scratch).expect("open the store");
            let tip = store.tip().expect("a tip").at.height;
            let started = Instant::now();
            let undone = store.unwind(Some(Height(tip.0 - depth))).expect("unwind");
            assert_eq!(undone, depth);
            started.elapsed().as_secs_f64() * 1e3
        });
        let value = median(times.collect());
        bench.report.add(
            name,
            value,
            "ms",
            AtMost(bar),
            format!("{depth} dense blocks undone, median of 3"),
        );
    }
    fs::remove_dir_all(scratch).expect("remove the scratch copy");
}
