//! Libraries in C that stand between a process and the system's calls.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Compiles a library into a folder. Gives what `LD_PRELOAD` has to say.
pub(crate) fn library(folder: &Path, name: &str, source: &str) -> PathBuf {
    let (file, library) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    std::fs::write(&file, source).expect("write the source");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(&file)
        .arg("-ldl")
        .status()
        .expect("a C compiler, `cc`: RocksDB cannot be built without one either");
    assert!(compiled.success(), "{name}.c does not compile");
    library
}
