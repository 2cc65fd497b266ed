//! Figures of the whole indexer, on a real node and a chain that is the same every time.

mod alone;
mod chain;
#[path = "../../tests/support/node.rs"]
mod node;
mod sync;

use std::path::PathBuf;

use chain::{Chain, Shape};

pub(crate) fn cpu(path: &str) -> f64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let n = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (n(11) + n(12)) / 100.0
}

fn main() {
    let dir = std::env::var_os("SHREWD_BENCH_DIR").map_or_else(|| PathBuf::from("target/bench"), PathBuf::from);
    let shape = Shape {
        small: 12_000,
        light: 15_000,
        dense: 15_300,
    };
    let chain = Chain::provide(&dir.join("node"), shape);
    let guest = std::env::var_os("SHREWD_GUESTS")
        .map_or_else(|| PathBuf::from("target/guests"), PathBuf::from)
        .join("outpoints.wasm");
    let n: u32 = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let dense = chain.dense();
    let dense = dense.start..dense.start + n;
    let what = std::env::var("WHAT").unwrap_or("dense".into());
    let heights = if what == "light" { chain.light() } else { dense };
    let blocks = chain.blocks(heights.clone());
    let module = alone::load(&guest);
    let c0 = cpu("/proc/thread-self/stat");
    let a = alone::run(&module, &blocks);
    let c1 = cpu("/proc/thread-self/stat");
    println!("alone cpu {:.2} ms", (c1 - c0) * 1e3 / blocks.len() as f64);
    let count = blocks.len() as f64;
    println!(
        "alone {:.2} ms/block, {} pairs {} bytes {} reads per block, block bytes {}",
        a.took.as_secs_f64() * 1e3 / count,
        a.pairs / blocks.len() as u64,
        a.bytes / blocks.len() as u64,
        a.reads / blocks.len() as u64,
        blocks.iter().map(|b| b.bytes.len()).sum::<usize>() / blocks.len()
    );
    drop(blocks);
    for _ in 0..1 {
        let db = dir.join("db");
        let _ = std::fs::remove_dir_all(&db);
        let s = sync::run(&guest, &chain.node.url(), &heights, &db);
        println!("sync cpu {:.2} ms", s.cpu * 1e3 / count);
        println!(
            "sync {:.2} ms/block, ratio {:.2}, peak {} MB",
            s.took.as_secs_f64() * 1e3 / count,
            s.took.as_secs_f64() / a.took.as_secs_f64(),
            s.peak_bytes >> 20
        );
    }
}
