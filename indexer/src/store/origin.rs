//! What the database says of the modules that built it: read, written, and changed when another module takes over.

use std::sync::Arc;

use crds::Identity;
use rocksdb::WriteBatch;

use super::{
    error::Error,
    handle::Store,
    lineage::{Lineage, Step},
    rocks::{Database, Durability},
    schema::{IDENTITY, LINEAGE, META},
};
use crate::{chain::Height, fault::point, state::Digest};

impl Store {
    /// The modules that built what is stored. No I/O.
    #[must_use]
    pub fn lineage(&self) -> Arc<Lineage> {
        self.head().lineage
    }

    /// What the digest of the next block is over. No I/O.
    #[must_use]
    pub fn chained_onto(&self) -> Digest {
        let head = self.head();
        match head.tip() {
            None => Digest::seed(head.lineage.root().hash()),
            Some(tip) => head.lineage.chained(tip.digest, tip.at.height.next()),
        }
    }

    /// Lets another module go on from the next block on.
    ///
    /// # Errors
    /// [`Error::Write`]. It does not go on then.
    pub fn hand_over(&self, to: &Identity) -> Result<(), Error> {
        let head = self.head();
        let next = head.tip.map_or(self.inner.start, Height::next);
        self.set_lineage(head.lineage.appended(next, to))
    }

    /// Puts a lineage in the place of the one there is.
    pub(super) fn set_lineage(&self, lineage: Lineage) -> Result<(), Error> {
        let _writing = self.inner.writing();
        let head = self.head();
        if *head.lineage == lineage {
            return Ok(());
        }
        let database = &*self.inner.database;
        let mut batch = WriteBatch::default();
        put(database, &mut batch, &head.lineage, &lineage);
        point::reach("before the lineage");
        // On disk before the first block of the module is: what it writes must never be taken for another one's.
        database.write(batch, Durability::EachBlock, "which module continues")?;
        point::reach("lineage written");
        let runs = Arc::clone(head.runs());
        self.inner.publish(head.tip.zip(head.row), Arc::new(lineage), runs);
        Ok(())
    }
}

/// The lineage of a database; none of one that is new.
pub(super) fn read(database: &Database) -> Result<Option<Lineage>, Error> {
    let damaged = |what: &str, error: &dyn std::fmt::Display| Error::Damaged {
        what: format!("the {what} cannot be read: {error}"),
    };
    let Some(root) = database.get(META, IDENTITY, "the identity")? else {
        return Ok(None);
    };
    let root = serde_json::from_slice(&root).map_err(|error| damaged("identity", &error))?;
    let later: Vec<Step> = match database.get(META, LINEAGE, "the lineage")? {
        Some(later) => serde_json::from_slice(&later).map_err(|error| damaged("lineage", &error))?,
        None => Vec::new(),
    };
    let lineage = Lineage::of(root, later).map_err(|error| damaged("lineage", &error))?;
    Ok(Some(lineage))
}

/// Writes the first module of a database without blocks.
pub(super) fn begin(database: &Database, lineage: &Lineage) -> Result<(), Error> {
    let mut batch = WriteBatch::default();
    batch.put_cf(database.family(META), IDENTITY, json(lineage.root()));
    batch.delete_cf(database.family(META), LINEAGE);
    database.write(batch, Durability::EachBlock, "the identity")
}

/// Adds to a batch what differs between two lineages.
pub(super) fn put(database: &Database, batch: &mut WriteBatch, before: &Lineage, after: &Lineage) {
    let meta = database.family(META);
    if before.root() != after.root() {
        batch.put_cf(meta, IDENTITY, json(after.root()));
    }
    if before.later() != after.later() {
        if after.later().is_empty() {
            batch.delete_cf(meta, LINEAGE);
        } else {
            batch.put_cf(meta, LINEAGE, json(&after.later()));
        }
    }
}

#[allow(clippy::expect_used)]
fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings and numbers can be written as JSON")
}
