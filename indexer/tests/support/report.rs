//! A report for a stage that runs without its process.
#![allow(clippy::unwrap_used)] // Tests, though the lints do not see it.

use indexer::telemetry::report::Report;

/// Nothing is reported yet.
pub(crate) fn report() -> Report {
    let config = serde_json::json!({
        "indexer": "test",
        "identity": {
            "moduleSha256": "00", "network": "regtest", "startHeight": 0, "memoryLimitBytes": 0, "storeFormat": 1,
        },
        "module": {"from": "path", "path": ""}, "source": {"urls": []}, "maxReorgDepth": 100, "maxBehind": 2, "thresholdBytes": 0,
        "refresh": "EveryBlock", "retryAttempts": 1, "dataDir": "", "rpcListen": "", "opsListen": "",
        "views": {"maxConcurrent": 1, "timeoutMs": 1, "memoryLimitBytes": 1, "maxRequestBytes": 1, "maxResponseBytes": 1},
    });
    Report::new(&serde_json::from_value(config).unwrap())
}
