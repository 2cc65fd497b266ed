//! Reading a pod's [`Status`] within bounds.
//!
//! Anybody who may run a process at a pod's address decides what the operator reads there, so nothing behind
//! [`Status::read`] has to reckon with a number that overflows a sum or a text that fills a resource. Numbers and hashes
//! that no indexer reports make the whole report unreadable; texts and lists, which an indexer of another version may
//! write longer, are cut.

use super::{
    report::{Check, Halt, Memory, Snapshots, Status, Trouble, Volume},
    request::REQUEST_ID_BYTES_MAX,
};
use crate::status::{LINEAGE_STEPS_MAX, LatestSnapshot, LineageStep, SnapshotUnderway};

/// The highest height, that of the schema's own heights. Bitcoin gets there in 38,000 years, and one more still fits 32
/// bits.
pub const HEIGHT_MAX: u32 = 2_000_000_000;
/// The most bytes of memory: 256 TiB, all that a 64-bit process can address.
pub const MEMORY_BYTES_MAX: u64 = 1 << 48;
/// The highest count. Up to here every reader of JSON has whole numbers, and the sum of a few fits 64 bits.
pub const COUNT_MAX: u64 = 1 << 53;
/// The most blocks a second: one each microsecond, which no machine hashes.
pub const BLOCKS_PER_SECOND_MAX: f64 = 1e6;
/// The longest message, in characters: that of [`Halt::message`].
pub const MESSAGE_CHARS_MAX: usize = 1_000;
/// The longest reason, in characters: twice the longest that there is.
pub const REASON_CHARS_MAX: usize = 64;
/// The longest URL of a snapshot, in characters: that of the spec's prefix, and room for a name.
pub const URL_CHARS_MAX: usize = 2_100;
/// The longest version, in characters: room for a number and a commit.
pub const VERSION_CHARS_MAX: usize = 64;

/// Why a report cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadStatus {
    /// It is no status in JSON.
    #[error("it is no status: {}", cut(&.0.to_string(), MESSAGE_CHARS_MAX))]
    Json(#[from] serde_json::Error),
    /// A number is higher than any indexer reports.
    #[error("{field} is {value}, and at most {max} is possible")]
    Number {
        /// The field.
        field: &'static str,
        /// What it says.
        value: u64,
        /// The bound.
        max: u64,
    },
    /// A speed is none.
    #[error("blocksPerSecond is {value}, and 0 to {BLOCKS_PER_SECOND_MAX} is possible")]
    Speed {
        /// What it says.
        value: f64,
    },
    /// A hash is not 64 lowercase hex digits.
    #[error("{field} is not 64 lowercase hex digits")]
    Hash {
        /// The field.
        field: &'static str,
    },
    /// The id of a request is longer than a pod accepts one.
    #[error("{field} has {bytes} bytes, and at most {REQUEST_ID_BYTES_MAX} are possible")]
    RequestId {
        /// The field.
        field: &'static str,
        /// Its length.
        bytes: usize,
    },
}

impl Status {
    /// Reads the body of an answer of [`STATUS_PATH`](super::STATUS_PATH). Messages, reasons and the version have at most
    /// the lengths of this module's constants, and the lineage its newest [`LINEAGE_STEPS_MAX`] steps.
    ///
    /// # Errors
    /// If it is no status, or one that no indexer reports.
    pub fn read(body: &[u8]) -> Result<Self, BadStatus> {
        let mut status: Self = serde_json::from_slice(body)?;
        status.check()?;
        status.cut();
        Ok(status)
    }

