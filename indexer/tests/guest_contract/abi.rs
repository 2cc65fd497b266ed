//! Contract, sections 2 and 3: buffers and host functions, one test at least per row.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use crds::pod::FaultClass;
use indexer::{
    fault::Fault,
    guest::{Indexing, Module},
    state::State,
};

use crate::stage::{self, Broken, MIB, Rows};

/// Runs `_start` of a module with one page of memory and gives the pairs it flushed.
fn flushed(body: &str, block: &[u8], state: Rows) -> Vec<(Vec<u8>, Vec<u8>)> {
    let writes = stage::run_once(&stage::module(body), block, state).unwrap();
    writes
        .pairs()
        .map(|(key, value)| (key.to_vec(), value.to_vec()))
        .collect()
}

fn fault(body: &str) -> Fault {
    stage::run_once(&stage::module(body), b"block", Rows::default()).unwrap_err()
}

fn pair(key: &str, value: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (key.as_bytes().to_vec(), value.to_vec())
}

#[test]
fn input_is_the_height_and_the_block_and_host_len_counts_both() {
    // Stores host_len under "l" and the input under "i".
    let body = r#"
        (data (i32.const 0x100) "\00\00\00\00" "\0a\01l" "\0a\04....")
        (data (i32.const 0x10e) "\0a\01i" "\0a\0c")
        (func (export "_start")
          (i32.store (i32.const 0x109) (call $host_len))
          (i32.store (i32.const 0x100) (i32.const 9))
          (call $flush (i32.const 0x104))
          (call $load_input (i32.const 0x113))
          (i32.store (i32.const 0x10a) (i32.const 17))
          (call $flush (i32.const 0x10e)))"#;
    let pairs = flushed(body, b"8 bytes.", Rows::default());
    assert_eq!(
        pairs,
        [pair("i", b"\x07\0\0\08 bytes."), pair("l", &12_u32.to_le_bytes())]
    );
}

/// Reads "k" into a buffer full of "z" and stores length and buffer.
const READ_K: &str = r#"
    (data (i32.const 0x100) "\01\00\00\00k")
    (data (i32.const 0x200) "\12\00\00\00" "\0a\03len" "\0a\04...." "\0a\01v" "\0a\02zz")
    (func $read_k
      (i32.store (i32.const 0x20b) (call $get_len (i32.const 0x104)))
      (call $get (i32.const 0x104) (i32.const 0x214))
      (call $flush (i32.const 0x204)))"#;

#[test]
fn a_value_is_read_with_its_length_and_an_absent_one_leaves_the_buffer_alone() {
    let body = format!(r#"{READ_K} (func (export "_start") (call $read_k))"#);
    let read = |state| flushed(&body, b"", state);
    let len = |len: u32| pair("len", &len.to_le_bytes());
    assert_eq!(read(Rows::of(&[("k", b"ab")])), [pair("v", b"ab"), len(2)]);
    assert_eq!(read(Rows::default()), [pair("v", b"zz"), len(0)]);
    assert_eq!(
        read(Rows::of(&[("k", b"")])),
        [pair("v", b"zz"), len(0)],
        "empty and absent look the same"
    );
}

#[test]
fn writes_of_the_same_block_are_not_read() {
    let body = format!(
        r#"{READ_K}
        (data (i32.const 0x300) "\07\00\00\00" "\0a\01k" "\0a\02!!")
        (func (export "_start")
          (call $flush (i32.const 0x304))
          (call $read_k))"#
    );
    let pairs = flushed(&body, b"", Rows::of(&[("k", b"ab")]));
    assert_eq!(
        pairs,
        [pair("k", b"!!"), pair("v", b"ab"), pair("len", &2_u32.to_le_bytes())]
    );
}

#[test]
fn another_key_is_another_read() {
    // The host remembers the last read; it must not answer for another key of the same place and length.
    let body = format!(
        r#"{READ_K} (func (export "_start")
             (drop (call $get_len (i32.const 0x104)))
             (i32.store8 (i32.const 0x104) (i32.const 0x6a))
             (call $read_k))"#
    );
    let pairs = flushed(&body, b"", Rows::of(&[("k", b"ab"), ("j", b"cd")]));
    assert_eq!(pairs, [pair("v", b"cd"), pair("len", &2_u32.to_le_bytes())]);
}

/// An index that counts how often it is read.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl State for Counting {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        assert!(key.len() < 1 << 20, "a key of {} bytes reaches the index", key.len());
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(None)
    }
}

/// Reads of the index when a guest wants the length and then the value of a key of so many bytes.
fn reads(module: &Module, key_bytes: u32) -> usize {
    let counting = Counting::default();
    stage::run_once(module, &key_bytes.to_le_bytes(), counting.clone()).unwrap();
    counting.0.load(Ordering::SeqCst)
}

