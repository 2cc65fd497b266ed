//! File descriptors: as many as the system lets this process have, and a word where they are too few.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::listener;

/// The store's files, the node's connections, the runtime's own; block files are opened one by one.
const OTHERS: u64 = 1024;

/// What all connections and files together may need.
pub const NEEDED: u64 = listener::RPC.connections as u64 + listener::OPS.connections as u64 + OTHERS;

/// Raises the limit on descriptors to what the system allows, and returns what it is then. Systems set the soft limit
/// low for programs that cannot cope with more than 1,024.
pub fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // No limit counts as the largest number.
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    current.unwrap_or(u64::MAX)
}

/// What to say of a limit; none: it suffices.
#[must_use]
pub fn complaint(limit: u64) -> Option<String> {
    (limit < NEEDED).then(|| {
        format!(
            "this process may open {limit} files and connections, up to {NEEDED} can be needed: raise the hard limit \
             (ulimit -Hn, LimitNOFILE=); beyond it clients and the store are refused"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_becomes_what_the_system_allows() {
        let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        assert_eq!(raise(), hard);
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), hard);
    }

    #[test]
    fn number_of_descriptors_obeyed_and_violated() {
        assert_eq!(complaint(NEEDED), None);
        assert!(complaint(NEEDED - 1).unwrap().contains("up to 1600"));
    }
}