    fn check(&self) -> Result<(), BadStatus> {
        for (field, value) in [("height", self.height), ("tip", self.tip), ("behind", self.behind)] {
            height(field, value)?;
        }
        if let Some(value) = self.blocks_per_second
            && !(0.0..=BLOCKS_PER_SECOND_MAX).contains(&value)
        {
            return Err(BadStatus::Speed { value });
        }
        if let Some(Volume {
            capacity_bytes,
            free_bytes,
            growth_per_day_bytes,
            // Derived from both, and used as no more than a number of days.
            days_left: _,
        }) = &self.volume
        {
            at_most("volume.growthPerDayBytes", growth_per_day_bytes.unwrap_or(0), COUNT_MAX)?;
            at_most("volume.capacityBytes", *capacity_bytes, COUNT_MAX)?;
            at_most("volume.freeBytes", *free_bytes, COUNT_MAX)?;
        }
        at_most("secondsLeft", self.seconds_left.unwrap_or(0), COUNT_MAX)?;
        let hashes = [("blockHash", &self.block_hash), ("digest", &self.digest)];
        for (field, value) in hashes {
            value.as_deref().map_or(Ok(()), |value| hash(field, value))?;
        }
        // One that has not looked at its module yet says nothing.
        if !self.module_sha256.is_empty() {
            hash("moduleSha256", &self.module_sha256)?;
        }
        for LineageStep {
            from_height,
            module_sha256,
        } in &self.lineage
        {
            height("lineage.fromHeight", Some(*from_height))?;
            hash("lineage.moduleSha256", module_sha256)?;
        }
        if let Some(halt) = &self.halt {
            height("halt.height", Some(halt.height))?;
            hash("halt.blockHash", &halt.block_hash)?;
        }
        if let Some(block) = &self.block_under_way {
            height("blockUnderWay.height", Some(block.height))?;
            hash("blockUnderWay.blockHash", &block.block_hash)?;
            at_most("blockUnderWay.seconds", block.seconds, COUNT_MAX)?;
        }
        if let Some(snapshots) = &self.snapshots {
            check_snapshots(snapshots)?;
        }
        let refresh = self.last_refresh_request.as_deref();
        request_id("lastRefreshRequest", refresh)?;
        check_memory(&self.memory)
    }

    fn cut(&mut self) {
        self.version = cut(&self.version, VERSION_CHARS_MAX);
        let mut checks = vec![&mut self.seed, &mut self.module, &mut self.source];
        if let Some(Snapshots { latest, check, .. }) = &mut self.snapshots {
            if let Some(latest) = latest {
                latest.url = cut(&latest.url, URL_CHARS_MAX);
            }
            checks.push(check);
        }
        for Check { ok: _, reason, message } in checks {
            *reason = cut(reason, REASON_CHARS_MAX);
            *message = cut(message, MESSAGE_CHARS_MAX);
        }
        if let Some(Trouble { message, .. }) = &mut self.trouble {
            *message = cut(message, MESSAGE_CHARS_MAX);
        }
        if let Some(Halt { message, .. }) = &mut self.halt {
            *message = cut(message, MESSAGE_CHARS_MAX);
        }
        let surplus = self.lineage.len().saturating_sub(LINEAGE_STEPS_MAX);
        self.lineage.drain(..surplus);
    }
}

fn check_memory(memory: &Memory) -> Result<(), BadStatus> {
    let Memory {
        guest_bytes,
        guest_peak_bytes,
        guest_peak_height,
        resident_bytes,
        threshold_bytes,
        limit_bytes,
        last_crossing_height,
        refreshes,
        last_refresh,
    } = memory;
    for (field, value) in [
        ("memory.guestBytes", guest_bytes),
        ("memory.guestPeakBytes", guest_peak_bytes),
        ("memory.residentBytes", resident_bytes),
        ("memory.thresholdBytes", threshold_bytes),
        ("memory.limitBytes", limit_bytes),
    ] {
        at_most(field, *value, MEMORY_BYTES_MAX)?;
    }
    height("memory.guestPeakHeight", *guest_peak_height)?;
    height("memory.lastCrossingHeight", *last_crossing_height)?;
    height(
        "memory.lastRefresh.height",
        last_refresh.as_ref().map(|last| last.height),
    )?;
    for (field, value) in [
        ("memory.refreshes.block", refreshes.block),
        ("memory.refreshes.threshold", refreshes.threshold),
        ("memory.refreshes.failure", refreshes.failure),
        ("memory.refreshes.manual", refreshes.manual),
        ("memory.refreshes.unwind", refreshes.unwind),
    ] {
        at_most(field, value, COUNT_MAX)?;
    }
    Ok(())
}

