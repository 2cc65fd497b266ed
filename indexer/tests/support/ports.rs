//! Ports for processes that a test starts.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
    net::TcpListener,
    ops::Range,
};

/// Below those that the system gives to connections going out (`net.ipv4.ip_local_port_range` is 32768 to 60999): one of
/// them could take a port before the process that it is for listens.
const PORTS: Range<u16> = 10_240..32_000;

/// A port on which nobody listens, chosen at random: tests run side by side.
pub(crate) fn free_port() -> u16 {
    loop {
        let random = RandomState::new().build_hasher().finish();
        let port = PORTS.start + u16::try_from(random % PORTS.len() as u64).unwrap_or_default();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
