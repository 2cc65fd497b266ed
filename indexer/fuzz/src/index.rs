//! An index for clients to ask, whose views do little.

use bitcoin::{BlockHash, hashes::Hash as _};
use bytes::Bytes;
use indexer::{
    chain::{BlockRef, Height},
    fault::Fault,
    guest::{ViewAnswer, ViewError},
    serve::rpc::{Answered, Index, IndexedBlock, Page, Range, Read, ReadAt, Sizes, Terms, Written},
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
                at: read_at(height),
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

    fn get(&self, key: &[u8], height: Option<Height>, _terms: &Terms<'_>) -> Result<Read<Option<Written>>, ViewError> {
        let found = (!key.is_empty()).then(|| written(Bytes::copy_from_slice(key)));
        let at = read_at(height);
        Ok(Read { found, at })
    }

    fn scan(&self, range: &Range, height: Option<Height>, _terms: &Terms<'_>) -> Result<Read<Page>, ViewError> {
        let entries = vec![written(range.prefix.clone()); range.limit.min(3)];
        let after = range.after.clone();
        let found = Page { entries, after };
        let at = read_at(height);
        Ok(Read { found, at })
    }

    fn sizes(&self) -> Result<Sizes, Fault> {
        Ok(Sizes::default())
    }
}

fn read_at(height: Option<Height>) -> ReadAt {
    ReadAt {
        height: height.unwrap_or(TIP).min(TIP),
        hash: Some(BlockHash::all_zeros()),
    }
}

/// A key that is its own value.
fn written(key: Bytes) -> Written {
    Written {
        value: key.clone(),
        key,
        height: TIP,
    }
}
