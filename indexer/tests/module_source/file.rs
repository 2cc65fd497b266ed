//! A module in a file, as a `ConfigMap` is mounted.

use std::fs;

use crds::pod::{Module, module_reasons};

use crate::{BYTES, Volume};

#[tokio::test]
async fn a_file_that_was_taken_away_or_changed_is_not_needed_again() {
    let (volume, folder) = (Volume::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("module.wasm");
    let module = || Module::Path { path: path.clone() };
    let missing = volume.load(module()).await.unwrap_err();
    assert_eq!(missing.0, module_reasons::NOT_FOUND);

    fs::write(&path, BYTES).unwrap();
    assert_eq!(volume.load(module()).await.unwrap(), BYTES);
    fs::write(&path, b"the next release").unwrap();
    assert_eq!(volume.load(module()).await.unwrap(), BYTES);
    fs::remove_file(&path).unwrap();
    assert_eq!(volume.load(module()).await.unwrap(), BYTES);

    // Another volume has never seen it.
    fs::write(&path, b"the next release").unwrap();
    let changed = Volume::new().load(module()).await.unwrap_err();
    assert_eq!(changed.0, module_reasons::DIGEST_MISMATCH);
}
