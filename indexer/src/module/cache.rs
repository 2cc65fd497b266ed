//! Modules that were fetched, on the volume: `modules/SHA256.wasm`.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::bound::MODULE_BYTES_MAX;

pub(super) struct Cache {
    folder: PathBuf,
    file: PathBuf,
}

impl Cache {
    pub(super) fn new(data_dir: &Path, sha256: &str) -> Self {
        let folder = data_dir.join("modules");
        let file = folder.join(format!("{sha256}.wasm"));
        Self { folder, file }
    }

    /// What was kept, unchecked; none if there is nothing that can be used.
    pub(super) fn read(&self) -> Option<Vec<u8>> {
        let fits = fs::metadata(&self.file).ok()?.len() <= MODULE_BYTES_MAX as u64;
        fits.then(|| fs::read(&self.file).ok())?
    }

    /// Keeps bytes: after a crash there are all of them, or what was there before.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        // One process has the volume, so there is no other writer.
        let unfinished = self.file.with_extension("part");
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.file)?;
        File::open(&self.folder)?.sync_all()
    }
}
