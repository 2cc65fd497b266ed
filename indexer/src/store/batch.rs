//! The only ways in which an open store changes: a batch alone, or a batch and a file beside the database.

use rocksdb::WriteBatch;

use super::{
    error::Error,
    handle::{Store, Writing},
    ingest,
    rocks::Durability,
    schema::META,
};
use crate::fault::point;

impl Store {
    /// Writes a batch that needs no file.
    ///
    /// Names of files repeat: the same blocks, indexed again and undone again, have the same. So every batch withdraws
    /// the last announcement, or a file that a dying process had only just written could be taken for an announced one.
    ///
    /// # Errors
    /// [`Error::Write`]; [`Error::HalfDone`].
    pub(super) fn write(
        &self,
        mut batch: WriteBatch,
        writing: &Writing,
        durability: Durability,
        what: &'static str,
    ) -> Result<(), Error> {
        // A file that is announced and not taken over must stay announced.
        writing.check()?;
        let database = &*self.inner.database;
        ingest::withdraw(database, &mut batch);
        database.write(batch, durability, what)
    }

    /// Writes a batch and lets the database take a file over, in one step.
    ///
    /// # Errors
    /// [`Error::Write`]. What was announced is completed when the store is opened again.
    pub(super) fn write_with(
        &self,
        mut batch: WriteBatch,
        file: &str,
        writing: &mut Writing,
        what: &'static str,
    ) -> Result<(), Error> {
        writing.check()?;
        let database = &*self.inner.database;
        point::reach("file written");
        ingest::announce(database, &mut batch, file);
        database.write(batch, Durability::EachBlock, what)?;
        point::reach("file announced");
        // The file stays whatever becomes of the log. With the tip in a table, too, a log that lost the block rows
        // shows when the store is opened; else rows of lost blocks would be left among those of the blocks that come
        // instead.
        writing.half_done = true;
        database.put_in_table(META, "the tip")?;
        ingest::take_over(database, file)?;
        writing.half_done = false;
        point::reach("file taken over");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        env,
        os::unix::process::ExitStatusExt as _,
        path::Path,
        process::{Command, Stdio},
    };

    use bitcoin::{BlockHash, hashes::Hash as _};
    use crds::{Identity, Network};

    use super::*;
    use crate::{
        chain::{BlockRef, Height},
        fault::point::DIE_AT,
        state::WriteSet,
    };

    /// Set for the process that dies: the folder of its store.
    const VICTIM_DIR: &str = "SHREWD_UNDO_VICTIM_DIR";
    /// The last block, the last one that is never undone, and SIGABRT.
    const TIP: Height = Height(5);
    const KEPT: Height = Height(2);
    const SIGABRT: i32 = 6;

    fn open(folder: &Path) -> Store {
        let identity = Identity {
            module_sha256: "ab".repeat(32),
            network: Network::Regtest,
            start_height: 0,
            memory_limit_bytes: 1,
        };
        Store::open(folder, &identity, 100).unwrap()
    }

    /// Commits the blocks up to the tip, one by one, as they are near the tip of the chain: without a file.
    fn index(store: &Store) {
        let next = store.tip().map_or(0, |tip| tip.at.height.next().0);
        for height in (next..=TIP.0).map(Height) {
            let writes = WriteSet::from_flushed([
                ("same", height.to_string()),
                (["a", "b"][height.0 as usize % 2], "own".into()),
            ]);
            let hash = BlockHash::all_zeros();
            let digest = store.chained_onto().next(height, hash, writes.hash());
            store
                .commit(BlockRef { height, hash }, &writes, digest, Durability::EachBlock)
                .unwrap();
        }
    }

    /// Undoes blocks by a file, indexes them again, and dies while it undoes them again.
    #[test]
    #[ignore = "started by the test below, as the process that dies"]
    fn victim() {
        let folder = env::var_os(VICTIM_DIR).expect("only as a child of the test below");
        let store = open(Path::new(&folder));
        index(&store);
        store.unwind(Some(KEPT)).unwrap();
        index(&store);
        store.unwind(Some(KEPT)).unwrap();
    }

    #[test]
    fn a_file_that_was_not_announced_is_removed_though_one_of_its_name_was() {
        // In each of the two steps: before the first one is announced, and before the second one is, whose name
        // repeats.
        for times in [1, 2] {
            let folder = tempfile::tempdir().unwrap();
            let died = Command::new(env::current_exe().unwrap())
                .args(["store::batch::tests::victim", "--exact", "--ignored"])
                .env(VICTIM_DIR, folder.path())
                .env(DIE_AT, format!("file written#{times}"))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            assert_eq!(died.signal(), Some(SIGABRT), "{died}");
            let store = open(folder.path());
            assert_eq!(store.tip().map(|tip| tip.at.height), Some(TIP), "nothing was undone");
            store.verify(|_| ()).unwrap();
        }
    }

    #[test]
    fn nothing_is_written_while_a_file_is_announced_and_not_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        index(&store);
        store.inner.writing.lock().unwrap().half_done = true;
        let other = Identity {
            module_sha256: "cd".repeat(32),
            ..store.lineage().root().clone()
        };
        assert!(matches!(store.hand_over(&other), Err(Error::HalfDone)));
        assert!(matches!(store.unwind(None), Err(Error::HalfDone)));
        assert!(matches!(
            store.copy_to(&folder.path().join("copy")),
            Err(Error::HalfDone)
        ));
    }
}