#[test]
fn long_keys_are_looked_up_and_not_copied() {
    let text = stage::with_imports(
        r#"(memory (export "memory") 65536)
        (func (export "_start")
          (call $load_input (i32.const 0x1000))
          (drop (call $get_len (i32.const 0x1008)))
          (call $get (i32.const 0x1008) (i32.const 0x10))
          (call $flush (i32.const 4)))"#,
    );
    let module = stage::load(&stage::engine_with_limit(4096 * MIB), &text).unwrap();
    assert_eq!(reads(&module, 0), 1, "one read serves both");
    assert_eq!(reads(&module, 1024), 1);
    assert_eq!(reads(&module, 1025), 2, "it is not remembered");
    assert_eq!(reads(&module, 0x4000_0001), 0, "no flush could have written it");
}

/// Contract §8.15.
#[test]
fn several_flushes_add_up_an_odd_tail_is_ignored_and_the_last_value_wins() {
    let body = r#"
        (data (i32.const 0x100) "\0f\00\00\00" "\0a\01a\0a\011" "\0a\01b\0a\011" "\0a\01t")
        (data (i32.const 0x200) "\06\00\00\00" "\0a\01a\0a\012")
        (func (export "_start") (call $flush (i32.const 0x104)) (call $flush (i32.const 0x204)))"#;
    assert_eq!(flushed(body, b"", Rows::default()), [pair("a", b"2"), pair("b", b"1")]);
}

/// Contract §8.15.
#[test]
fn an_empty_flush_completes_a_block() {
    assert_eq!(
        flushed(
            r#"(func (export "_start") (call $flush (i32.const 4)))"#,
            b"",
            Rows::default()
        ),
        []
    );
}

#[test]
fn no_flush_fails_a_block() {
    assert_eq!(
        fault(r#"(func (export "_start"))"#),
        Fault::guest("_start returned without flushing")
    );
}

/// Contract §8.15.
#[test]
fn empty_keys_and_values_are_stored() {
    let body = r#"
        (data (i32.const 0x100) "\0a\00\00\00" "\0a\00\0a\01v" "\0a\01k\0a\00")
        (func (export "_start") (call $flush (i32.const 0x104)))"#;
    assert_eq!(flushed(body, b"", Rows::default()), [pair("", b"v"), pair("k", b"")]);
}

#[test]
fn abort_says_message_file_and_place() {
    let body = r#"
        (data (i32.const 0x100) "\0c\00\00\00" "n\00o\00 \00\ac \f6\00\3d\d8")
        (data (i32.const 0x200) "\06\00\00\00" "a\00.\00t\00")
        (func (export "_start") (call $abort (i32.const 0x104) (i32.const 0x204) (i32.const 12) (i32.const 3)))"#;
    assert_eq!(fault(body), Fault::guest("abort: no €ö\u{fffd} (a.t:12:3)"));
    let null = r#"(func (export "_start") (call $abort (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0)))"#;
    assert_eq!(fault(null), Fault::guest("abort: no message (unknown file:0:0)"));
}

/// Contract §8.15.
#[test]
fn a_log_that_is_no_text_is_no_failure_and_the_last_line_explains_a_trap() {
    let body = r#"
        (data (i32.const 0x100) "\0c\00\00\00" "panicked: \ff\0a")
        (func $_start (export "_start") (call $log (i32.const 0x104)) unreachable)"#;
    let fault = fault(body);
    assert_eq!(fault.class, FaultClass::Guest);
    assert!(fault.message.contains("unreachable"), "{fault}");
    assert!(
        fault
            .message
            .ends_with("; last log lines: panicked: \u{fffd}; in _start"),
        "{fault}"
    );
}

#[test]
fn a_million_log_lines_do_no_harm() {
    let body = r#"
        (data (i32.const 0x100) "\04\00\00\00line")
        (func (export "_start") (local $i i32)
          (loop $more
            (call $log (i32.const 0x104))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 1000000))))
          (call $flush (i32.const 4)))"#;
    assert_eq!(flushed(body, b"", Rows::default()), []);
}