fn check_snapshots(snapshots: &Snapshots) -> Result<(), BadStatus> {
    let Snapshots {
        latest,
        underway,
        check: _,
        last_request,
    } = snapshots;
    request_id("snapshots.lastRequest", last_request.as_deref())?;
    if let Some(LatestSnapshot {
        height: at,
        block_hash,
        digest,
        url: _,
        manifest_sha256,
        bytes,
        time: _,
    }) = latest
    {
        height("snapshots.latest.height", Some(*at))?;
        hash("snapshots.latest.blockHash", block_hash)?;
        hash("snapshots.latest.digest", digest)?;
        hash("snapshots.latest.manifestSha256", manifest_sha256)?;
        at_most("snapshots.latest.bytes", *bytes, COUNT_MAX)?;
    }
    if let Some(SnapshotUnderway {
        height: at,
        done_bytes,
        total_bytes,
    }) = underway
    {
        height("snapshots.underway.height", Some(*at))?;
        at_most("snapshots.underway.doneBytes", *done_bytes, COUNT_MAX)?;
        at_most("snapshots.underway.totalBytes", *total_bytes, COUNT_MAX)?;
    }
    Ok(())
}

fn height(field: &'static str, value: Option<u32>) -> Result<(), BadStatus> {
    value.map_or(Ok(()), |value| at_most(field, value.into(), HEIGHT_MAX.into()))
}

fn at_most(field: &'static str, value: u64, max: u64) -> Result<(), BadStatus> {
    if value > max {
        return Err(BadStatus::Number { field, value, max });
    }
    Ok(())
}

fn request_id(field: &'static str, id: Option<&str>) -> Result<(), BadStatus> {
    match id.map(str::len) {
        Some(bytes) if bytes > REQUEST_ID_BYTES_MAX => Err(BadStatus::RequestId { field, bytes }),
        _ => Ok(()),
    }
}

fn hash(field: &'static str, value: &str) -> Result<(), BadStatus> {
    let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if value.len() == 64 && value.bytes().all(is_digit) {
        Ok(())
    } else {
        Err(BadStatus::Hash { field })
    }
}

