//! What a guest flushes: protobuf `KeyValueFlush { repeated bytes list = 1; }`, the list being key, value, key, value.

use std::ops::Range;

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::{
    fault::Fault,
    state::{Builder, WriteSet},
};

/// The most one block may flush, counted as the messages plus [`ENTRY_BYTES`] per key or value. Memory of the host, not
/// of the guest: the largest blocks known flush some 100 MB, and a guest that flushes the same pairs over and over must
/// not take the process with it. What was flushed is held twice until it is committed: as it came, and in order. Fixed,
/// because failing a block is a result.
pub(super) const FLUSHED_BYTES_MAX: u64 = 1 << 30;

/// What one key or value counts besides its bytes, so that empty ones come to an end too. More than the host holds for
/// it; fixed for the same reason.
const ENTRY_BYTES: u64 = 32;

/// Field number of `list`.
const LIST: u32 = 1;

/// First byte of an element of `list`.
const ELEMENT: u8 = 0x0a;

/// A message that begins with this byte is a call of a later ABI (no protobuf message does).
const SYSCALL: u8 = 0x01;

/// The pairs of one block, in the order they were flushed.
#[derive(Debug, Default)]
pub(super) struct Flushed {
    pairs: Builder,
    cost_bytes: u64,
    calls: u64,
}

impl Flushed {
    /// Takes one message, of which one copy is made. A key without value at its end is ignored.
    pub(super) fn add(&mut self, message: &[u8]) -> Result<(), Fault> {
        if message.first() == Some(&SYSCALL) {
            return Err(Fault::guest(
                "the module needs a newer ABI: its flush begins with 0x01, a system call",
            ));
        }
        self.charge(message.len() as u64)?;
        self.calls += 1;
        let base = self.pairs.copy(message);
        let mut at = 0;
        let mut key = None;
        while let Some(entry) = self.next_entry(message, &mut at)? {
            let entry = base + entry.start..base + entry.end;
            match key.take() {
                None => key = Some(entry),
                Some(key) => self.pairs.pair(key, entry),
            }
        }
        Ok(())
    }

    /// The block is over.
    pub(super) fn into_write_set(self) -> Result<WriteSet, Fault> {
        if self.calls == 0 {
            return Err(Fault::guest("_start returned without flushing"));
        }
        Ok(self.pairs.build())
    }

    /// Where the next element of the list lies in the message; fields of other numbers are skipped, as protobuf wants
    /// it.
    fn next_entry(&mut self, message: &[u8], at: &mut usize) -> Result<Option<Range<usize>>, Fault> {
        let malformed = |what: &dyn std::fmt::Display| Fault::guest(format!("flushed no KeyValueFlush: {what}"));
        loop {
            let mut rest = &message[*at..];
            let len = match *rest {
                [] => return Ok(None),
                // Nearly all of a message is such: an element below 128 bytes.
                [ELEMENT, len, ..] if len < 0x80 => {
                    rest = &rest[2..];
                    u64::from(len)
                }
                _ => {
                    let (field, wire_type) = decode_key(&mut rest).map_err(|error| malformed(&error))?;
                    if field != LIST {
                        skip_field(wire_type, field, &mut rest, DecodeContext::default())
                            .map_err(|error| malformed(&error))?;
                        *at = message.len() - rest.len();
                        continue;
                    }
                    if wire_type != WireType::LengthDelimited {
                        return Err(malformed(&"its list is not made of bytes"));
                    }
                    decode_varint(&mut rest).map_err(|error| malformed(&error))?
                }
            };
            let len = usize::try_from(len).ok().filter(|len| *len <= rest.len());
            let Some(len) = len else {
                return Err(malformed(&"an element reaches beyond its end"));
            };
            self.charge(ENTRY_BYTES)?;
            let start = message.len() - rest.len();
            *at = start + len;
            return Ok(Some(start..*at));
        }
    }

    /// What the host holds for it, in bytes.
    pub(super) fn cost_bytes(&self) -> u64 {
        self.cost_bytes
    }

