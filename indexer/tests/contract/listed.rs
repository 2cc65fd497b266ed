//! The page of the book that lists which test proves which behaviour, section 8 of the contract; none is left out.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// The behaviours, in a few words each, in their order, with the section of the book that describes them.
const BEHAVIOURS: [(&str, &str); 17] = [
    (
        "Blocks in order, each once; every height answers; history never shrinks",
        "guest.md#3-host-functions",
    ),
    (
        "A node that fails, lies or is slow: no loss, no duplicate, a named error",
        "reference.md#conditions",
    ),
    (
        "A guest that traps: what is below stays served, and the process says so",
        "guest.md#5-failures",
    ),
    (
        "Views never wait for a block and never see a later one",
        "client.md#6-json-rpc",
    ),
    (
        "Views at every height, before and after later blocks",
        "client.md#6-json-rpc",
    ),
    ("A preview leaves the database byte-identical", "client.md#6-json-rpc"),
    (
        "Reorganisations of every kind end with the state of a fresh sync",
        "client.md#6-json-rpc",
    ),
    (
        "Values and hashes are replaced by a reorganisation, not added to",
        "client.md#6-json-rpc",
    ),
    (
        "A refused growth of memory depends on the limit alone, on every machine",
        "guest.md#memory-and-stack",
    ),
    (
        "One batch a block, the next height only; a kill at any step",
        "guest.md#5-failures",
    ),
    (
        "A block run again is byte-identical; failures surface or end well",
        "guest.md#5-failures",
    ),
    (
        "A slow guest has nothing fetched twice; fetching follows an unwind",
        "guest.md#1-the-module",
    ),
    ("Views are bounded and never stop indexing", "client.md#limits"),
    (
        "Large rollbacks, full disks, SIGTERM, a swapped module",
        "reference.md#command-line",
    ),
    (
        "Pointers, lengths, logs and flushes at their extremes",
        "guest.md#2-buffers",
    ),
    (
        "NaN, relaxed SIMD and stack overflow are the same everywhere",
        "guest.md#memory-and-stack",
    ),
    ("Requests of every kind of nonsense are answered", "client.md#errors"),
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
                found.entry(number).or_default().push(format!("`{test}` in `{name}`"));
            }
        }
    }
    let mut page = "# Behaviour and its tests\n\n\
        Section 8 of the contract: each of these has broken a real deployment somewhere. `make golden` writes this page\n\
        from the lines `Contract §8.N` above the tests.\n"
        .to_owned();
    for (number, (words, section)) in (1..).zip(BEHAVIOURS) {
        let tests = found
            .remove(&number)
            .unwrap_or_else(|| panic!("no test of §8.{number}: {words}"));
        write!(page, "\n## 8.{number} {words}\n\n[Described here]({section}).\n\n").unwrap();
        for test in tests {
            writeln!(page, "- {test}").unwrap();
        }
    }
    assert!(found.is_empty(), "there is no such behaviour: {found:?}");
    expectorate::assert_contents(root.join("docs/src/contract-tests.md"), &page);
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
