//! Places for views, given to one client after the other, so that one that asks for many does not keep the others out.
//!
//! Whoever waits stands in the line of its client. A place that becomes free goes to the first in the line whose turn it
//! is; the lines take turns. All lines together are bounded. When they are full, a client with a shorter line than
//! another one still gets in: the last of the longest line has to leave.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// Who asks: an address, or for IPv6 the network of 64 bits, all of which one client usually has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client(IpAddr);

/// A number of places and the lines in front of them.
pub(super) struct Places {
    waiting_max: usize,
    lines: Mutex<Lines>,
}

/// Dropped, it goes to the next one.
pub(super) struct Place(Arc<Places>);

/// A place in a line; dropped, it is given up.
pub(super) struct Ticket {
    places: Arc<Places>,
    client: Client,
    number: u64,
    called: oneshot::Receiver<Place>,
}

/// No place, and no room to wait for one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

#[derive(Default)]
struct Lines {
    free: usize,
    /// In all lines; none of them is empty.
    waiting: usize,
    by_client: HashMap<Client, VecDeque<Waiter>>,
    /// Each client that waits once, the next one first.
    turns: VecDeque<Client>,
    tickets: u64,
}

struct Waiter {
    number: u64,
    call: oneshot::Sender<Place>,
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
            address @ IpAddr::V4(_) => address,
        })
    }
}

impl Places {
    pub(super) fn new(places: usize, waiting_max: usize) -> Arc<Self> {
        let lines = Lines {
            free: places,
            ..Lines::default()
        };
        Arc::new(Self {
            waiting_max,
            lines: Mutex::new(lines),
        })
    }

