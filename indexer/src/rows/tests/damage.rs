//! Files that are not what was written: an error, or the same answers.

use std::{fs, os::unix::fs::FileExt as _, panic::catch_unwind};

use tempfile::tempdir;

use super::*;
use crate::rows::{Cursor, Error};

/// A few blocks of both kinds, packed and not; keys of all lengths; versions.
fn some_rows() -> Rows {
    let mut rows = Rows::new();
    for n in 0..12u32 {
        let noise = *blake3::hash(&n.to_be_bytes()).as_bytes();
        rows.insert(row_key(&n.to_be_bytes(), n), noise.to_vec());
        rows.insert(row_key(b"same", n), vec![7; 40]);
        rows.insert(
            row_key(&[&[9; 300][..], &[n.to_le_bytes()[0] % 3]].concat(), n),
            b"long".to_vec(),
        );
    }
    rows.insert(row_key(b"", 3), Vec::new());
    rows
}

/// A row that was found, or none.
type Answer = Result<Option<(Height, Vec<u8>)>, Error>;

/// What a file answers to every question, as far as it answers.
fn answers(path: &Path, memory: &Memory, rows: &Rows) -> Vec<Answer> {
    let segment = match Segment::open(0, path, memory) {
        Ok(segment) => Arc::new(segment),
        Err(error) => return vec![Err(error)],
    };
    let place = Placed::new(segment, whole(0, 0..12));
    let runs = Runs::new([Arc::clone(&place)]);
    let mut space = Space::default();
    let mut answers = Vec::new();
    for key in asked(rows) {
        for at in [0, 5, 20] {
            let found = runs.get(&key, Height(at), &mut space);
            answers.push(found.map(|found| found.map(|(height, value)| (height, value.to_vec()))));
        }
    }
    let mut cursor = Cursor::new(&place, &[]);
    for (key, value) in rows {
        match cursor.next() {
            Err(error) => {
                answers.push(Err(error));
                return answers;
            }
            Ok(has_more) => {
                assert!(has_more, "rows are gone");
                assert_eq!((cursor.key(), cursor.value()), (&key[..], &value[..]));
            }
        }
    }
    assert!(!cursor.next().unwrap(), "there are more rows");
    answers
}

#[test]
fn every_changed_byte_is_an_error_or_changes_no_answer() {
    let dir = tempdir().unwrap();
    let rows = some_rows();
    for codec in [Codec::Lz4, Codec::Zstd] {
        let written = segment(dir.path(), 0, codec, &rows, &Memory::new(0));
        let whole = fs::read(written.path()).unwrap();
        let wanted: Vec<_> = answers(written.path(), &Memory::new(0), &rows)
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let file = fs::File::options().write(true).open(written.path()).unwrap();
        let mut same = Vec::new();
        for (at, byte) in whole.iter().enumerate() {
            for flip in [0x01, 0x80, 0xff] {
                file.write_all_at(&[byte ^ flip], at as u64).unwrap();
                for memory in [Memory::new(0), Memory::new(u64::MAX)] {
                    let found = answers(written.path(), &memory, &rows);
                    if found.iter().all(Result::is_ok) {
                        same.push(at);
                    }
                    for (found, wanted) in found.into_iter().zip(&wanted) {
                        match found {
                            Ok(found) => assert_eq!(found, *wanted, "byte {at}"),
                            Err(Error::Damaged { path, .. }) => assert_eq!(path, written.path()),
                            Err(other) => panic!("byte {at}: {other}"),
                        }
                    }
                }
            }
            file.write_all_at(&[*byte], at as u64).unwrap();
        }
        assert_eq!(same, [0; 0], "bytes that nothing checks");
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    let dir = tempdir().unwrap();
    let rows = some_rows();
    let written = segment(dir.path(), 0, Codec::Lz4, &rows, &Memory::new(0));
    let whole = fs::read(written.path()).unwrap();
    let path = dir.path().join("cut.rows");
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = Segment::open(0, &path, &Memory::new(0)).unwrap_err();
        assert!(
            matches!(error, Error::Damaged { .. } | Error::File { .. }),
            "{length}: {error}"
        );
    }
    // As a file system leaves what never came to the disk.
    let mut hole = whole.clone();
    hole[whole.len() / 3..].fill(0);
    fs::write(&path, hole).unwrap();
    assert!(Segment::open(0, &path, &Memory::new(0)).is_err());
}

#[test]
fn the_end_of_one_file_on_another_is_refused() {
    let dir = tempdir().unwrap();
    let rows = some_rows();
    let fewer: Rows = rows
        .iter()
        .take(20)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let files = [rows, fewer].map(|rows| {
        let written = segment(dir.path(), 0, Codec::Lz4, &rows, &Memory::new(0));
        fs::read(written.path()).unwrap()
    });
    let path = dir.path().join("mixed.rows");
    for end in [64, 200] {
        let [a, b] = &files;
        fs::write(&path, [&a[..a.len() - end], &b[b.len() - end..]].concat()).unwrap();
        let result = catch_unwind(|| Segment::open(0, &path, &Memory::new(0)).map(|_| ()));
        assert!(matches!(result, Ok(Err(Error::Damaged { .. }))), "{result:?}");
    }
}
