//! Undo records: which keys a block wrote. Rows carry their height, so undoing a block is deleting its rows, and no old
//! value has to be read when a block is committed nor kept for when it is undone.
//!
//! A record is the keys in row order, each as `shared ‖ rest ‖ bytes`: how many bytes it has in common with the key
//! before it, how many follow, and those. Neighbours share most of their bytes where guests put a table name first.

use super::schema::{push_length, take_length};
use crate::state::WriteSet;

/// These bytes are no undo record.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// The record of a block that wrote these pairs.
///
/// # Panics
/// If a key has 4 GiB or more.
#[must_use]
pub fn encode(writes: &WriteSet) -> Vec<u8> {
    let mut out = Vec::new();
    let mut before: &[u8] = &[];
    for (key, _) in writes.pairs() {
        let shared = before.iter().zip(key).take_while(|(a, b)| a == b).count();
        push_length(&mut out, shared);
        push_length(&mut out, key.len() - shared);
        out.extend_from_slice(&key[shared..]);
        before = key;
    }
    out
}

/// Shows every key of a record to `visit`, in row order.
///
/// # Errors
/// [`Malformed`], after the keys before the place where it is.
pub fn decode(mut record: &[u8], mut visit: impl FnMut(&[u8])) -> Result<(), Malformed> {
    let mut key = Vec::new();
    while !record.is_empty() {
        let shared = take_length(&mut record)
            .filter(|shared| *shared <= key.len())
            .ok_or(Malformed)?;
        let rest = take_length(&mut record).ok_or(Malformed)?;
        let (bytes, after) = record.split_at_checked(rest).ok_or(Malformed)?;
        key.truncate(shared);
        key.extend_from_slice(bytes);
        visit(&key);
        record = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn decoded(record: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
        let mut keys = Vec::new();
        decode(record, |key| keys.push(key.to_vec())).map(|()| keys)
    }

    fn writes(keys: Vec<Vec<u8>>) -> WriteSet {
        WriteSet::from_flushed(keys.into_iter().map(|key| (key, [])))
    }

    proptest! {
        #[test]
        fn keys_survive(keys in vec(prop_oneof![vec(0u8..3, 0..6), vec(0u8..2, 250..300)], 0..30)) {
            let writes = writes(keys);
            let wanted: Vec<Vec<u8>> = writes.pairs().map(|(key, _)| key.to_vec()).collect();
            prop_assert_eq!(decoded(&encode(&writes)), Ok(wanted));
        }

        #[test]
        fn any_bytes_end_in_keys_or_an_error(record in vec(any::<u8>(), 0..40)) {
            // Lengths that lie must not make it read beyond the record or loop.
            let keys = decoded(&record);
            prop_assert!(keys.is_err() || keys.unwrap().len() <= record.len() / 2);
        }
    }

    #[test]
    fn cut_records_are_told() {
        let record = encode(&writes(vec![b"outpoint/a".to_vec(), b"outpoint/b".to_vec()]));
        assert_eq!(
            record.len(),
            (2 + 10) + (2 + 1),
            "the second key costs only where it differs"
        );
        for end in (1..record.len()).filter(|end| *end != 12) {
            assert_eq!(decoded(&record[..end]), Err(Malformed), "cut at {end}");
        }
    }

    #[test]
    fn more_shared_bytes_than_there_are_is_told() {
        assert_eq!(decoded(&[1, 1, b'x']), Err(Malformed));
    }
}
