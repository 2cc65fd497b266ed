//! Unsigned numbers in as few bytes as they need: seven bits in each, the lowest first, the highest bit set in all but
//! the last.

/// Appends a number.
pub(super) fn push(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        #[allow(clippy::cast_possible_truncation)] // The low seven bits and the mark.
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    #[allow(clippy::cast_possible_truncation)] // Below 0x80.
    out.push(number as u8);
}

/// Takes a number off the front; none if the bytes end too early or the number has more than 64 bits.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    if *first < 0x80 {
        *bytes = rest;
        return Some(u64::from(*first));
    }
    let mut number = u64::from(*first & 0x7f);
    for (at, byte) in (1..).zip(rest) {
        let bits = u64::from(*byte & 0x7f);
        let shifted = bits.checked_shl(7 * at).filter(|shifted| shifted >> (7 * at) == bits)?;
        number |= shifted;
        if *byte < 0x80 {
            *bytes = &rest[at as usize..];
            return Some(number);
        }
    }
    None
}

/// As [`take`], for a length of bytes in memory.
pub(super) fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(take(bytes)?).ok()
}
