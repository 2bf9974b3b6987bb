//! What is known of each connection of a port, and which one gives way when
//! there are too many.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often a connection looks whether it has been slow for too long.
const TICK: Duration = Duration::from_millis(500);

/// What a port allows its clients.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// From the first byte of a request's head, or from the beginning of the
    /// connection, to the head's end.
    pub head: Duration,
    /// Between two requests of a connection.
    pub idle: Duration,
    /// How long a body may keep us waiting in all, besides what its bytes allow.
    pub body: Duration,
    /// Bytes of a body that allow another second of waiting.
    pub bytes_per_second: u64,
    /// How long a client that was refused, and sends nothing any more, may take to
    /// read why.
    pub linger: Duration,
    /// How long one may go on sending: some clients read no answer before they
    /// have sent their whole body.
    pub drain: Duration,
    /// How long requests under way may take once the endpoint is told to stop.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            body: Duration::from_secs(10),
            bytes_per_second: 1024,
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(30),
            shutdown: Duration::from_secs(10),
        }
    }
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The head of a request is being read.
    Head,
    /// A request is being answered.
    Busy,
    /// Waiting for the next request.
    Idle,
    /// Answered for the last time; what the client still sends is dropped.
    Closing,
}

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct State {
    peer: IpAddr,
    phase: Mutex<(Phase, Instant)>,
    is_verified: AtomicBool,
    has_unread_body: AtomicBool,
    evicted: CancellationToken,
}

impl State {
    pub(crate) fn new(peer: IpAddr) -> Arc<Self> {
        Arc::new(Self {
            peer,
            phase: Mutex::new((Phase::Head, Instant::now())),
            is_verified: AtomicBool::new(false),
            has_unread_body: AtomicBool::new(false),
            evicted: CancellationToken::new(),
        })
    }

