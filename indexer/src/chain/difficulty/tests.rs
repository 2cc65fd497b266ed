use super::*;

/// Two weeks, and twenty minutes.
const PERIOD_SECONDS: u32 = 14 * 24 * 3600;
const EXCEPTION_SECONDS: u32 = 20 * 60;
const LIMIT: u32 = 0x1d00_ffff;

fn claim(time: u32, bits: u32) -> Claim {
    Claim {
        time,
        bits: CompactTarget::from_consensus(bits),
    }
}

/// A period from its first header on to its last one, whose time is given; all have one target.
fn period(network: Network, first: Height, bits: u32, times: (u32, u32)) -> Difficulty {
    let rules = Rules::of(network);
    assert_eq!(rules.needed_from(first), first, "it begins a period");
    let mut difficulty = Difficulty::begin(rules, first, claim(times.0, bits));
    for _ in 1..2015 {
        difficulty.follow(claim(times.0, bits)).unwrap();
    }
    difficulty.follow(claim(times.1, bits)).unwrap();
    difficulty
}

/// What the next header must have.
fn required(difficulty: &Difficulty, time: u32) -> u32 {
    // No network allows a target of zero.
    let mut next = *difficulty;
    next.follow(claim(time, 0)).unwrap_err().to_consensus()
}

/// From Bitcoin Core's `pow_tests`: all but the last are from mainnet.
#[test]
fn a_new_target_is_that_of_mainnet() {
    let cases = [
        (30_240, (1_261_130_161, 1_262_152_739), LIMIT, 0x1d00_d86a),
        // Never easier than the limit.
        (0, (1_231_006_505, 1_233_061_996), LIMIT, LIMIT),
        // At most four times as hard, and a quarter as hard.
        (66_528, (1_279_008_237, 1_279_297_671), 0x1c05_a3f4, 0x1c01_68fd),
        (44_352, (1_263_163_443, 1_269_211_443), 0x1c38_7f6f, 0x1d00_e1fd),
    ];
    for (first, times, bits, next) in cases {
        let mut difficulty = period(Network::Mainnet, Height(first), bits, times);
        assert_eq!(required(&difficulty, times.1), next, "{first}");
        assert_eq!(difficulty.height(), Height(first + 2015));
        if next != bits {
            assert_eq!(
                difficulty.follow(claim(times.1, bits)),
                Err(CompactTarget::from_consensus(next)),
                "{first}"
            );
        }
        difficulty.follow(claim(times.1, next)).unwrap();
        assert_eq!(required(&difficulty, times.1), next, "it stays for a period");
    }
}

#[test]
fn times_that_run_backwards_make_it_four_times_as_hard() {
    let difficulty = period(Network::Mainnet, Height(0), 0x1c05_a3f4, (1_300_000_000, 1_200_000_000));
    assert_eq!(required(&difficulty, 0), 0x1c01_68fd);
}

#[test]
fn between_two_changes_mainnet_and_signet_know_no_exception() {
    for (network, bits) in [(Network::Mainnet, 0x1c05_a3f4), (Network::Signet, 0x1d0a_1b2c)] {
        let difficulty = Difficulty::begin(Rules::of(network), Height(4032), claim(1_000, bits));
        assert_eq!(required(&difficulty, 1_000_000), bits, "{network}");
    }
    let slow = (1_000, 1_000 + 5 * PERIOD_SECONDS);
    let difficulty = period(Network::Signet, Height(2016), 0x1e03_0000, slow);
    assert_eq!(required(&difficulty, 0), 0x1e03_77ae, "the limit of signet");
}

#[test]
fn test_networks_allow_an_easy_block_after_twenty_minutes_which_changes_nothing() {
    const BITS: u32 = 0x1c05_a3f4;
    for network in [Network::Testnet3, Network::Testnet4] {
        let mut difficulty = Difficulty::begin(Rules::of(network), Height(2016), claim(1_000, BITS));
        assert_eq!(required(&difficulty, 1_000 + EXCEPTION_SECONDS), BITS);
        let late = 1_001 + EXCEPTION_SECONDS;
        assert_eq!(required(&difficulty, late), LIMIT);
        difficulty.follow(claim(late, LIMIT)).unwrap();
        difficulty.follow(claim(late + late, LIMIT)).unwrap();
        assert_eq!(required(&difficulty, late + late), BITS, "{network}");
    }
}

#[test]
fn a_period_that_ends_with_an_easy_block_goes_on_from_it_on_testnet3_alone() {
    const BITS: u32 = 0x1c05_a3f4;
    let (first, last) = (1_000_000, 1_000_000 + PERIOD_SECONDS);
    for (network, next, then) in [(Network::Testnet3, LIMIT, LIMIT), (Network::Testnet4, BITS, BITS)] {
        let mut difficulty = Difficulty::begin(Rules::of(network), Height(2016), claim(first, BITS));
        for _ in 1..2015 {
            difficulty.follow(claim(first, BITS)).unwrap();
        }
        difficulty.follow(claim(last, LIMIT)).unwrap();
        // However late it comes: the first of a period is no exception.
        assert_eq!(required(&difficulty, last + 10 * EXCEPTION_SECONDS), next, "{network}");
        difficulty.follow(claim(last, next)).unwrap();
        assert_eq!(required(&difficulty, last), then, "{network}");
    }
}

#[test]
fn regtest_never_changes() {
    let rules = Rules::of(Network::Regtest);
    let bits = 0x207f_ffff;
    let mut difficulty = Difficulty::begin(rules, Height(1), claim(0, bits));
    for height in 2..5_000 {
        assert_eq!(rules.needed_from(Height(height)), Height(height));
        difficulty.follow(claim(height * 100_000, bits)).unwrap();
    }
    assert_eq!(required(&difficulty, 0), bits);
}
