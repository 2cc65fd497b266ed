//! A fresh guest is fresh although its pages were swapped out: on real swap, where this machine lets us make some. What
//! is decided from the facts of a machine has its own test, beside the decision.

use std::{
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    process::Command,
};

use bytes::Bytes;
use indexer::{
    fault::Fault,
    guest::{Indexing, Residency},
    state::{State, WriteSet},
};

use crate::{
    alone,
    cgroup::{self, MemoryGroup},
    stage::{self, MIB, Rows},
};

const THIS: &str = "swap::a_fresh_guest_is_fresh_after_its_pages_were_swapped_out";
/// What the process may have: less than the ballast, which so pushes the guest out.
const LIMIT_BYTES: u64 = 128 * MIB;
const BALLAST_BYTES: usize = 160 << 20;
const SWAP_BYTES: u64 = 512 * MIB;

/// A swap area of its own; gone when it is dropped.
struct SwapFile(PathBuf);

impl SwapFile {
    fn new(folder: &Path) -> Result<Self, String> {
        let path = folder.join("swap");
        run(
            "dd",
            &[
                "if=/dev/zero",
                &format!("of={}", path.display()),
                "bs=1M",
                &format!("count={}", SWAP_BYTES / MIB),
            ],
        )?;
        let name = path.display().to_string();
        run("chmod", &["600", &name])?;
        run("mkswap", &[&name])?;
        run("swapon", &[&name])?;
        Ok(Self(path))
    }
}

impl Drop for SwapFile {
    fn drop(&mut self) {
        let off = run("swapoff", &[&self.0.display().to_string()]);
        if let Err(error) = off {
            cgroup::not_run("removal of the swap area", &error);
        }
    }
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(args)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    output
        .status
        .success()
        .then_some(())
        .ok_or_else(|| format!("{program}: {}", said.trim()))
}

/// An index whose reads push everything else of the process out of memory.
struct Ballast;

impl State for Ballast {
    fn get(&mut self, _key: &[u8]) -> Result<Option<Bytes>, Fault> {
        // No zeros: pages of those need no memory, and no pattern that compresses to nothing.
        let ballast: Vec<u8> = (0..BALLAST_BYTES)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()[0])
            .collect();
        black_box(&ballast);
        let swapped = swapped_kib();
        assert!(swapped > 4096, "only {swapped} KiB were swapped out");
        Ok(None)
    }
}

fn swapped_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSwap:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Adds up all words of 8 MiB, stores the sum under "sum", fills them, and reads a key while they are full.
const FILLS: &str = r#"
    (memory (export "memory") 160)
    (data (i32.const 0x100) "\0b\00\00\00" "\0a\03sum" "\0a\04....")
    (func (export "_start") (local $at i32) (local $sum i32)
      (local.set $at (i32.const 0x100000))
      (loop $next
        (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
        (i32.store (local.get $at) (i32.const 1))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br_if $next (i32.lt_u (local.get $at) (i32.const 0x900000))))
      (i32.store (i32.const 0x10b) (local.get $sum))
      (call $flush (i32.const 0x104))
      (drop (call $get_len (i32.const 4))))"#;

fn sum(writes: &WriteSet) -> u32 {
    u32::from_le_bytes(stage::value(writes, b"sum").try_into().unwrap())
}

#[test]
fn a_fresh_guest_is_fresh_after_its_pages_were_swapped_out() {
    if alone::is_inside() {
        return alone::inside(index_while_swapping);
    }
    let folder = tempfile::tempdir().unwrap();
    let made = SwapFile::new(folder.path()).and_then(|swap| Ok((swap, MemoryGroup::new("swap", LIMIT_BYTES)?)));
    match made {
        Err(why) => cgroup::not_run(THIS, &why),
        Ok((_swap, group)) => match stage::engine_with_limit(64 * MIB).residency() {
            Residency::Swappable => alone::outside(THIS, &mut group.command()),
            other => cgroup::not_run(THIS, other.explanation()),
        },
    }
}

fn index_while_swapping() {
    let engine = stage::engine_with_limit(64 * MIB);
    let mut indexing = Indexing::new(stage::load(&engine, &stage::with_imports(FILLS)).unwrap());
    for height in 1..=5 {
        // The first of each pair is swapped out while it is full, the second takes its place in the pool.
        let swapped = stage::run_at(&mut indexing, height, b"", Ballast).unwrap();
        indexing.drop_instance();
        let next = stage::run_at(&mut indexing, height, b"", Rows::default()).unwrap();
        indexing.drop_instance();
        assert_eq!(
            (sum(&swapped), sum(&next)),
            (0, 0),
            "it reads what another one wrote, run {height}"
        );
    }
}
