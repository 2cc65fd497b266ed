//! Which module may continue the data of which, as a table.

use crds::Network;

use super::*;

const START: u32 = 5;

fn module(name: char) -> Identity {
    Identity {
        module_sha256: name.to_string().repeat(64),
        network: Network::Regtest,
        start_height: START,
        memory_limit_bytes: 1 << 30,
    }
}

/// `a`, or `a b101 c110`: modules, and where they took over.
fn lineage(text: &str) -> Lineage {
    let mut words = text.split(' ');
    let root = module(words.next().unwrap().chars().next().unwrap());
    let later = words.map(|word| Step {
        from_height: Height(word[1..].parse().unwrap()),
        identity: module(word.chars().next().unwrap()),
    });
    Lineage::of(root, later.collect()).unwrap()
}

fn in_words(lineage: &Lineage) -> String {
    let first = |identity: &Identity| identity.module_sha256[..1].to_owned();
    let later = lineage
        .later
        .iter()
        .map(|step| format!(" {}{}", first(&step.identity), step.from_height));
    first(&lineage.root) + &later.collect::<String>()
}

fn planned(found: &str, tip: u32, oldest: u32, wanted: char, terms: Terms) -> String {
    let tip = (tip > 0).then_some(Height(tip));
    let oldest = (oldest > 0).then_some(Height(oldest));
    match lineage(found).plan(tip, oldest, &module(wanted), terms) {
        Ok(Plan { undone_from, lineage }) => match undone_from {
            Some(from) => format!("undo from {from}, {}", in_words(&lineage)),
            None => in_words(&lineage),
        },
        Err(refusal) => format!("{refusal:?}").split([' ', '{']).next().unwrap().to_owned(),
    }
}

#[test]
fn who_may_go_on_with_a_store_and_what_must_be_undone_for_it() {
    let strict = Terms::default();
    let in_place = Terms {
        in_place: true,
        at: None,
    };
    let at = |height| Terms {
        in_place: true,
        at: Some(Height(height)),
    };
    // Found, tip (0: empty), oldest block that can be undone, wanted, on which terms: what follows.
    let cases = [
        ("a", 0, 0, 'a', strict, "a"),
        ("a", 0, 0, 'b', strict, "b"),
        ("a", 0, 0, 'b', in_place, "b"),
        ("a", 0, 0, 'b', at(5), "b"),
        ("a", 0, 0, 'b', at(6), "Empty"),
        ("b", 0, 0, 'b', at(101), "Empty"),
        ("a", 100, 50, 'a', strict, "a"),
        ("a", 100, 50, 'a', at(90), "a"),
        ("a", 100, 50, 'b', strict, "NotInPlace"),
        ("a", 100, 50, 'b', in_place, "a b101"),
        ("a", 100, 50, 'b', at(101), "a b101"),
        ("a", 100, 50, 'b', at(102), "Short"),
        ("a", 104, 50, 'b', at(101), "undo from 101, a b101"),
        ("a", 104, 101, 'b', at(101), "undo from 101, a b101"),
        ("a", 104, 102, 'b', at(101), "TooDeep"),
        ("a", 104, 0, 'b', at(101), "TooDeep"),
        ("a", 8, 5, 'b', at(5), "undo from 5, b"),
        // The newest module, whatever the terms: a store that was continued, or filled with another's data.
        ("a b101", 110, 50, 'b', strict, "a b101"),
        ("a b101", 100, 50, 'b', strict, "a b101"),
        ("a b101", 110, 50, 'b', at(120), "a b101"),
        // A former one takes its blocks back.
        ("a b101", 110, 50, 'a', in_place, "undo from 101, a"),
        ("a b101", 110, 101, 'a', at(120), "undo from 101, a"),
        ("a b101", 110, 102, 'a', in_place, "TooDeep"),
        ("a b101", 110, 50, 'a', strict, "NotInPlace"),
        ("a b101 c105", 110, 50, 'b', in_place, "undo from 105, a b101"),
        ("a b101 c105", 110, 50, 'a', in_place, "undo from 101, a"),
        ("a b101 a105 c108", 110, 50, 'a', in_place, "undo from 108, a b101 a105"),
        // A third one.
        ("a b101", 110, 50, 'c', in_place, "a b101 c111"),
        ("a b101", 110, 50, 'c', at(105), "undo from 105, a b101 c105"),
        ("a b101", 110, 50, 'c', at(101), "undo from 101, a c101"),
        ("a b101", 110, 50, 'c', at(90), "undo from 90, a c90"),
        // One of which there is no block yet gives way.
        ("a b101", 100, 50, 'a', strict, "a"),
        ("a b101", 100, 50, 'c', in_place, "a c101"),
        ("a b101 c111", 110, 50, 'b', strict, "a b101"),
    ];
    for (found, tip, oldest, wanted, terms, expected) in cases {
        assert_eq!(
            planned(found, tip, oldest, wanted, terms),
            expected,
            "{found} at {tip}, undo from {oldest}, {wanted} on {terms:?}"
        );
    }
}

