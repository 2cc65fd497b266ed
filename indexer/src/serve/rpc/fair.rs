//! Permits for views, handed to clients in turn, so that one that wants many does not keep the others out.
//!
//! Each client has a queue of its own. A permit that becomes free goes to the first of the queue whose turn it is. All
//! queues together are bounded. When they are full, a client with a shorter queue than another one still gets in: the
//! last of the longest queue has to leave.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::serve::client::Client;

/// A number of permits and the queues in front of them.
pub(super) struct FairPermits {
    waiting_max: usize,
    queues: Mutex<Queues>,
}

/// Dropped, it goes to the next one.
pub(super) struct Permit(Arc<FairPermits>);

/// A position in a queue; dropped, it is given up.
pub(super) struct Ticket {
    permits: Arc<FairPermits>,
    client: Client,
    number: u64,
    called: oneshot::Receiver<Permit>,
}

/// No permit, and no room to wait for one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

#[derive(Default)]
struct Queues {
    free: usize,
    /// In all queues; none of them is empty.
    waiting: usize,
    by_client: HashMap<Client, VecDeque<Waiter>>,
    /// Every client with a queue, once; the next one first.
    turns: VecDeque<Client>,
    tickets: u64,
}

struct Waiter {
    number: u64,
    call: oneshot::Sender<Permit>,
}

impl FairPermits {
    pub(super) fn new(permits: usize, waiting_max: usize) -> Arc<Self> {
        let queues = Queues {
            free: permits,
            ..Queues::default()
        };
        Arc::new(Self {
            waiting_max,
            queues: Mutex::new(queues),
        })
    }

