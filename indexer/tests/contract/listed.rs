//! Which test shows which behaviour of the contract's section 8; none is left out.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// The behaviours, in a few words each, in their order.
const BEHAVIOURS: [&str; 17] = [
    "Blocks in order, each once; every height answers; history never shrinks",
    "A node that fails, lies or is slow: no loss, no duplicate, a named error",
    "A guest that traps: what is below stays served, and the process says so",
    "Views never wait for a block and never see a later one",
    "Views at every height, before and after later blocks",
    "A preview leaves the database byte-identical",
    "Reorganisations of every kind end like a fresh sync",
    "Values and hashes are replaced by a reorganisation, not added to",
    "The limit on memory is refused alike on every machine",
    "One batch a block, the next height only; a kill at any step",
    "A block run again is byte-identical; failures surface or end well",
    "A slow guest has nothing fetched twice; fetching follows an unwind",
    "Views are bounded and never stop indexing",
    "Large rollbacks, full disks, SIGTERM, a swapped module",
    "Pointers, lengths, logs and flushes at their extremes",
    "NaN, relaxed SIMD and stack overflow are the same everywhere",
    "Requests of every kind of nonsense are answered",
];

#[test]
fn each_behaviour_has_its_tests_and_the_list_of_them_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for folder in ["indexer/src", "indexer/tests", "tests/tests"] {
        for file in rust_files(&root.join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            let name = file.strip_prefix(&root).unwrap().display().to_string();
            for (number, test) in tagged(&text) {
                found
                    .entry(number)
                    .or_default()
                    .push(format!("`{test}` in [{name}](../{name})"));
            }
        }
    }
    let mut page = "# Tests of the contract's section 8\n\n\
        Written by `make golden` from the lines `Contract §8.N` above the tests.\n"
        .to_owned();
    for (number, words) in (1..).zip(BEHAVIOURS) {
        let tests = found
            .remove(&number)
            .unwrap_or_else(|| panic!("no test of §8.{number}: {words}"));
        write!(page, "\n## {number} {words}\n\n").unwrap();
        for test in tests {
            writeln!(page, "- {test}").unwrap();
        }
    }
    assert!(found.is_empty(), "there is no such behaviour: {found:?}");
    expectorate::assert_contents(root.join("docs/contract-tests.md"), &page);
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The numbers in each doc comment that speaks of the contract, with the function below it.
fn tagged(text: &str) -> Vec<(usize, String)> {
    let mut tags = Vec::new();
    let mut numbers = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("/// ") && (line.contains("Contract §8.") || !numbers.is_empty()) {
            let after = line.split("§8.").skip(1);
            numbers.extend(after.map(|rest| {
                let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
                digits.parse::<usize>().unwrap()
            }));
        } else if let Some((_, name)) = line.split_once("fn ").filter(|_| !numbers.is_empty()) {
            let name = name.split(['(', '<']).next().unwrap();
            tags.extend(numbers.drain(..).map(|number| (number, name.to_owned())));
        }
    }
    tags
}
