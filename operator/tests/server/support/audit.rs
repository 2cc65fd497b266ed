//! The audit log of the API server: who wrote what, when.

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

/// One write, with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) user: String,
    pub(crate) verb: String,
    /// With its subresource: `indexers/status`.
    pub(crate) resource: String,
    pub(crate) name: String,
    pub(crate) code: u64,
    /// When the server received the request, and when it answered.
    pub(crate) received: Timestamp,
    pub(crate) answered: Timestamp,
}

impl Write {
    /// Reads a log. What is being written at this moment is left out.
    pub(crate) fn all(log: &str) -> Vec<Self> {
        let complete = log.rsplit_once('\n').map_or("", |(complete, _)| complete);
        complete
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line of the audit log"))
            .filter_map(|entry: Value| Self::read(&entry))
            .collect()
    }

    fn read(entry: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let time = |field: &str| entry[field].as_str()?.parse().ok();
        let about = &entry["objectRef"];
        let resource = match about["subresource"].as_str() {
            Some(part) => format!("{}/{part}", text(&about["resource"])),
            None => text(&about["resource"]),
        };
        (entry["stage"] == "ResponseComplete").then_some(())?;
        Some(Self {
            user: text(&entry["user"]["username"]),
            verb: text(&entry["verb"]),
            resource,
            name: text(&about["name"]),
            code: entry["responseStatus"]["code"].as_u64()?,
            received: time("requestReceivedTimestamp")?,
            answered: time("stageTimestamp")?,
        })
    }

    /// The Indexer that it is about, by the first two parts of the object's name, as tests name Indexers: `index-3`.
    pub(crate) fn indexer(&self) -> String {
        self.name.splitn(3, '-').take(2).collect::<Vec<_>>().join("-")
    }

    /// Whether it was carried out.
    pub(crate) fn is_done(&self) -> bool {
        self.code < 300
    }

    /// Whether it takes a pod away.
    pub(crate) fn removes_pod(&self) -> bool {
        self.resource == "pods/eviction" || (self.resource == "pods" && self.verb == "delete")
    }

    /// Whether it is about the product, and not about who leads.
    pub(crate) fn is_work(&self) -> bool {
        self.resource != "leases"
    }
}