    fn now(&self) -> (Phase, Instant) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = (phase, Instant::now());
    }

    /// Bytes have arrived: between two requests, they begin a head.
    pub(crate) fn received(&self) {
        let mut now = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if now.0 == Phase::Idle {
            *now = (Phase::Head, Instant::now());
        }
    }

    /// The answer has been written.
    pub(crate) fn answered(&self) {
        let mut now = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if now.0 == Phase::Busy {
            *now = (Phase::Idle, Instant::now());
        }
    }

    pub(crate) fn set_unread_body(&self, is_unread: bool) {
        self.has_unread_body.store(is_unread, Ordering::Relaxed);
    }

    pub(crate) fn has_unread_body(&self) -> bool {
        self.has_unread_body.load(Ordering::Relaxed)
    }

    /// Completes, with the reason for the log, when the connection must end
    /// whatever its client wants.
    pub(crate) async fn must_end(&self, limits: &Limits, stop: &CancellationToken) -> &'static str {
        loop {
            let (phase, since) = self.now();
            if stop.is_cancelled() && phase != Phase::Busy {
                return "the endpoint stops";
            }
            let limit = match phase {
                Phase::Head => Some(limits.head),
                Phase::Idle => Some(limits.idle),
                // Bodies have their own limit, and lingering has.
                Phase::Busy | Phase::Closing => None,
            };
            let elapsed = since.elapsed();
            let wait = match limit {
                Some(limit) if elapsed >= limit => return "no whole request arrived in time",
                Some(limit) => TICK.min(limit.saturating_sub(elapsed)),
                None => TICK,
            };
            tokio::select! {
                () = self.evicted.cancelled() => return "it gave way to a new connection",
                () = stop.cancelled(), if !stop.is_cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// Who sent a request, as far as the connection knows: an extension of every
/// request that a handler gets.
#[derive(Debug, Clone)]
pub struct Caller(pub(crate) Arc<State>);

impl Caller {
    /// Whether the connection comes from this machine.
    pub fn is_on_this_machine(&self) -> bool {
        self.0.peer.to_canonical().is_loopback()
    }

    /// Notes that the signature of a request of this connection holds. Such a
    /// connection does not give way to new ones while a request is answered.
    pub fn set_verified(&self) {
        self.0.is_verified.store(true, Ordering::Relaxed);
    }
}

/// The connections of a port.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: Mutex<BTreeMap<u64, Arc<State>>>,
    next: AtomicU64,
}

/// The place of a connection; dropped when it ends.
pub(crate) struct Place {
    connections: Arc<Connections>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

impl Connections {
    /// A place for a new connection. At the limit, a client that never sent a
    /// valid signature gives way, the one first that has been at its present
    /// request the longest; then a verified client between two requests.
    /// `None` where all are verified and busy.
    pub(crate) fn place(self: &Arc<Self>, state: &Arc<State>, limit: usize) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= limit {
            let (number, given_up) = open
                .iter()
                .map(|(number, state)| {
                    let (phase, since) = state.now();
                    let is_verified = state.is_verified.load(Ordering::Relaxed);
                    ((is_verified, since), phase, *number)
                })
                .filter(|((is_verified, _), phase, _)| {
                    !is_verified || matches!(phase, Phase::Idle | Phase::Closing)
                })
                .min_by_key(|(order, _, _)| *order)
                .and_then(|(_, _, number)| open.get(&number).map(|state| (number, Arc::clone(state))))?;
            given_up.evicted.cancel();
            open.remove(&number);
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        open.insert(number, Arc::clone(state));
        Some(Place { connections: Arc::clone(self), number })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// The connections, and the one that gives way.
    type Case = (&'static [(bool, Phase)], Option<usize>);

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test(start_paused = true)]
    async fn who_gives_way() {
        use Phase::{Busy, Closing, Head, Idle};
        // Verified and phase of each connection in the order of their age;
        // which one gives way.
        let table: [Case; 7] = [
            (&[(false, Head), (false, Head)], Some(0)),
            (&[(false, Busy), (false, Head)], Some(0)),
            (&[(true, Idle), (false, Head)], Some(1)),
            (&[(true, Busy), (true, Idle)], Some(1)),
            (&[(true, Idle), (true, Idle)], Some(0)),
            (&[(true, Closing), (true, Busy)], Some(0)),
            (&[(true, Busy), (true, Head)], None),
        ];
        for (clients, want) in table {
            let connections = Arc::new(Connections::default());
            let mut open = Vec::new();
            for (is_verified, phase) in clients {
                let state = State::new(HERE);
                let place = connections.place(&state, clients.len()).unwrap();
                state.enter(*phase);
                if *is_verified {
                    Caller(Arc::clone(&state)).set_verified();
                }
                open.push((state, place));
                tokio::time::advance(Duration::from_secs(1)).await;
            }
            let new = connections.place(&State::new(HERE), clients.len());
            let gone = open.iter().position(|(state, _)| state.evicted.is_cancelled());
            assert_eq!((new.is_some(), gone), (want.is_some(), want), "{clients:?}");
        }
        let connections = Arc::new(Connections::default());
        for _ in 0..10 {
            // A place that was left is free.
            drop(connections.place(&State::new(HERE), 1).unwrap());
        }
        assert_eq!(connections.open.lock().unwrap().len(), 0);
    }

    #[test]
    fn a_port_takes_512_connections_and_bodies_of_a_kibibyte_a_second() {
        let Limits { connections, head, body, bytes_per_second, .. } = Limits::default();
        assert_eq!((connections, bytes_per_second), (512, 1024));
        assert_eq!((head, body), (Duration::from_secs(10), Duration::from_secs(10)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_ends() {
        let (limits, stop) = (Limits::default(), CancellationToken::new());
        let table = [(Phase::Head, Some(10)), (Phase::Idle, Some(60)), (Phase::Busy, None)];
        for (phase, seconds) in table {
            let state = State::new(HERE);
            state.enter(phase);
            let begun = Instant::now();
            let ended = tokio::time::timeout(Duration::from_secs(300), state.must_end(&limits, &stop)).await;
            assert_eq!(ended.ok().map(|_| begun.elapsed().as_secs()), seconds, "{phase:?}");
        }
    }
}
