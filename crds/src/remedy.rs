//! What a person does about each reason of a condition.

use crate::{
    conditions::reasons as of_operator,
    pod::{
        module_reasons as of_module, seed_reasons as of_seed, snapshot_reasons as of_snapshots,
        source_reasons as of_source,
    },
};

/// Declares the table, in a form that keeps a reason and its line together.
macro_rules! remedies {
    ($(#[$doc:meta])* $($reason:path => $line:literal,)*) => {
        $(#[$doc])*
        pub const REMEDIES: &[(&str, &str)] = &[$(($reason, $line)),*];
    };
}

remedies! {
    /// Every reason that a condition can have, and what to do about it, in the order of the alphabet.
    ///
    /// A line that begins with `Nothing` needs no person.
    of_operator::ABOVE_THRESHOLD =>
        "Nothing at once: the guest is refreshed before its next block. If it stays so, raise memory.threshold, up \
         to memory.limit, or let the module keep less.",
    of_operator::APPLY_FAILED =>
        "Read the API server's words in the message: correct the field of the spec that they name, raise the quota, \
         or give the operator the right that it lacks.",
    of_operator::AS_EXPECTED => "Nothing: it is as it should be.",
    of_operator::AT_MAX_LIMIT => "Raise memory.maxLimit to what status.memory.recommendation says.",
    of_operator::AT_MAX_SIZE => "Raise storage.autoGrow.maxSize: the volumes then grow further.",
    of_source::BAD_ANSWER =>
        "Look into the log of the Bitcoin node, or of the proxy before it: it sent something other than what was \
         asked for.",
    of_operator::BELOW_THRESHOLD => "Nothing: the guest has the memory that it needs.",
    of_operator::BLOCKED =>
        "Do what the message says: compare the answers in status.comparison, and set rollout.onDifference to Report \
         if the new ones are right; or wait for the height in rollout.activateAt.",
    of_source::BLOCK_FILES_INCOMPLETE =>
        "Add the block files that are missing to the folder, or give the address of a node beside it.",
    of_source::BLOCK_FILES_MISSING =>
        "Set chain.source.blockFiles.path to the folder of a node that has blk*.dat files.",
    of_operator::BLOCK_FILES_NOT_FOR_PODS =>
        "Replace chain.source.blockFiles by the address of a node in chain.source.bitcoind: pods have no local \
         folders.",
    of_source::BLOCK_FILES_UNREADABLE =>
        "Let the process read the folder, and make sure that xor.dat and the block files are whole.",
    of_operator::CANDIDATE_FAILED =>
        "Declare a corrected module, or declare the one that serves again, which removes the candidate. Clients \
         have not been moved.",
    of_operator::CATCHING_UP => "Nothing: blocks are being indexed. `kubectl shrewd top` shows how many are missing.",
    of_operator::CLAIMS_PENDING =>
        "Wait a minute. If it stays so, see why with `kubectl describe pvc CLAIM`: the storage class may not exist, \
         or have no room.",
    of_operator::CLASS_CANNOT_EXPAND =>
        "Set allowVolumeExpansion in the storage class, if its driver can do that; else create another Indexer with \
         a larger storage.size and move the clients.",
    of_seed::COPYING => "Nothing: the data is being copied from another pod; the message says how far it is.",
    of_source::CREDENTIALS_MISSING =>
        "Create the Secret that the spec names, with the keys that the message lacks: username and password for a \
         node, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for a storage.",
    of_module::DIGEST_MISMATCH =>
        "Set module.sha256 to the digest of the module that you mean (`sha256sum FILE`), or correct where it is \
         fetched from.",
    of_operator::DIGESTS_DIFFER =>
        "Find out which pod is wrong, as the runbook of this alert says, then delete its claim, and then the pod: it \
         copies another one. If the module is not deterministic, set memory.refresh to EveryBlock and index again, as \
         the page on hotfixes says.",
    of_operator::DISK_FULL =>
        "Raise storage.size, or storage.autoGrow.maxSize: indexing continues as soon as there is room.",
    of_module::FETCH_FAILED =>
        "Make sure that the address of the module is right and answers from the cluster, and that its pull Secret \
         is valid; it is tried again within a minute.",
    of_operator::FILE_SYSTEM_RESIZE_PENDING =>
        "Wait a minute. If it stays so, delete the pod that the message names: some drivers let a file system grow \
         only when its pod starts.",
    of_operator::FILTERS_IN_MEMORY => "Nothing: the store has the memory that it needs.",
    of_operator::FILTERS_ON_DISK =>
        "Set storage.cache to what the message says: until then reads ask the disk more often than they need to.",
    of_source::FOLLOWING => "Nothing: the node answers.",
    of_operator::HALTED =>
        "Declare a corrected module, with rollout.seed.fromActive.atHeight at the block before the one that failed: \
         see the page on hotfixes. If the words point to the machine, try `kubectl shrewd refresh NAME`.",
    of_operator::HOST_FAULT =>
        "Give the pod's node more memory, or move other pods away from it: the block is tried again until it runs.",
    of_source::INITIAL_SYNC =>
        "Wait until the Bitcoin node has synced, or name another one first in chain.source.bitcoind.urls.",
    of_operator::IN_PLACE_REFUSED =>
        "Declare the previous module again, or set rollout.strategy to BlueGreen, which builds a new index beside \
         this one.",
    of_module::NOT_WASM =>
        "Declare a core WebAssembly module, not a component and not text, built with the features that the message \
         allows; try it with `shrewd-indexer check FILE`.",
    of_operator::INVALID_SPEC =>
        "Correct every field that the message lists, and apply the manifest again. What runs is left as it is.",
    of_operator::LONG_RUN =>
        "Look at the guest's own lines with `kubectl shrewd logs --guest NAME`. A block has no time limit: if the \
         guest is in an endless loop, declare a corrected module.",
    of_module::MISSING_EXPORT =>
        "Build the module with the exports `_start` and `memory`; try it with `shrewd-indexer check FILE`.",
    of_module::NOT_FOUND =>
        "Create the ConfigMap, with the key that module.configMap names; pods look for it again by themselves.",
    of_operator::MODULE_PATH_NOT_FOR_PODS =>
        "Publish the module in a ConfigMap, on a web server or in a registry, and declare that instead of \
         module.path.",
    of_seed::NO_COPY => "Nothing: no pod has a copy to give, so the first blocks come from the chain.",
    of_source::NODE_BEHIND =>
        "Wait until the Bitcoin node has caught up; if it does not, name another one in chain.source.bitcoind.urls.",
    of_source::NO_INTERFACE =>
        "Start the Bitcoin node with rest=1, or set chain.source.bitcoind.authSecretRef, so that one of its \
         interfaces can be used.",
    of_operator::NONDETERMINISM =>
        "Set memory.refresh to EveryBlock and index again, as the page on hotfixes says: the module carries state from \
         block to block, so what was written since its last refresh may be wrong.",
    of_operator::NO_READY_PODS =>
        "See what the pods wait for with `kubectl shrewd status NAME`. While they catch up, or start, nothing needs \
         doing.",
    of_operator::NO_REPORT => "Wait until a pod has started; it reports within seconds then.",
    of_operator::NO_ROLLOUT => "Nothing: the revision that serves is the declared one.",
    of_operator::NOT_COMPARED => "Nothing: there are fewer than two pods to compare.",
    of_operator::NOT_CONFIGURED => "Nothing: no snapshots are declared.",
    of_snapshots::NOT_SERVING => "Nothing: a revision publishes snapshots once it serves clients.",
    of_operator::NOT_SUSPENDED => "Nothing: spec.suspend is false.",
    of_source::PENDING => "Nothing: it is about to be looked at.",
    of_operator::POD_NOT_RUNNING =>
        "Read Kubernetes' words in the message, and `kubectl describe pod POD`: usually no node has room or the \
         wanted labels, or the image cannot be pulled.",
    of_operator::UNREACHABLE =>
        "See whether the pod runs with `kubectl get pod POD`, and whether a NetworkPolicy lets the operator reach \
         its port 9090.",
    of_source::PRUNED =>
        "Name a Bitcoin node that has all blocks from the next height on. An index without blocks can begin with a \
         snapshot instead (bootstrap.snapshot); one that has some needs a new Indexer for that.",
    of_snapshots::PUBLISHED => "Nothing: the last snapshot that was due is there.",
    of_snapshots::PUBLISH_FAILED => "Correct what the message says; publishing is tried again within ten minutes.",
    of_snapshots::PUBLISHING => "Nothing: the first snapshot is being uploaded.",
    of_operator::QUEUED =>
        "Nothing: other indexes are built again first. To have more at the same time, raise the operator's \
         --max-rollouts.",
    of_operator::QUOTA_EXCEEDED =>
        "Raise the quota of the namespace for storage, or lower storage.size or storage.autoGrow.maxSize.",
    of_operator::RECORD_LOST =>
        "Say what the data is with one of the two commands in the message: that it is what the spec declares, or \
         that it is not wanted. Nothing is changed until then.",
    of_operator::REORG_TOO_DEEP =>
        "Make sure that the node follows the right chain. If it does, raise chain.maxReorgDepth and run `kubectl \
         shrewd refresh NAME`.",
    of_operator::RESIZE_DEFERRED => "Make room on the pod's node, or wait: the pod gets its memory once there is some.",
    of_operator::RESIZE_FAILED => "Correct what Kubernetes says in the message; growing is tried again each minute.",
    of_operator::RESIZE_INFEASIBLE =>
        "Have the pod run on a larger node, by placement.nodeSelector for instance, or lower memory.maxLimit.",
    of_operator::RESIZE_REFUSED =>
        "Read the API server's words in the message: raise the quota or the LimitRange, or give the operator the \
         right to patch pods/resize.",
    of_operator::RESIZING => "Nothing: the volume grows.",
    of_seed::RESTORING => "Nothing: a snapshot is being received; the message says how far it is.",
    of_operator::ROLLING => "Nothing: pods are being created or replaced, one at a time.",
    of_operator::SCALED_TO_ZERO =>
        "Set spec.replicas to 1 or more if it should run: `kubectl scale indexer NAME --replicas 1`.",
    of_seed::SEEDED => "Nothing: the copy is complete.",
    of_operator::SEED_REFUSED =>
        "Declare the module that serves, delete the claims of the candidate once it is gone, then declare the new one \
         with an atHeight that the message allows, or without rollout.seed to build it from chain.startHeight.",
    of_seed::UNREACHABLE =>
        "See whether the pods that have the data run, with `kubectl shrewd status NAME`; they are asked again \
         within 30 seconds. If none has it any more, see the page on disaster recovery.",
    of_operator::SIZE_REFUSED =>
        "Set storage.size back to the size of the volumes, which never shrink. Smaller ones come with a new \
         identity.",
    of_operator::SNAPSHOT_FOLDER_NOT_FOR_PODS =>
        "Give the URL of an object storage, s3://BUCKET/PREFIX, instead of file:///: pods have no local folders.",
    of_seed::SNAPSHOT_REFUSED =>
        "Correct bootstrap.snapshot, url or manifestSha256, so that it names a snapshot of this module, network, \
         start height and memory limit; or remove bootstrap to begin with the chain.",
    of_seed::SNAPSHOT_UNAVAILABLE =>
        "Make sure that the storage in bootstrap.snapshot answers, that its Secret is there, and that the volume \
         has room; it is tried again within 30 seconds.",
    of_operator::SOAKING => "Nothing: clients are moved once the candidate has been healthy for rollout.soak.",
    of_snapshots::STORAGE_DENIED =>
        "Let the credentials of snapshots.authSecretRef list, read, write and delete in the bucket.",
    of_snapshots::STORAGE_UNAVAILABLE =>
        "Make sure that the storage in snapshots.url answers from the cluster; publishing is tried again within ten \
         minutes.",
    of_operator::STORE_FORMAT_REFUSED =>
        "Install the version of the operator that wrote the data. If the format is too old for this version, \
         upgrade by way of a version between the two.",
    of_operator::SUSPENDED => "Nothing if that is meant; else `kubectl shrewd resume NAME`. The data is kept.",
    of_operator::SWITCHING => "Nothing: clients are being moved.",
    of_source::UNAUTHORIZED =>
        "Correct username and password in the Secret of chain.source.bitcoind.authSecretRef; pods read them again \
         by themselves.",
    of_source::UNREACHABLE =>
        "Make sure that the node in chain.source.bitcoind.urls runs and that pods can reach its port; it is asked \
         again within seconds.",
    of_operator::UNRECOGNIZED =>
        "Read the message, which is the pod's own, and upgrade the operator: the pod runs a newer version.",
    of_module::VERIFIED => "Nothing: the module can be used.",
    of_operator::VOLUME_LOW =>
        "Raise storage.size, or declare storage.autoGrow, before the volume is full; indexing waits once it is.",
    of_source::WRONG_NETWORK =>
        "Name a node of chain.network in chain.source.bitcoind.urls. The network of an Indexer cannot change.",
}

/// What a person does about a reason of a condition, in one line; none of a reason of another version.
#[must_use]
pub fn remedy(reason: &str) -> Option<&'static str> {
    let found = REMEDIES.iter().find(|(known, _)| *known == reason);
    found.map(|(_, line)| *line)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The constants of `conditions::reasons`, as they are written there: one that is added is found here.
    fn of_conditions() -> Vec<&'static str> {
        let source = include_str!("conditions.rs");
        let (_, reasons) = source.split_once("pub mod reasons {").unwrap();
        let constants = reasons
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub const "));
        constants
            .map(|line| line.split('"').nth(1).unwrap_or_else(|| panic!("no text in {line}")))
            .collect()
    }

    #[test]
    fn every_reason_has_a_line_and_no_line_is_of_another_reason() {
        let of_operator = of_conditions();
        assert!(of_operator.len() > 50 && of_operator.contains(&of_operator::HALTED));
        let all = [
            &of_operator,
            of_module::ALL,
            of_source::ALL,
            of_seed::ALL,
            of_snapshots::ALL,
        ];
        let reasons: BTreeSet<&str> = all.into_iter().flatten().copied().collect();
        let lines: BTreeSet<&str> = REMEDIES.iter().map(|(reason, _)| *reason).collect();
        assert_eq!(lines, reasons);
    }

    #[test]
    fn lines_are_in_order_and_none_twice() {
        let reasons: Vec<String> = REMEDIES.iter().map(|(reason, _)| reason.to_lowercase()).collect();
        assert!(reasons.is_sorted_by(|a, b| a < b), "{reasons:?}");
    }

    #[test]
    fn a_line_is_a_sentence_that_names_what_to_do() {
        for (reason, line) in REMEDIES {
            assert!(line.ends_with('.') && line.starts_with(char::is_uppercase), "{reason}");
            assert!(line.len() <= 320 && !line.contains("  "), "{reason}: {line}");
        }
        assert_eq!(remedy("OfAnotherVersion"), None);
        assert!(remedy("Halted").is_some_and(|line| line.contains("corrected module")));
    }
}
