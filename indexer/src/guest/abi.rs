//! The layout of data in guest memory. A pointer passed between guest and host is the address of the first data byte;
//! where the guest passes data, the four bytes before it hold its length, little-endian. Pointers are unsigned: all of
//! the 4 GiB can be addressed.

/// Bytes of the length before the data.
const LENGTH_BYTES: usize = 4;

/// A pointer of the guest that its memory does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadPointer {
    /// It points into the first four bytes.
    #[error("pointer {ptr:#x} leaves no room for a length before it")]
    NoLength {
        /// As the guest passed it.
        ptr: u32,
    },
    /// What it points at ends, or begins, beyond the memory.
    #[error("pointer {ptr:#x} to {len} bytes reaches beyond the memory, which ends at {memory_len:#x}")]
    Outside {
        /// As the guest passed it.
        ptr: u32,
        /// Bytes it was to point at.
        len: usize,
        /// Bytes of memory there are.
        memory_len: usize,
    },
}

/// The data at a pointer, as long as the length before it says.
pub(super) fn sized(memory: &[u8], ptr: u32) -> Result<&[u8], BadPointer> {
    let start = ptr as usize;
    let word_at = start.checked_sub(LENGTH_BYTES).ok_or(BadPointer::NoLength { ptr })?;
    let word: [u8; LENGTH_BYTES] =
        memory
            .get(word_at..start)
            .and_then(|word| word.try_into().ok())
            .ok_or(BadPointer::Outside {
                ptr,
                len: 0,
                memory_len: memory.len(),
            })?;
    let len = u32::from_le_bytes(word) as usize;
    // No sum of two u32 overflows a 64-bit usize; checked all the same, so that nothing depends on it.
    start
        .checked_add(len)
        .and_then(|end| memory.get(start..end))
        .ok_or(BadPointer::Outside {
            ptr,
            len,
            memory_len: memory.len(),
        })
}

/// Room for `len` bytes at a pointer.
pub(super) fn target(memory: &mut [u8], ptr: u32, len: usize) -> Result<&mut [u8], BadPointer> {
    let start = ptr as usize;
    let memory_len = memory.len();
    start
        .checked_add(len)
        .and_then(|end| memory.get_mut(start..end))
        .ok_or(BadPointer::Outside { ptr, len, memory_len })
}

/// Text for people out of bytes that should be UTF-8; at most `bytes_max` of them, and it says when some are left out.
pub(super) fn utf8(bytes: &[u8], bytes_max: usize) -> String {
    let shown = &bytes[..bytes.len().min(bytes_max)];
    let mut text = String::from_utf8_lossy(shown).into_owned();
    if shown.len() < bytes.len() {
        text.push_str(&format!("… ({} bytes more)", bytes.len() - shown.len()));
    }
    text
}

/// Text for people out of bytes that should be UTF-16LE; at most `bytes_max` of them.
pub(super) fn utf16(bytes: &[u8], bytes_max: usize) -> String {
    let units = bytes[..bytes.len().min(bytes_max)]
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_as_long_as_the_word_before_it_says() {
        let memory = b"\x02\0\0\0abc";
        assert_eq!(sized(memory, 4), Ok(&b"ab"[..]));
        let empty = [0; 8];
        assert_eq!(sized(&empty, 8), Ok(&[][..]), "empty data may lie at the very end");
    }

    #[test]
    fn pointers_that_memory_does_not_hold_are_named() {
        let outside = |ptr, len| {
            Err(BadPointer::Outside {
                ptr,
                len,
                memory_len: 8,
            })
        };
        let memory = *b"\x05\0\0\0abcd";
        assert_eq!(sized(&memory, 0), Err(BadPointer::NoLength { ptr: 0 }));
        assert_eq!(sized(&memory, 3), Err(BadPointer::NoLength { ptr: 3 }));
        assert_eq!(sized(&memory, 4), outside(4, 5), "one byte too long");
        assert_eq!(sized(&memory, 9), outside(9, 0), "the length word itself is cut");
        assert_eq!(sized(&memory, u32::MAX), outside(u32::MAX, 0));
        assert_eq!(sized(b"\xff\xff\xff\xffabcd", 4), outside(4, u32::MAX as usize));
    }

    #[test]
    fn room_ends_where_memory_ends() {
        let mut memory = [0; 8];
        assert_eq!(target(&mut memory, 4, 4).map(|room| room.len()), Ok(4));
        assert_eq!(target(&mut memory, 8, 0).map(|room| room.len()), Ok(0));
        let outside = Err(BadPointer::Outside {
            ptr: 5,
            len: 4,
            memory_len: 8,
        });
        assert_eq!(target(&mut memory, 5, 4), outside);
    }

    #[test]
    fn text_is_readable_whatever_the_bytes() {
        assert_eq!(utf8(b"ok \xff!", 100), "ok \u{fffd}!");
        assert_eq!(utf8(b"abcdef", 4), "abcd… (2 bytes more)");
        let bytes: Vec<u8> = "héllo €".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(utf16(&bytes, 100), "héllo €");
        assert_eq!(
            utf16(&[0x00, 0xd8, b'a', 0, b'!'], 100),
            "\u{fffd}a",
            "a lone surrogate and half a unit"
        );
    }
}
