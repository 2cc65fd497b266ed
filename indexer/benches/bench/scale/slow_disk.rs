//! A disk that is slower than the one here.

use std::{path::Path, time::Duration};

use crate::preload::library;

/// What each read that the disk has to answer takes longer.
pub(super) const DELAY: Duration = Duration::from_micros(500);

/// The variables that make reads of files below this path slow. The library that does it is compiled into the folder.
pub(super) fn variables(folder: &Path, slow: &Path) -> [(&'static str, String); 3] {
    let library = library(folder, "slow_reads", include_str!("slow_reads.c"));
    // Paths of open files are absolute.
    let [library, slow] = [&library, slow].map(|path| path.canonicalize().expect("a path that exists"));
    [
        ("LD_PRELOAD", library.display().to_string()),
        ("SLOW_PATH", slow.display().to_string()),
        ("SLOW_MICROSECONDS", DELAY.as_micros().to_string()),
    ]
}
