//! Whether a slot may keep pages of a dropped instance for the next one.
//!
//! The next instance must find them zeroed, so the written ones have to be found. Wasmtime finds them with the kernel's
//! `PAGEMAP_SCAN` and overlooks those that were swapped out (bytecodealliance/wasmtime#14357): the next instance would
//! read the data of the last one. So pages are kept only where none of this process can be swapped; else all are given
//! back to the kernel, which costs time and nothing else.

use std::{fs, hint::black_box};

use wasmtime::PoolingAllocationConfig;

use crate::machine::Group;

/// Larger than what the allocator ever takes from memory that it already has, so that it is mapped anew. It is not
/// touched, and so takes no memory unless mappings are locked.
const PROBE_BYTES: usize = 64 << 20;

/// What the decision depends on, as found at the start. A swap area that is added later is not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The kernel says which pages were written (Linux 6.7). Without it all that may be kept would be overwritten with
    /// zeros each time, which costs more than it saves.
    pub(super) finds_written_pages: bool,
    /// The machine has an active swap area. None: not known.
    pub(super) has_swap: Option<bool>,
    /// `memory.swap.max` is 0 for a control group (version 2) that this process is in. A limit of version 1 is never
    /// enough: it bounds memory and swap together, and what is swapped out does not count twice.
    pub(super) swap_max_is_zero: bool,
    /// New mappings of this process are locked in memory.
    pub(super) is_locked: bool,
}

/// Whether pages are kept, and what decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residency {
    /// Kept: the machine has no swap.
    NoSwap,
    /// Kept: a control group forbids swapping.
    SwapMaxZero,
    /// Kept: memory is locked.
    Locked,
    /// Given back: the process can be swapped.
    Swappable,
    /// Given back: it is not known whether the process can be swapped.
    Unknown,
    /// Given back: the kernel is too old to say which pages were written.
    OldKernel,
}

impl Residency {
    /// Whether pages are kept.
    #[must_use]
    pub fn keeps(self) -> bool {
        matches!(self, Self::NoSwap | Self::SwapMaxZero | Self::Locked)
    }

    /// As a metric label.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoSwap => "no_swap",
            Self::SwapMaxZero => "swap_max_zero",
            Self::Locked => "locked",
            Self::Swappable => "swappable",
            Self::Unknown => "unknown",
            Self::OldKernel => "old_kernel",
        }
    }

    /// For the log.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::NoSwap => "pages of guests are kept between instances: this machine has no swap",
            Self::SwapMaxZero => "pages of guests are kept between instances: memory.swap.max is 0",
            Self::Locked => "pages of guests are kept between instances: memory is locked",
            Self::Swappable => {
                "pages of guests are given back after each instance, since this process can be swapped; with \
                 memory.swap.max at 0, or no swap, blocks and views are a little faster"
            }
            Self::Unknown => {
                "pages of guests are given back after each instance, since /proc/swaps does not say whether this \
                 process can be swapped"
            }
            Self::OldKernel => {
                "pages of guests are given back after each instance; from Linux 6.7 on blocks and views are a little \
                 faster"
            }
        }
    }
}

/// Decides from the facts.
pub(super) fn decide(facts: &Facts) -> Residency {
    let Facts {
        finds_written_pages,
        has_swap,
        swap_max_is_zero,
        is_locked,
    } = *facts;
    if !finds_written_pages {
        return Residency::OldKernel;
    }
    match has_swap {
        Some(false) => Residency::NoSwap,
        _ if swap_max_is_zero => Residency::SwapMaxZero,
        _ if is_locked => Residency::Locked,
        Some(true) => Residency::Swappable,
        None => Residency::Unknown,
    }
}

/// Looks at this machine and process.
pub(super) fn facts() -> Facts {
    Facts {
        finds_written_pages: PoolingAllocationConfig::is_pagemap_scan_available(),
        has_swap: fs::read_to_string("/proc/swaps").ok().as_deref().map(has_areas),
        swap_max_is_zero: swap_max_is_zero(),
        is_locked: is_locked(),
    }
}

/// `/proc/swaps` has a heading and a line for each area.
fn has_areas(swaps: &str) -> bool {
    swaps.lines().skip(1).any(|line| !line.trim().is_empty())
}

fn swap_max_is_zero() -> bool {
    let group = Group::unified();
    group.is_some_and(|group| group.values("memory.swap.max").any(|max| max.trim() == "0"))
}

/// Whether `mlockall` is in force for mappings to come, such as those of guests: seen from one that is made for it.
fn is_locked() -> bool {
    let probe = black_box(vec![0_u8; PROBE_BYTES]);
    let middle = probe.as_ptr().addr() + PROBE_BYTES / 2;
    let maps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    is_locked_at(&maps, middle)
}

/// Whether the mapping around an address is locked.
fn is_locked_at(smaps: &str, address: usize) -> bool {
    let mut is_inside = false;
    for line in smaps.lines() {
        if let Some(range) = range(line) {
            is_inside = range.contains(&address);
        } else if is_inside && let Some(flags) = line.strip_prefix("VmFlags:") {
            return flags.split_whitespace().any(|flag| flag == "lo");
        }
    }
    false
}

/// The addresses of a mapping, if this is the first line of one.
fn range(line: &str) -> Option<std::ops::Range<usize>> {
    let (start, rest) = line.split_once('-')?;
    let end = rest.split(' ').next()?;
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_kept_only_where_none_can_be_swapped() {
        use Residency::{Locked, NoSwap, OldKernel, SwapMaxZero, Swappable, Unknown};
        // Written pages found, swap, memory.swap.max is 0, locked.
        let cases = [
            ((true, Some(false), false, false), NoSwap),
            ((true, Some(false), true, true), NoSwap),
            ((true, Some(true), false, false), Swappable),
            ((true, Some(true), true, false), SwapMaxZero),
            ((true, Some(true), false, true), Locked),
            ((true, Some(true), true, true), SwapMaxZero),
            ((true, None, false, false), Unknown),
            ((true, None, true, false), SwapMaxZero),
            ((true, None, false, true), Locked),
            ((false, Some(false), true, true), OldKernel),
            ((false, Some(true), false, false), OldKernel),
        ];
        for ((finds_written_pages, has_swap, swap_max_is_zero, is_locked), expected) in cases {
            let facts = Facts {
                finds_written_pages,
                has_swap,
                swap_max_is_zero,
                is_locked,
            };
            assert_eq!(decide(&facts), expected, "{facts:?}");
            assert_eq!(expected.keeps(), [NoSwap, SwapMaxZero, Locked].contains(&expected));
        }
    }

    #[test]
    fn swap_areas_are_lines_below_the_heading() {
        let heading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert!(!has_areas(heading));
        assert!(!has_areas(""));
        assert!(has_areas(&format!("{heading}/swapfile  file  524284  0  -2\n")));
    }

    #[test]
    fn a_mapping_is_locked_if_its_flags_say_so() {
        let maps = "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \nSize: 4 kB\nVmFlags: rd wr mr mw me lo sd \n\
                    7f0000001000-7f0000002000 rw-p 00000000 00:00 0 [stack]\nVmFlags: rd wr mr mw me ac sd \n";
        assert!(is_locked_at(maps, 0x7f00_0000_0800));
        assert!(!is_locked_at(maps, 0x7f00_0000_1000));
        assert!(!is_locked_at(maps, 0x10));
    }
}
