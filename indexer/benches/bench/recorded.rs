//! What a guest reads while it runs a block: recorded once, then answered from memory, in the same order.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use indexer::{fault::Fault, state::State};

/// The reads of one block, in order. All keys are in one piece of memory and all values in another, so that a replay
/// costs next to nothing and those of some hundred blocks fit: a block of 5,000 reads takes half a megabyte.
#[derive(Clone, Default)]
pub(crate) struct Reads {
    keys: Vec<u8>,
    values: Vec<u8>,
    /// Bytes of each key, and of its value if it had one.
    lengths: Vec<(usize, Option<usize>)>,
}

/// Records what another state answers; `None` is one that holds nothing.
pub(crate) struct Recorder<S> {
    from: Option<S>,
    into: Arc<Mutex<Reads>>,
}

/// Answers as recorded.
pub(crate) struct Replay {
    keys: Vec<u8>,
    /// How far the keys have been used.
    keys_at: usize,
    /// Those not yet used.
    values: Bytes,
    lengths: std::vec::IntoIter<(usize, Option<usize>)>,
}

impl Reads {
    /// A state that answers these reads.
    pub(crate) fn replay(&self) -> Replay {
        Replay {
            keys: self.keys.clone(),
            keys_at: 0,
            values: self.values.clone().into(),
            lengths: self.lengths.clone().into_iter(),
        }
    }

    fn add(&mut self, key: &[u8], value: Option<&Bytes>) {
        self.keys.extend_from_slice(key);
        self.values.extend_from_slice(value.map_or(&[], |value| &value[..]));
        self.lengths.push((key.len(), value.map(Bytes::len)));
    }
}

impl<S> Recorder<S> {
    pub(crate) fn new(from: Option<S>, into: &Arc<Mutex<Reads>>) -> Self {
        Self {
            from,
            into: Arc::clone(into),
        }
    }
}

impl<S: State> State for Recorder<S> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        let value = match &mut self.from {
            Some(from) => from.get(key)?,
            None => None,
        };
        let mut reads = self.into.lock().unwrap_or_else(PoisonError::into_inner);
        reads.add(key, value.as_ref());
        Ok(value)
    }
}

impl State for Replay {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        let (key_len, value_len) = self.lengths.next().expect("no more reads than recorded");
        let recorded = &self.keys[self.keys_at..self.keys_at + key_len];
        self.keys_at += key_len;
        assert!(
            recorded == key,
            "a read of another key than recorded: is the guest deterministic?"
        );
        Ok(value_len.map(|len| self.values.split_to(len)))
    }
}
