//! An index for clients to ask, whose views do little.

use std::time::Instant;

use bitcoin::{BlockHash, hashes::Hash as _};
use bytes::Bytes;
use indexer::{
    chain::{BlockRef, Height},
    fault::Fault,
    guest::{CancelFlag, ViewAnswer, ViewError},
    serve::rpc::{Index, IndexedBlock, Sizes},
    state::Digest,
};

/// Blocks 100 to 103, and three views: one answers with its input, one fails, one answers malformed.
pub struct Double;

const TIP: Height = Height(103);

impl Index for Double {
    fn unavailable(&self) -> Option<String> {
        None
    }

    fn tip(&self) -> Option<BlockRef> {
        Some(BlockRef {
            height: TIP,
            hash: BlockHash::all_zeros(),
        })
    }

    fn block(&self, height: Height) -> Result<Option<IndexedBlock>, Fault> {
        Ok((Height(100)..=TIP).contains(&height).then(|| IndexedBlock {
            hash: BlockHash::all_zeros(),
            digest: Digest([7; 32]),
        }))
    }

    fn has_view(&self, function: &str) -> bool {
        ["echo", "fail", "malformed"].contains(&function)
    }

    fn view(
        &self,
        function: &str,
        _height: Option<Height>,
        input: Bytes,
        _deadline: Instant,
        _cancel: &CancelFlag,
    ) -> Result<ViewAnswer, ViewError> {
        match function {
            "echo" | "malformed" => Ok(ViewAnswer {
                bytes: input,
                malformed: function == "malformed",
            }),
            "fail" => Err(ViewError::Guest("a \"guest\"\n fails".into())),
            other => Err(ViewError::UnknownFunction(other.into())),
        }
    }

    fn preview(
        &self,
        function: &str,
        parent: Option<Height>,
        _block: Bytes,
        input: Bytes,
        deadline: Instant,
        cancel: &CancelFlag,
    ) -> Result<ViewAnswer, ViewError> {
        self.view(function, parent, input, deadline, cancel)
    }

    fn sizes(&self) -> Result<Sizes, Fault> {
        Ok(Sizes::default())
    }
}
