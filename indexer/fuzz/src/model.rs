//! The guest `border.wat` and the host it calls, over plain bytes and without a thought for speed.

use bytes::Bytes;
use indexer::{guest::ViewAnswer, state::WriteSet};
use prost::Message;

use crate::stage::{HEIGHT, PAGES_MAX, RESPONSE_BYTES_MAX, Rows};

/// Bytes of a page.
const PAGE: usize = 1 << 16;
/// Codes of steps that there are.
pub const CODES: u8 = 8;
/// Where answers of the store are found.
pub const KEYS: [&[u8]; 3] = [b"", b"k", &[0; 16]];

/// One step of the guest.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What to do; below [`CODES`].
    pub code: u8,
    /// Usually a pointer.
    pub a: u32,
    /// Another one, or a number.
    pub b: u32,
}

/// How a run ended that did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// By the guest's doing.
    Guest,
    /// The same, after it was refused memory.
    Limit,
}

/// `KeyValueFlush` as its author would have a generator write it.
#[derive(Clone, PartialEq, Message)]
pub struct KeyValueFlush {
    /// Key, value, key, value.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub list: Vec<Vec<u8>>,
}

/// The memory that the host sees, and what came of it.
struct Guest<'a> {
    memory: Vec<u8>,
    input: &'a [u8],
    rows: &'a Rows,
    is_view: bool,
    refused: bool,
    flushes: usize,
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Step {
    /// As the guest reads it.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        [&[self.code][..], &self.a.to_le_bytes(), &self.b.to_le_bytes()].concat()
    }
}

/// What every run reads.
#[must_use]
pub fn rows() -> Rows {
    let values = [&b"of the empty key"[..], &[7; 300], b""];
    KEYS.iter()
        .zip(values)
        .map(|(key, value)| (key.to_vec(), Bytes::from_static(value)))
        .collect()
}

/// What a message flushes; none if it is no `KeyValueFlush`.
#[must_use]
pub fn flushed(message: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    if message.first() == Some(&1) {
        return None;
    }
    let list = KeyValueFlush::decode(message).ok()?.list;
    Some(
        list.chunks_exact(2)
            .map(|pair| (pair[0].clone(), pair[1].clone()))
            .collect(),
    )
}

/// What indexing a block of these steps must give.
///
/// # Errors
/// [`Failed`].
pub fn index(steps: &[Step], input: &[u8], rows: &Rows) -> Result<WriteSet, Failed> {
    let mut guest = Guest::new(input, rows, false);
    match guest.run(steps) {
        Some(()) if guest.flushes > 0 => Ok(WriteSet::from_flushed(guest.pairs)),
        _ => Err(guest.failed()),
    }
}

/// What a view of these steps must give; none for an answer that is too long.
///
/// # Errors
/// [`Failed`].
pub fn view(steps: &[Step], input: &[u8], rows: &Rows) -> Result<Option<ViewAnswer>, Failed> {
    let mut guest = Guest::new(input, rows, true);
    guest.run(steps).ok_or_else(|| guest.failed())?;
    let ptr = guest.memory.first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
    Ok(match guest.sized(ptr) {
        None => Some(ViewAnswer {
            bytes: Bytes::new(),
            malformed: true,
        }),
        Some(answer) if answer.len() as u64 > RESPONSE_BYTES_MAX => None,
        Some(answer) => Some(ViewAnswer {
            bytes: answer.to_vec().into(),
            malformed: false,
        }),
    })
}

impl<'a> Guest<'a> {
    fn new(input: &'a [u8], rows: &'a Rows, is_view: bool) -> Self {
        Self {
            memory: vec![0; PAGE],
            input,
            rows,
            is_view,
            refused: false,
            flushes: 0,
            pairs: Vec::new(),
        }
    }

    fn failed(&self) -> Failed {
        if self.refused { Failed::Limit } else { Failed::Guest }
    }

    fn run(&mut self, steps: &[Step]) -> Option<()> {
        steps.iter().try_for_each(|step| self.step(*step))
    }

    /// None: the guest ends here.
    fn step(&mut self, Step { code, a, b }: Step) -> Option<()> {
        match code {
            0 => {
                let len = self.value(a)?.map_or(0, |value| value.len());
                self.write(b, &u32::try_from(len).ok()?.to_le_bytes())
            }
            1 => match self.value(a)? {
                Some(value) => self.write(b, &value),
                None => Some(()),
            },
            2 if self.is_view => Some(()),
            2 => {
                self.flushes += 1;
                let pairs = flushed(self.sized(a)?)?;
                self.pairs.extend(pairs);
                Some(())
            }
            3 => self.sized(a).map(|_| ()),
            4 => None,
            5 => self.write(a, &b.to_le_bytes()),
            6 => self.write(a, &[&HEIGHT.0.to_le_bytes(), self.input].concat()),
            _ => {
                self.grow(a);
                Some(())
            }
        }
    }

    /// The bytes a pointer means.
    fn sized(&self, ptr: u32) -> Option<&[u8]> {
        let (before, data) = self.memory.split_at_checked(ptr as usize)?;
        let len = u32::from_le_bytes(*before.last_chunk()?);
        data.get(..len as usize)
    }

    fn value(&self, key: u32) -> Option<Option<Bytes>> {
        self.sized(key).map(|key| self.rows.get(key).cloned())
    }

    fn write(&mut self, ptr: u32, bytes: &[u8]) -> Option<()> {
        let room = self.memory.get_mut(ptr as usize..)?.get_mut(..bytes.len())?;
        room.copy_from_slice(bytes);
        Some(())
    }

    /// The memory of the steps is one page too.
    fn grow(&mut self, pages: u32) {
        let wanted = self.memory.len() as u64 / PAGE as u64 + u64::from(pages);
        match usize::try_from(wanted) {
            Ok(wanted_pages) if wanted < PAGES_MAX => self.memory.resize(wanted_pages * PAGE, 0),
            // Beyond what 32 bits can address there is nothing to be refused by the limit.
            _ => self.refused |= wanted <= 1 << 16,
        }
    }
}
