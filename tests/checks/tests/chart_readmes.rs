//! The README of each chart has the table of its values, as `values.yaml` says. `make golden` writes it.
#![allow(clippy::unwrap_used)] // helpers of tests fail like tests

use std::{fs, path::Path};

use checks::values::table;

/// What stands above is written by hand.
const HEADING: &str = "## Values\n\n";

#[test]
fn have_every_value() {
    for chart in ["shrewd", "shrewd-crds"] {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts")).join(chart);
        let path = folder.join("README.md");
        let text = fs::read_to_string(&path).unwrap();
        let (by_hand, _) = text.split_once(HEADING).unwrap();
        let values = fs::read_to_string(folder.join("values.yaml")).unwrap();
        expectorate::assert_contents(&path, &format!("{by_hand}{HEADING}{}", table(&values)));
    }
}