    fn charge(&mut self, bytes: u64) -> Result<(), Fault> {
        self.cost_bytes = self.cost_bytes.saturating_add(bytes);
        if self.cost_bytes > FLUSHED_BYTES_MAX {
            return Err(Fault::guest(format!(
                "flushed more than {FLUSHED_BYTES_MAX} bytes in one block"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

    fn message(entries: &[&[u8]]) -> Vec<u8> {
        let mut message = Vec::new();
        for entry in entries {
            message.push(0x0a);
            prost::encoding::encode_varint(entry.len() as u64, &mut message);
            message.extend_from_slice(entry);
        }
        message
    }

    fn flushed(messages: &[&[u8]]) -> Result<Pairs, Fault> {
        let mut flushed = Flushed::default();
        for message in messages {
            flushed.add(message)?;
        }
        let writes = flushed.into_write_set()?;
        Ok(writes
            .pairs()
            .map(|(key, value)| (key.to_vec(), value.to_vec()))
            .collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Pairs {
        pairs
            .iter()
            .map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn an_odd_tail_is_ignored_in_each_message() {
        let messages = [message(&[b"a", b"1", b"tail"]), message(&[b"b", b"2"])];
        assert_eq!(
            flushed(&[&messages[0], &messages[1]]).unwrap(),
            pairs(&[("a", "1"), ("b", "2")])
        );
    }

    #[test]
    fn the_last_value_of_a_key_wins_across_messages() {
        let messages = [message(&[b"a", b"1", b"a", b"2"]), message(&[b"a", b"3"])];
        assert_eq!(flushed(&[&messages[0], &messages[1]]).unwrap(), pairs(&[("a", "3")]));
    }

    #[test]
    fn empty_keys_and_values_are_pairs_like_others() {
        assert_eq!(
            flushed(&[&message(&[b"", b"v", b"k", b""])]).unwrap(),
            pairs(&[("", "v"), ("k", "")])
        );
    }

    #[test]
    fn an_empty_message_is_a_flush_and_none_is_not() {
        assert_eq!(flushed(&[b""]).unwrap(), vec![]);
        assert_eq!(
            flushed(&[]).unwrap_err(),
            Fault::guest("_start returned without flushing")
        );
    }

    #[test]
    fn unknown_fields_are_skipped() {
        let mut bytes = vec![0x10, 0x07];
        bytes.extend(message(&[b"a", b"1"]));
        bytes.extend([0x1a, 0x02, b'x', b'y']);
        assert_eq!(flushed(&[&bytes]).unwrap(), pairs(&[("a", "1")]));
    }

    #[test]
    fn malformed_messages_are_the_guests_fault() {
        let cases: [(&str, &[u8]); 6] = [
            ("element cut", b"\x0a\x05abc"),
            (
                "length beyond 64 bits",
                b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            ),
            ("length near 2^64", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
            ("wrong wire type", b"\x08\x01"),
            ("field 0", b"\x02\x00"),
            ("syscall", b"\x01\x0a\x00"),
        ];
        for (name, bytes) in cases {
            let fault = flushed(&[bytes]).unwrap_err();
            assert_eq!(fault.class, crds::pod::FaultClass::Guest, "{name}: {fault}");
        }
    }

    #[test]
    fn bound_on_one_block_obeyed() {
        let mut flushed = Flushed {
            cost_bytes: FLUSHED_BYTES_MAX - 2,
            ..Flushed::default()
        };
        flushed.add(b"\x10\x07").unwrap();
    }

    #[test]
    fn bound_on_one_block_violated() {
        let mut flushed = Flushed {
            cost_bytes: FLUSHED_BYTES_MAX - 2,
            ..Flushed::default()
        };
        let fault = flushed.add(b"\x0a\x00").unwrap_err();
        assert_eq!(
            fault.message, "flushed more than 1073741824 bytes in one block",
            "an empty entry costs too"
        );
    }
}
