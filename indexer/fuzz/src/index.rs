//! An index for clients to ask, whose views do little.

use bitcoin::{BlockHash, hashes::Hash as _};
use bytes::Bytes;
use indexer::{
    chain::{BlockRef, Height},
    fault::Fault,
    guest::{ViewAnswer, ViewError},
    serve::rpc::{Answered, Index, IndexedBlock, ReadAt, Sizes, Terms},
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
        height: Option<Height>,
        input: Bytes,
        _terms: &Terms<'_>,
    ) -> Result<Answered, ViewError> {
        match function {
            "echo" | "malformed" => Ok(Answered {
                answer: ViewAnswer {
                    bytes: input,
                    malformed: function == "malformed",
                },
                at: ReadAt {
                    height: height.unwrap_or(TIP).min(TIP),
                    hash: Some(BlockHash::all_zeros()),
                },
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
        terms: &Terms<'_>,
    ) -> Result<Answered, ViewError> {
        self.view(function, parent, input, terms)
    }

    fn sizes(&self) -> Result<Sizes, Fault> {
        Ok(Sizes::default())
    }
}
