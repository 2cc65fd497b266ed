//! Writes a file to the disk while more of it comes: else the disk would rest until the file is whole, and the network
//! while all of it is written.

use std::{fs::File, io, sync::Arc};

use futures::FutureExt as _;
use tokio::task::JoinHandle;

/// As much as a disk writes in a fraction of a second.
const EVERY_BYTES: u64 = 32 << 20;

/// A file that is being received.
pub(crate) struct Flushing {
    file: Arc<File>,
    /// The bytes of it that were there when the disk was last asked to write them.
    asked: u64,
    /// At most one: what comes meanwhile waits in the page cache, which the system bounds.
    under_way: Option<JoinHandle<io::Result<()>>>,
}

impl Flushing {
    pub(crate) fn new(file: File) -> Self {
        Self {
            file: Arc::new(file),
            asked: 0,
            under_way: None,
        }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// There are so many bytes now.
    ///
    /// # Errors
    /// Of what was written to the disk before.
    pub(crate) fn has(&mut self, bytes: u64) -> io::Result<()> {
        if bytes < self.asked + EVERY_BYTES || self.under_way.as_ref().is_some_and(|task| !task.is_finished()) {
            return Ok(());
        }
        if let Some(ended) = self.under_way.take().and_then(JoinHandle::now_or_never) {
            ended??;
        }
        self.asked = bytes;
        let file = Arc::clone(&self.file);
        self.under_way = Some(tokio::task::spawn_blocking(move || file.sync_data()));
        Ok(())
    }

    /// The file is whole, and on the disk when this returns.
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        if let Some(task) = self.under_way.take() {
            task.await??;
        }
        tokio::task::spawn_blocking(move || self.file.sync_all()).await?
    }
}
