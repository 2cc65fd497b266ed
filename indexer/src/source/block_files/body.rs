//! Reads blocks from where they lie.

use std::{fs::File, io, os::unix::fs::FileExt as _, path::Path};

use crds::Network;

use super::{
    error::Error,
    index::Place,
    scan::{Key, file_path},
};
use crate::chain::{self, Block, BlockRef};

/// Reads bodies one after the other; the file of the last one stays open.
pub(super) struct Reader<'a> {
    folder: &'a Path,
    key: Key,
    network: Network,
    open: Option<(u32, File)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(folder: &'a Path, key: Key, network: Network) -> Self {
        Self {
            folder,
            key,
            network,
            open: None,
        }
    }

    /// The block, checked.
    pub(super) fn read(&mut self, at: BlockRef, place: Place) -> Result<Block, Error> {
        let bytes = self.bytes(place).map_err(|source| {
            let path = file_path(self.folder, place.file);
            if source.kind() == io::ErrorKind::NotFound {
                Error::Gone { path, at }
            } else {
                Error::Read { path, source }
            }
        })?;
        chain::check_block(bytes.into(), at, self.network).map_err(|source| Error::Damaged {
            path: file_path(self.folder, place.file),
            offset: place.offset,
            at,
            source: Box::new(source),
        })
    }

    fn bytes(&mut self, place: Place) -> io::Result<Vec<u8>> {
        let file = match self.open.take() {
            Some((number, file)) if number == place.file => file,
            _ => File::open(file_path(self.folder, place.file))?,
        };
        let mut bytes = vec![0; place.size as usize];
        file.read_exact_at(&mut bytes, place.offset.into())?;
        self.key.unmask(&mut bytes, place.offset.into());
        self.open = Some((place.file, file));
        Ok(bytes)
    }
}