    /// Takes a permit, or a ticket for one.
    ///
    /// # Errors
    /// [`Full`].
    pub(super) fn enter(self: &Arc<Self>, client: Client) -> Result<Result<Permit, Ticket>, Full> {
        let mut queues = self.lock();
        if queues.free > 0 {
            queues.free -= 1;
            return Ok(Ok(Permit(Arc::clone(self))));
        }
        let left = if queues.waiting < self.waiting_max {
            None
        } else {
            Some(queues.send_away_for(client).ok_or(Full)?)
        };
        let (call, called) = oneshot::channel();
        let number = queues.join(client, call);
        drop(queues);
        // Wakes another task: after the lock is free.
        drop(left);
        Ok(Err(Ticket {
            permits: Arc::clone(self),
            client,
            number,
            called,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        // Nothing in between can panic.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    fn join(&mut self, client: Client, call: oneshot::Sender<Permit>) -> u64 {
        self.tickets += 1;
        self.waiting += 1;
        let number = self.tickets;
        let queue = self.by_client.entry(client).or_default();
        if queue.is_empty() {
            self.turns.push_back(client);
        }
        queue.push_back(Waiter { number, call });
        number
    }

    /// The first of the client whose turn it is.
    fn next(&mut self) -> Option<Waiter> {
        let client = self.turns.pop_front()?;
        let queue = self.by_client.get_mut(&client)?;
        let waiter = queue.pop_front()?;
        self.waiting -= 1;
        if queue.is_empty() {
            self.by_client.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        Some(waiter)
    }

    /// The last of the longest queue, if the client's own would still be no longer with one more in it.
    fn send_away_for(&mut self, client: Client) -> Option<Waiter> {
        let own = self.by_client.get(&client).map_or(0, VecDeque::len);
        let (longest, queue) = self.by_client.iter_mut().max_by_key(|(_, queue)| queue.len())?;
        if own + 1 >= queue.len() {
            return None;
        }
        let (longest, number) = (*longest, queue.back()?.number);
        self.leave(longest, number)
    }

    /// Takes one out of a queue; none: not there any more.
    fn leave(&mut self, client: Client, number: u64) -> Option<Waiter> {
        let queue = self.by_client.get_mut(&client)?;
        let at = queue.iter().position(|waiter| waiter.number == number)?;
        let waiter = queue.remove(at)?;
        self.waiting -= 1;
        if queue.is_empty() {
            self.by_client.remove(&client);
            self.turns.retain(|other| *other != client);
        }
        Some(waiter)
    }
}

impl Ticket {
    /// Waits for the permit.
    ///
    /// # Errors
    /// [`Full`] if it had to go to another client.
    pub(super) async fn called(mut self) -> Result<Permit, Full> {
        (&mut self.called).await.map_err(|_| Full)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // A permit that was handed over already is in the receiver, and is passed on when that is dropped.
        let left = self.permits.lock().leave(self.client, self.number);
        drop(left);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let next = {
            let mut queues = self.0.lock();
            let next = queues.next();
            queues.free += usize::from(next.is_none());
            next
        };
        if let Some(waiter) = next {
            // One that left in this instant returns it as the error, which is dropped and so passes it to the next.
            let _ = waiter.call.send(Self(Arc::clone(&self.0)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures::FutureExt as _;

    use super::*;

    fn client(last: u8) -> Client {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)).into()
    }

    fn permit(permits: &Arc<FairPermits>, last: u8) -> Permit {
        permits.enter(client(last)).unwrap().ok().unwrap()
    }

    fn ticket(permits: &Arc<FairPermits>, last: u8) -> Ticket {
        permits.enter(client(last)).unwrap().err().unwrap()
    }

    /// Who of these has been called.
    fn called(tickets: &mut [(u8, Ticket)]) -> Vec<(u8, Permit)> {
        let got = |(name, ticket): &mut (u8, Ticket)| Some((*name, ticket.called.try_recv().ok()?));
        tickets.iter_mut().filter_map(got).collect()
    }

    #[test]
    fn queues_take_turns_and_each_is_in_order() {
        let permits = FairPermits::new(1, 100);
        let mut free = Some(permit(&permits, 0));
        // The first client floods, two others come later.
        let mut tickets: Vec<(u8, Ticket)> = [1, 1, 1, 1, 2, 3, 2].map(|name| (name, ticket(&permits, name))).into();
        let mut order = Vec::new();
        while !tickets.is_empty() {
            drop(free.take());
            let mut now = called(&mut tickets);
            assert_eq!(now.len(), 1, "one permit, one call");
            let (name, permit) = now.remove(0);
            let first = tickets.iter().position(|(other, _)| *other == name).unwrap();
            assert!(tickets[first].1.called.is_terminated(), "the first in the queue");
            tickets.remove(first);
            order.push(name);
            free = Some(permit);
        }
        assert_eq!(order, [1, 2, 3, 1, 2, 1, 1]);
    }

    #[test]
    fn room_to_wait_obeyed_and_violated() {
        let permits = FairPermits::new(1, 2);
        let _permit = permit(&permits, 1);
        let _waiting = [ticket(&permits, 1), ticket(&permits, 1)];
        assert_eq!(permits.enter(client(1)).err(), Some(Full));
    }

    #[test]
    fn a_shorter_queue_gets_in_at_the_cost_of_the_longest() {
        let permits = FairPermits::new(1, 4);
        let _permit = permit(&permits, 1);
        let mut flood: Vec<_> = (0..4).map(|_| ticket(&permits, 1)).collect();
        let _second = ticket(&permits, 2);
        let mut last = flood.pop().unwrap();
        assert!(
            last.called
                .try_recv()
                .is_err_and(|e| e == oneshot::error::TryRecvError::Closed),
            "sent away"
        );
        let _third = ticket(&permits, 2);
        // Two and two: neither has more than the other.
        assert_eq!(permits.enter(client(2)).err(), Some(Full));
        assert_eq!(permits.enter(client(1)).err(), Some(Full));
        let _other = ticket(&permits, 3);
        assert_eq!(permits.lock().waiting, 4);
    }

    #[tokio::test]
    async fn a_permit_survives_whoever_leaves() {
        let permits = FairPermits::new(2, 100);
        let taken = [permit(&permits, 1), permit(&permits, 1)];
        let (one, two, three) = (ticket(&permits, 1), ticket(&permits, 2), ticket(&permits, 3));
        drop(two);
        drop(taken);
        // Called, and gone before it looked.
        drop(one);
        let last = three.called().now_or_never().unwrap();
        assert!(last.is_ok());
        drop(last);
        let queues = permits.lock();
        assert_eq!(
            (queues.free, queues.waiting, queues.turns.len(), queues.by_client.len()),
            (2, 0, 0, 0)
        );
    }
}