#[test]
fn only_the_module_may_change_and_the_refusal_names_what_else_did() {
    type Change = fn(&mut Identity);
    let changes: [(&str, Change); 3] = [
        ("chain.network is regtest, not signet", |id| {
            id.network = Network::Signet
        }),
        ("chain.startHeight is 5, not 6", |id| id.start_height = 6),
        ("memory.limit is 1073741824 bytes, not 1 bytes", |id| {
            id.memory_limit_bytes = 1
        }),
    ];
    let terms = Terms {
        in_place: true,
        at: None,
    };
    for (words, change) in changes {
        let mut wanted = module('b');
        change(&mut wanted);
        let refusal = lineage("a").plan(Some(Height(9)), Some(Height(5)), &wanted, terms);
        let text = refusal.unwrap_err().to_string();
        assert!(text.contains(words) && text.contains("BlueGreen"), "{text}");
    }
}

#[test]
fn a_refusal_to_go_back_says_how_far_the_records_reach_and_what_to_do() {
    let terms = Terms {
        in_place: true,
        at: None,
    };
    let refusal = lineage("a b101").plan(Some(Height(900)), Some(Height(801)), &module('a'), terms);
    assert_eq!(
        refusal.unwrap_err().to_string(),
        "blocks 101 to 900 would have to be undone, and only blocks 801 to 900 can be undone: declare module \
         bbbbbbbbbbbb… again, or roll out with strategy BlueGreen"
    );
}

#[test]
fn after_an_unwind_below_its_first_block_the_newest_module_goes_on_from_there() {
    // Found, the next height: what is left.
    let cases = [
        ("a", 50, "a"),
        ("a b101", 105, "a b101"),
        ("a b101", 101, "a b101"),
        ("a b101", 100, "a b100"),
        ("a b101 c105", 103, "a b101 c103"),
        ("a b101 c105", 101, "a c101"),
        ("a b101 c105", 90, "a c90"),
        ("a b101 a105", 90, "a"),
        ("a b101", 5, "b"),
        ("a b101 c105", 5, "c"),
    ];
    for (found, next, expected) in cases {
        assert_eq!(
            in_words(&lineage(found).unwound(Height(next))),
            expected,
            "{found} at {next}"
        );
    }
}

#[test]
fn what_is_no_lineage_is_told() {
    let step = |from, identity| Step {
        from_height: Height(from),
        identity,
    };
    let elsewhere = Identity {
        network: Network::Signet,
        ..module('b')
    };
    for later in [
        vec![step(START, module('b'))],
        vec![step(9, module('b')), step(9, module('c'))],
        vec![step(9, elsewhere)],
    ] {
        assert!(Lineage::of(module('a'), later.clone()).is_err(), "{later:?}");
    }
}

#[test]
fn a_status_shows_the_newest_sixteen_modules_and_none_while_there_was_one() {
    assert!(lineage("a").shown().is_empty());
    let shown: Vec<_> = lineage("a b101")
        .shown()
        .into_iter()
        .map(|step| step.from_height)
        .collect();
    assert_eq!(shown, [START, 101]);
    let later = (0..30).map(|n| Step {
        from_height: Height(100 + n),
        identity: module('b'),
    });
    let shown = Lineage::of(module('a'), later.collect()).unwrap().shown();
    assert_eq!((shown.len(), shown[15].from_height), (16, 129));
}

#[test]
fn where_a_module_takes_over_it_counts_in_the_digest() {
    let lineage = lineage("a b101");
    let before = Digest([7; 32]);
    assert_eq!(lineage.chained(before, Height(100)), before);
    assert_eq!(lineage.chained(before, Height(102)), before);
    assert_ne!(lineage.chained(before, Height(101)), before);
}
