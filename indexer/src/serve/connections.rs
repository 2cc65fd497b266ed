//! How many connections there may be, and who gives way when there are that many.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use super::client::Client;

/// The open connections of one port.
pub(super) struct Connections {
    max: usize,
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    /// In the order they came, which is that of their numbers.
    open: Vec<Open>,
    next_number: u64,
}

struct Open {
    number: u64,
    client: Client,
    /// Requests that are being answered.
    requests: usize,
    close: CancellationToken,
}

/// One connection; dropped, it is counted no more.
pub(super) struct Connection {
    connections: Arc<Connections>,
    number: u64,
    /// Cancelled when it must give way to another one.
    pub(super) close: CancellationToken,
}

/// One request on a connection; dropped, its answer is sent.
pub(super) struct InRequest(Arc<Connections>, u64);

impl Connections {
    /// At most so many at a time.
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            list: Mutex::default(),
        })
    }

    /// Admits one more. When there are as many as may be, one gives way: the oldest one without a request of the client
    /// that has most of those; if all have one, the oldest of the client that has at least two more than the new one's.
    /// None: there is none such, and the new one must go.
    pub(super) fn admit(self: &Arc<Self>, client: Client) -> Option<Connection> {
        let mut list = self.lock();
        if list.open.len() >= self.max {
            let at = gives_way(&list.open, client)?;
            list.open.remove(at).close.cancel();
        }
        let (number, close) = (list.next_number, CancellationToken::new());
        list.next_number += 1;
        list.open.push(Open {
            number,
            client,
            requests: 0,
            close: close.clone(),
        });
        Some(Connection {
            connections: Arc::clone(self),
            number,
            close,
        })
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        // Nothing in between can panic.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    /// None: it has given way.
    fn position(&self, number: u64) -> Option<usize> {
        self.open.binary_search_by_key(&number, |open| open.number).ok()
    }

    fn count(&mut self, number: u64, count: impl FnOnce(&mut usize)) {
        if let Some(at) = self.position(number) {
            count(&mut self.open[at].requests);
        }
    }
}

/// Which connection makes room for one of `client`.
fn gives_way(open: &[Open], client: Client) -> Option<usize> {
    let idle = per_client(open, |open| open.requests == 0);
    if let Some(at) = oldest_of_the_largest(open, &idle, |open| open.requests == 0) {
        return Some(at);
    }
    let all = per_client(open, |_| true);
    let at = oldest_of_the_largest(open, &all, |_| true)?;
    let of = |client| all.get(&client).copied().unwrap_or(0);
    (of(open[at].client) >= of(client) + 2).then_some(at)
}

fn per_client(open: &[Open], counts: fn(&Open) -> bool) -> HashMap<Client, usize> {
    let mut per_client = HashMap::new();
    for open in open.iter().filter(|open| counts(open)) {
        *per_client.entry(open.client).or_default() += 1;
    }
    per_client
}

fn oldest_of_the_largest(
    open: &[Open],
    per_client: &HashMap<Client, usize>,
    counts: fn(&Open) -> bool,
) -> Option<usize> {
    let candidates = open.iter().enumerate().filter(|(_, open)| counts(open));
    // Of several it takes the last one, so they are looked at from the end.
    let largest = candidates.rev().max_by_key(|(_, open)| per_client.get(&open.client));
    largest.map(|(at, _)| at)
}

impl Connection {
    /// A request has come.
    pub(super) fn begin_request(&self) -> InRequest {
        self.connections.lock().count(self.number, |requests| *requests += 1);
        InRequest(Arc::clone(&self.connections), self.number)
    }
}

impl Drop for InRequest {
    fn drop(&mut self) {
        self.0.lock().count(self.1, |requests| *requests -= 1);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut list = self.connections.lock();
        if let Some(at) = list.position(self.number) {
            list.open.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn client(last: u8) -> Client {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)).into()
    }

    /// Connections of these clients, each with a request or without.
    fn open(connections: &Arc<Connections>, of: &[(u8, bool)]) -> Vec<(Connection, Option<InRequest>)> {
        let admit = |(last, is_busy): &(u8, bool)| {
            let connection = connections.admit(client(*last)).unwrap();
            let request = is_busy.then(|| connection.begin_request());
            (connection, request)
        };
        of.iter().map(admit).collect()
    }

    fn closed(connections: &[(Connection, Option<InRequest>)]) -> Vec<usize> {
        let closed = |(at, open): (usize, &(Connection, _))| open.0.close.is_cancelled().then_some(at);
        connections.iter().enumerate().filter_map(closed).collect()
    }

    #[test]
    fn number_of_connections_obeyed_and_violated() {
        // Which of three connections gives way to one of client 9; none: the new one must go.
        let cases = [
            ([(1, false), (2, false), (3, false)], Some(0)),
            ([(1, true), (2, false), (2, false)], Some(1)),
            ([(1, false), (2, false), (2, false)], Some(1)),
            ([(1, true), (1, true), (2, false)], Some(2)),
            ([(1, true), (1, true), (2, true)], Some(0)),
            ([(1, true), (2, true), (3, true)], None),
            ([(9, true), (9, true), (9, true)], None),
            ([(9, true), (9, true), (9, false)], Some(2)),
        ];
        for (of, expected) in cases {
            let connections = Connections::new(3);
            let held = open(&connections, &of);
            let new = connections.admit(client(9));
            assert_eq!(new.is_some(), expected.is_some(), "{of:?}");
            assert_eq!(closed(&held), Vec::from_iter(expected), "{of:?}");
            assert_eq!(connections.lock().open.len(), 3);
        }
    }

    #[test]
    fn what_has_ended_is_counted_no_more() {
        let connections = Connections::new(2);
        let mut held = open(&connections, &[(1, true), (2, true)]);
        assert!(connections.admit(client(3)).is_none());
        held.remove(0);
        let third = connections.admit(client(3)).unwrap();
        let request = third.begin_request();
        assert!(connections.admit(client(4)).is_none());
        drop(request);
        assert!(connections.admit(client(4)).is_some(), "the idle one gave way");
        assert!(third.close.is_cancelled());
        drop(third);
        assert_eq!(connections.lock().open.len(), 1, "it was counted once");
    }
}
