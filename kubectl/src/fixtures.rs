//! Indexers at stages of their life, as `tests/stages` has them.

use crds::Indexer;

/// Declares a function for each stage.
macro_rules! stages {
    ($($name:ident = $folder:literal;)*) => {
        $(pub(crate) fn $name() -> Indexer {
            let text = include_str!(concat!("../tests/stages/", $folder, "/in.yaml"));
            serde_yaml::from_str(text).unwrap()
        })*
    };
}

stages! {
    newborn = "newborn";
    syncing = "syncing";
    following = "following";
    hotfix = "hotfix";
    halted = "halted";
    disk_nearly_full = "disk-nearly-full";
    suspended = "suspended";
}
