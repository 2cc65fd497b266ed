//! Copies of an index of some gigabytes that has merged: to another pod, to an object storage and back.
//!
//! Bytes are read cold and written through to the disk, by the product and by `dd` in turns, over the same transport. What
//! was copied is checked against the index it came from: a copy that is fast and wrong ends the run.

mod pod;
mod slowdown;
mod storage;
mod transport;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::json;

use crate::{
    chain::{Chain, Shape},
    disk,
    report::{self, Bar, Report, median},
    scale::rows_after,
};
use pod::{Pod, Tip};
use storage::Storage;
use transport::{Took, evict};

/// What a block of `wide` takes on the disk, roughly: 40,000 rows.
const BYTES_A_BLOCK: u64 = 3_300_000;
/// The index, its snapshots, what is restored of them, what `dd` writes, and what merges take meanwhile.
const DISK_TIMES: u64 = 8;
/// How often the product and `dd` take turns.
const TURNS: usize = 3;
/// The index grows by one block in so many before its second snapshot.
const GROWTH: u32 = 10;
/// Of what `dd` does.
const SPEED_BAR: Bar = Bar::AtLeast(0.6);
/// Bytes uploaded for each new one; what merges write anew is uploaded again.
const SECOND_BAR: Bar = Bar::AtMost(4.0);

/// One run.
struct Run {
    dir: PathBuf,
    pod: Pod,
    storage: Storage,
    report: Report,
}

/// Measures, prints a table and writes `copies.json`.
///
/// # Errors
/// When the disk has no room for copies of so many gigabytes.
pub(crate) fn run(dir: &Path, guests: &Path, target: &Path, gigabytes: u32) -> Result<(), String> {
    let dir = dir.join("copies");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).map_err(|error| format!("make {}: {error}", dir.display()))?;
    let bytes = u64::from(gigabytes) * 1_000_000_000;
    let (needed, free) = (bytes * DISK_TIMES, disk::free_bytes(&dir));
    if free < needed {
        return Err(format!(
            "copies of {gigabytes} GB may take {} GB of disk, {} has {}: free some, or set SHREWD_BENCH_DIR to a folder \
             on another disk",
            needed / 1_000_000_000,
            dir.display(),
            free / 1_000_000_000
        ));
    }
    let blocks = u32::try_from(bytes / BYTES_A_BLOCK).expect("some thousands");
    let grown = blocks + blocks / GROWTH;
    let chain = Chain::provide(&dir.join("../node-copies"), Shape::small(grown + slowdown::BLOCKS));
    let started = Instant::now();
    let mut run = Run {
        pod: Pod::new(&dir.join("pod"), &guests.join("wide.wasm"), &chain.node),
        storage: Storage::start(&dir),
        report: Report::default(),
        dir,
    };
    let tip = run.pod.index_to(blocks);
    assert!(tip.bytes >= bytes, "{} bytes are less than asked for", tip.bytes);
    println!(
        "{blocks} blocks, {:.1} GB: {:.0} s",
        tip.bytes as f64 / 1e9,
        started.elapsed().as_secs_f64()
    );
    run.copy_to_sibling(&tip);
    run.publish_and_restore(&tip);
    run.second_snapshot(&tip, grown);
    slowdown::measure(&run.pod, &run.storage, &run.dir.join("fork"), &mut run.report);
    run.report.print();
    let figures = json!({"index_bytes": tip.bytes, "figures": run.report.json()});
    report::write(&target.join("copies.json"), &figures);
    let _ = fs::remove_dir_all(&run.dir);
    Ok(())
}

impl Run {
    /// An empty volume is filled by its sibling; and once more, by one that is killed in the middle.
    fn copy_to_sibling(&mut self, tip: &Tip) {
        let sender = self.pod.start_at_rest(tip.height);
        let copy = self.pod.sibling(&self.dir.join("sibling"), &sender);
        let store = self.pod.store();
        let mut ours = Vec::new();
        let mut dd = Vec::new();
        for _ in 0..TURNS {
            evict(&store);
            ours.push(copy.filled(tip));
            evict(&store);
            dd.push(transport::checkpoint(&sender.url(), &self.dir.join("dd")));
        }
        self.add(
            "sibling",
            "a sibling's copy: from the start of its process until it reports the index",
            &ours,
            &dd,
        );
        evict(&store);
        let (took, written) = copy.filled_in_spite_of_a_kill(sender, &self.pod, tip);
        let how = format!(
            "bytes written by a pod ÷ those of the index, which a sibling sent that was killed when half was there; {:.1} s in \
             all",
            took.as_secs_f64()
        );
        let share = written as f64 / tip.bytes as f64;
        self.report
            .add("sibling_killed_written", share, "×", Bar::AtMost(1.5), how);
    }

    /// A first snapshot, restored in turns with `dd`, and once more with every digest computed.
    fn publish_and_restore(&mut self, tip: &Tip) {
        evict(&self.pod.store());
        let took = self.storage.create(&self.pod);
        let how = "the first snapshot: `snapshot create` of a cold index to a server on this machine";
        self.report.add("snapshot_mb_s", took.mb_s(), "MB/s", None, how);
        let snapshot = self.storage.snapshot(tip.height);
        let to = self.dir.join("restored");
        let mut ours = Vec::new();
        let mut dd = Vec::new();
        for _ in 0..TURNS {
            evict(&self.storage.bucket());
            ours.push(self.storage.restore(&snapshot, &to, &[]));
            evict(&self.storage.bucket());
            dd.push(self.storage.dd(&self.dir.join("dd")));
        }
        self.add("restore", "`snapshot restore`, every file checked", &ours, &dd);
        let took = self.storage.restore(&snapshot, &to, &["--verify", "digests"]);
        let how = "the same with `--verify digests`, cache warm";
        self.report.add("restore_digests_s", took.seconds(), "s", None, how);
        let restored = self.pod.with_folder(&to).start_at_rest(tip.height);
        restored.must_be(tip);
        drop(restored);
        fs::remove_dir_all(&to).expect("remove what was restored");
    }

    fn second_snapshot(&mut self, before: &Tip, height: u32) {
        let now = self.pod.index_to(height);
        let took = self.storage.create(&self.pod);
        let rows = rows_after(now.height) - rows_after(before.height);
        let new = rows * now.bytes as f64 / rows_after(now.height);
        let how = format!(
            "bytes uploaded for the second snapshot ÷ what {:.1} million new rows take on the disk, after one \
             block in {GROWTH} more",
            rows / 1e6
        );
        self.report
            .add("second_snapshot_bytes", took.bytes as f64 / new, "×", SECOND_BAR, how);
    }

    /// The speed, and that of `dd`.
    fn add(&mut self, name: &str, what: &str, ours: &[Took], dd: &[Took]) {
        let speed = |all: &[Took]| median(all.iter().map(Took::mb_s).collect());
        let how = format!("{what}; cold, median of {TURNS}");
        self.report.add(format!("{name}_mb_s"), speed(ours), "MB/s", None, how);
        let ratio = median(ours.iter().zip(dd).map(|(ours, dd)| ours.mb_s() / dd.mb_s()).collect());
        let how = format!("that ÷ the {:.0} MB/s of `curl | dd conv=fsync`, in turns", speed(dd));
        self.report.add(format!("{name}_ratio"), ratio, "×", SPEED_BAR, how);
    }
}