/// A text, or its start and an ellipsis: at most so many characters.
#[must_use]
pub fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().nth(chars_max).is_none() {
        return text.to_owned();
    }
    let mut start: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    start.push('…');
    start
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A report of which one value is replaced.
    fn report(pointer: &str, value: Value) -> Result<Status, BadStatus> {
        let (hash, time) = ("ab".repeat(32), "2026-01-01T00:00:00Z");
        let check = json!({"ok": true, "reason": "Verified", "message": ""});
        let mut report = json!({
            "version": "0.2.0", "indexer": "ns/one", "revision": "0123456789", "moduleSha256": hash, "phase": "Halted",
            "lineage": [{"fromHeight": 1, "moduleSha256": hash}], "lastRefreshRequest": "1",
            "height": 7, "blockHash": hash, "digest": hash, "tip": 7, "behind": 0,
            "blocksPerSecond": 1.5, "secondsLeft": 1,
            "module": check, "source": check, "seed": check,
            "memory": {"guestBytes": 1, "guestPeakBytes": 1, "guestPeakHeight": 1, "residentBytes": 1,
                       "thresholdBytes": 1, "limitBytes": 1, "lastCrossingHeight": 1,
                       "refreshes": {"block": 1, "threshold": 1, "failure": 1, "manual": 1, "unwind": 1},
                       "lastRefresh": {"reason": "Block", "height": 7, "time": time}},
            "volume": {"capacityBytes": 2, "freeBytes": 1},
            "snapshots": {"latest": {"height": 7, "blockHash": hash, "digest": hash, "url": "s3://bucket/prefix/7",
                                     "manifestSha256": hash, "bytes": 1, "time": time},
                          "underway": {"height": 7, "doneBytes": 1, "totalBytes": 2}, "check": check,
                          "lastRequest": "1"},
            "halt": {"class": "Guest", "height": 8, "blockHash": hash, "runs": 2, "message": "trap"},
            "trouble": {"class": "Host", "message": "no memory", "since": time},
            "blockUnderWay": {"height": 8, "blockHash": hash, "run": "First", "attempt": 1, "since": time, "seconds": 1},
        });
        *report.pointer_mut(pointer).expect(pointer) = value;
        Status::read(&serde_json::to_vec(&report).unwrap())
    }

    #[test]
    fn numbers_no_indexer_reports_make_a_report_unreadable() {
        let (height, bytes, count) = (u64::from(HEIGHT_MAX), MEMORY_BYTES_MAX, COUNT_MAX);
        for (pointer, max) in [
            ("/height", height),
            ("/tip", height),
            ("/behind", height),
            ("/lineage/0/fromHeight", height),
            ("/snapshots/latest/height", height),
            ("/snapshots/underway/height", height),
            ("/halt/height", height),
            ("/blockUnderWay/height", height),
            ("/memory/guestPeakHeight", height),
            ("/memory/lastCrossingHeight", height),
            ("/memory/lastRefresh/height", height),
            ("/memory/guestBytes", bytes),
            ("/memory/guestPeakBytes", bytes),
            ("/memory/residentBytes", bytes),
            ("/memory/thresholdBytes", bytes),
            ("/memory/limitBytes", bytes),
            ("/secondsLeft", count),
            ("/volume/capacityBytes", count),
            ("/volume/freeBytes", count),
            ("/snapshots/latest/bytes", count),
            ("/snapshots/underway/doneBytes", count),
            ("/snapshots/underway/totalBytes", count),
            ("/blockUnderWay/seconds", count),
            ("/memory/refreshes/block", count),
            ("/memory/refreshes/threshold", count),
            ("/memory/refreshes/failure", count),
            ("/memory/refreshes/manual", count),
            ("/memory/refreshes/unwind", count),
        ] {
            report(pointer, json!(max)).unwrap_or_else(|error| panic!("{pointer}: {error}"));
            let error = report(pointer, json!(max + 1)).expect_err(pointer).to_string();
            assert!(error.contains("is possible"), "{pointer}: {error}");
        }
        report("/blocksPerSecond", json!(BLOCKS_PER_SECOND_MAX)).unwrap();
        for speed in [-0.1, BLOCKS_PER_SECOND_MAX + 1.0, f64::MAX] {
            let error = report("/blocksPerSecond", json!(speed)).unwrap_err();
            assert!(matches!(error, BadStatus::Speed { .. }), "{speed}: {error}");
        }
        for pointer in [
            "/blockHash",
            "/digest",
            "/moduleSha256",
            "/halt/blockHash",
            "/blockUnderWay/blockHash",
            "/lineage/0/moduleSha256",
            "/snapshots/latest/blockHash",
            "/snapshots/latest/digest",
            "/snapshots/latest/manifestSha256",
        ] {
            for bad in ["ab", &"AB".repeat(32), &"zz".repeat(32), &"ab".repeat(33)] {
                assert!(
                    matches!(report(pointer, json!(bad)), Err(BadStatus::Hash { .. })),
                    "{pointer}: {bad}"
                );
            }
        }
        let id = "x".repeat(REQUEST_ID_BYTES_MAX);
        for pointer in ["/lastRefreshRequest", "/snapshots/lastRequest"] {
            report(pointer, json!(id)).unwrap();
            assert!(report(pointer, json!(format!("{id}x"))).is_err(), "{pointer}");
        }
    }

    #[test]
    fn long_texts_and_lists_are_cut() {
        let long = json!("ä".repeat(50_000));
        let read = |pointer: &str| report(pointer, long.clone()).unwrap();
        let chars = |text: &str| text.chars().count();
        assert_eq!(chars(&read("/version").version), VERSION_CHARS_MAX);
        assert_eq!(chars(&read("/module/reason").module.reason), REASON_CHARS_MAX);
        assert_eq!(chars(&read("/module/message").module.message), MESSAGE_CHARS_MAX);
        let snapshots = read("/snapshots/check/message").snapshots.unwrap();
        assert_eq!(chars(&snapshots.check.message), MESSAGE_CHARS_MAX);
        let latest = read("/snapshots/latest/url").snapshots.unwrap().latest.unwrap();
        assert_eq!(chars(&latest.url), URL_CHARS_MAX);
        assert_eq!(chars(&read("/halt/message").halt.unwrap().message), MESSAGE_CHARS_MAX);
        assert_eq!(
            chars(&read("/trouble/message").trouble.unwrap().message),
            MESSAGE_CHARS_MAX
        );
        let steps: Vec<Value> = (0..40)
            .map(|height| json!({"fromHeight": height, "moduleSha256": "ab".repeat(32)}))
            .collect();
        let lineage = report("/lineage", json!(steps)).unwrap().lineage;
        assert_eq!(
            (lineage.len(), lineage[15].from_height),
            (LINEAGE_STEPS_MAX, 39),
            "the newest stay"
        );
        let error = report("/phase", long.clone()).unwrap_err().to_string();
        assert!(
            chars(&error) < 1_100,
            "a value that is quoted is cut: {}",
            chars(&error)
        );
    }

    #[test]
    fn a_text_within_its_bound_stays_as_it_is() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("", 0), "");
    }
}