/// Contract §8.15.
#[test]
fn bad_pointers_are_the_guests_fault_in_every_host_function() {
    // One page: 0x10000 is the first address beyond. At 0x100 stands a length that reaches beyond.
    let data = r#"(data (i32.const 0x100) "\ff\ff\ff\ff") (data (i32.const 0x200) "\01\00\00\00k")"#;
    let cases = [
        (
            "(call $load_input (i32.const 0xfff8))",
            "__load_input: pointer 0xfff8 to 9 bytes",
        ),
        (
            "(call $load_input (i32.const -1))",
            "__load_input: pointer 0xffffffff to 9 bytes",
        ),
        (
            "(drop (call $get_len (i32.const 3)))",
            "__get_len: pointer 0x3 leaves no room",
        ),
        (
            "(drop (call $get_len (i32.const 0x104)))",
            "__get_len: pointer 0x104 to 4294967295 bytes",
        ),
        (
            "(call $get (i32.const 0x80000000) (i32.const 0))",
            "__get: pointer 0x80000000",
        ),
        (
            "(call $get (i32.const 0x204) (i32.const 0xffff))",
            "__get: pointer 0xffff to 2 bytes",
        ),
        ("(call $flush (i32.const 0x10001))", "__flush: pointer 0x10001"),
        (
            "(call $flush (i32.const 0x104))",
            "__flush: pointer 0x104 to 4294967295 bytes",
        ),
        ("(call $log (i32.const 0))", "__log: pointer 0x0 leaves no room"),
        ("(call $log (i32.const 0xfffffffc))", "__log: pointer 0xfffffffc"),
    ];
    for (call, words) in cases {
        let module = stage::module(&format!(r#"{data} (func (export "_start") {call})"#));
        let fault = stage::run_once(&module, b"block", Rows::of(&[("k", b"ab")])).unwrap_err();
        assert_eq!(fault.class, FaultClass::Guest, "{call}: {fault}");
        assert!(fault.message.starts_with(words), "{call}: {fault}");
    }
}

/// Contract §8.15.
#[test]
fn all_of_four_gibibytes_can_be_addressed() {
    // The key stands at 3 GiB, the value goes to the very end, the flush is read from there.
    let text = stage::with_imports(
        r#"(memory (export "memory") 65536)
        (func (export "_start")
          (i32.store (i32.const 0xbffffffc) (i32.const 1))
          (i32.store8 (i32.const 0xc0000000) (i32.const 0x6b))
          ;; Length 7: 0a 01 6b 0a 02 and the value's two bytes.
          (i32.store (i32.const 0xfffffff5) (i32.const 7))
          (i32.store (i32.const 0xfffffff9) (i32.const 0x0a6b010a))
          (i32.store8 (i32.const 0xfffffffd) (i32.const 2))
          (call $get (i32.const 0xc0000000) (i32.const 0xfffffffe))
          (call $flush (i32.const 0xfffffff9)))"#,
    );
    let module = stage::load(&stage::engine_with_limit(4096 * MIB), &text).unwrap();
    let writes = stage::run_once(&module, b"", Rows::of(&[("k", b"ab")])).unwrap();
    assert_eq!(stage::pairs(&writes), [(&b"k"[..], &b"ab"[..])]);
    let too_long = stage::run_once(&module, b"", Rows::of(&[("k", b"abc")])).unwrap_err();
    assert!(too_long.message.contains("0xfffffffe to 3 bytes"), "{too_long}");
}

#[test]
fn a_store_that_cannot_be_read_fails_the_block_and_is_never_absence() {
    for call in [
        "(drop (call $get_len (i32.const 4)))",
        "(call $get (i32.const 4) (i32.const 8))",
    ] {
        let module = stage::module(&format!(
            r#"(func (export "_start") {call} (call $flush (i32.const 4)))"#
        ));
        assert_eq!(
            stage::run_once(&module, b"", Broken).unwrap_err(),
            Fault::host("disk on fire"),
            "{call}"
        );
    }
}

/// Flushes what the block says: `message length u32 LE ++ message`. 64 MiB of memory.
fn echo() -> Module {
    let text = stage::with_imports(
        r#"(memory (export "memory") 1024)
        (func (export "_start") (call $load_input (i32.const 0)) (call $flush (i32.const 8)))"#,
    );
    stage::load(&stage::engine_with_limit(64 * MIB), &text).unwrap()
}

fn message(entries: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut list = Vec::new();
    for entry in entries {
        list.push(0x0a);
        prost::encoding::encode_varint(entry.len() as u64, &mut list);
        list.extend(entry);
    }
    let len = u32::try_from(list.len()).unwrap();
    [&len.to_le_bytes()[..], &list].concat()
}

/// Contract §8.15.
#[test]
fn values_of_sixteen_megabytes_are_stored() {
    let value = vec![7; 16_000_000];
    let block = message([b"k".to_vec(), value.clone()].into_iter());
    let writes = stage::run_once(&echo(), &block, Rows::default()).unwrap();
    assert_eq!(stage::value(&writes, b"k"), &value);
}

/// Contract §8.15.
#[test]
fn a_million_pairs_can_be_flushed_at_once() {
    let block = message((0..2_000_000_u32).map(|i| i.to_be_bytes().to_vec()));
    let mut indexing = Indexing::new(echo());
    let writes = stage::run_at(&mut indexing, 7, &block, Rows::default()).unwrap();
    assert_eq!(writes.pairs().len(), 1_000_000);
    assert_eq!(
        stage::value(&writes, &1_999_998_u32.to_be_bytes()),
        &1_999_999_u32.to_be_bytes()[..]
    );
}