    /// Takes a place, or a ticket for one.
    ///
    /// # Errors
    /// [`Full`].
    pub(super) fn enter(self: &Arc<Self>, client: Client) -> Result<Result<Place, Ticket>, Full> {
        let mut lines = self.lock();
        if lines.free > 0 {
            lines.free -= 1;
            return Ok(Ok(Place(Arc::clone(self))));
        }
        let left = if lines.waiting < self.waiting_max {
            None
        } else {
            Some(lines.send_away_for(client).ok_or(Full)?)
        };
        let (call, called) = oneshot::channel();
        let number = lines.join(client, call);
        drop(lines);
        // Told after the lock is free.
        drop(left);
        Ok(Err(Ticket {
            places: Arc::clone(self),
            client,
            number,
            called,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        // Nothing in between can panic.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn join(&mut self, client: Client, call: oneshot::Sender<Place>) -> u64 {
        self.tickets += 1;
        self.waiting += 1;
        let number = self.tickets;
        let line = self.by_client.entry(client).or_default();
        if line.is_empty() {
            self.turns.push_back(client);
        }
        line.push_back(Waiter { number, call });
        number
    }

    /// The one who has waited longest of the client whose turn it is.
    fn next(&mut self) -> Option<Waiter> {
        let client = self.turns.pop_front()?;
        let line = self.by_client.get_mut(&client)?;
        let waiter = line.pop_front()?;
        self.waiting -= 1;
        if line.is_empty() {
            self.by_client.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        Some(waiter)
    }

    /// The last of the longest line, if the client's own would still be no longer with one more in it.
    fn send_away_for(&mut self, client: Client) -> Option<Waiter> {
        let own = self.by_client.get(&client).map_or(0, VecDeque::len);
        let (longest, line) = self.by_client.iter_mut().max_by_key(|(_, line)| line.len())?;
        if own + 1 >= line.len() {
            return None;
        }
        let (longest, number) = (*longest, line.back()?.number);
        self.leave(longest, number)
    }

    /// Takes somebody out of a line; none: not there any more.
    fn leave(&mut self, client: Client, number: u64) -> Option<Waiter> {
        let line = self.by_client.get_mut(&client)?;
        let at = line.iter().position(|waiter| waiter.number == number)?;
        let waiter = line.remove(at)?;
        self.waiting -= 1;
        if line.is_empty() {
            self.by_client.remove(&client);
            self.turns.retain(|other| *other != client);
        }
        Some(waiter)
    }
}

impl Ticket {
    /// Waits for the place.
    ///
    /// # Errors
    /// [`Full`] if it had to go to another client.
    pub(super) async fn called(mut self) -> Result<Place, Full> {
        (&mut self.called).await.map_err(|_| Full)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // A place that was handed over already is in the receiver, and goes on with it.
        let left = self.places.lock().leave(self.client, self.number);
        drop(left);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let next = {
            let mut lines = self.0.lock();
            let next = lines.next();
            lines.free += usize::from(next.is_none());
            next
        };
        if let Some(waiter) = next {
            // Whoever left in this instant sends it back as the error, which is dropped and so goes on to the next.
            let _ = waiter.call.send(Self(Arc::clone(&self.0)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use futures::FutureExt as _;

    use super::*;

    fn client(last: u8) -> Client {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)).into()
    }

    fn place(places: &Arc<Places>, last: u8) -> Place {
        places.enter(client(last)).unwrap().ok().unwrap()
    }

    fn ticket(places: &Arc<Places>, last: u8) -> Ticket {
        places.enter(client(last)).unwrap().err().unwrap()
    }

    /// Who of these has been called.
    fn called(tickets: &mut [(u8, Ticket)]) -> Vec<(u8, Place)> {
        let got = |(name, ticket): &mut (u8, Ticket)| Some((*name, ticket.called.try_recv().ok()?));
        tickets.iter_mut().filter_map(got).collect()
    }

    #[test]
    fn lines_take_turns_and_each_is_in_order() {
        let places = Places::new(1, 100);
        let mut free = Some(place(&places, 0));
        // The first client floods, two others come later.
        let mut tickets: Vec<(u8, Ticket)> = [1, 1, 1, 1, 2, 3, 2].map(|name| (name, ticket(&places, name))).into();
        let mut order = Vec::new();
        while !tickets.is_empty() {
            drop(free.take());
            let mut now = called(&mut tickets);
            assert_eq!(now.len(), 1, "one place, one call");
            let (name, place) = now.remove(0);
            let first = tickets.iter().position(|(other, _)| *other == name).unwrap();
            assert!(tickets[first].1.called.is_terminated(), "the first in the line");
            tickets.remove(first);
            order.push(name);
            free = Some(place);
        }
        assert_eq!(order, [1, 2, 3, 1, 2, 1, 1]);
    }

    #[test]
    fn room_to_wait_obeyed_and_violated() {
        let places = Places::new(1, 2);
        let _place = place(&places, 1);
        let _waiting = [ticket(&places, 1), ticket(&places, 1)];
        assert_eq!(places.enter(client(1)).err(), Some(Full));
    }

    #[test]
    fn a_shorter_line_gets_in_at_the_cost_of_the_longest() {
        let places = Places::new(1, 4);
        let _place = place(&places, 1);
        let mut flood: Vec<_> = (0..4).map(|_| ticket(&places, 1)).collect();
        let _second = ticket(&places, 2);
        let mut last = flood.pop().unwrap();
        assert!(
            last.called
                .try_recv()
                .is_err_and(|e| e == oneshot::error::TryRecvError::Closed),
            "sent away"
        );
        let _third = ticket(&places, 2);
        // Two and two: nobody has more than the other.
        assert_eq!(places.enter(client(2)).err(), Some(Full));
        assert_eq!(places.enter(client(1)).err(), Some(Full));
        let _other = ticket(&places, 3);
        assert_eq!(places.lock().waiting, 4);
    }

    #[tokio::test]
    async fn a_place_is_lost_by_nobody_who_leaves() {
        let places = Places::new(2, 100);
        let taken = [place(&places, 1), place(&places, 1)];
        let (one, two, three) = (ticket(&places, 1), ticket(&places, 2), ticket(&places, 3));
        drop(two);
        drop(taken);
        // Called, and gone before it looked.
        drop(one);
        let last = three.called().now_or_never().unwrap();
        assert!(last.is_ok());
        drop(last);
        let lines = places.lock();
        assert_eq!(
            (lines.free, lines.waiting, lines.turns.len(), lines.by_client.len()),
            (2, 0, 0, 0)
        );
    }

    #[test]
    fn a_client_is_an_address_or_an_ipv6_network() {
        let v6 = |last| Client::from(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last)));
        assert_eq!(v6(1), v6(2));
        assert_ne!(v6(1), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1)).into());
        let mapped = Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped();
        assert_eq!(Client::from(IpAddr::V6(mapped)), client(1));
    }
}
