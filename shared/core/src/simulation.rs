//! For tests of the real code under a clock, a chance and with safeguards of
//! their own: what a thread has set here holds for what runs on it. Without the
//! feature `simulation` nothing of it is compiled, and time is the system's.

#[cfg(feature = "simulation")]
pub use on::{Safeguard, enter, leave};
#[cfg(feature = "simulation")]
pub(crate) use on::{is_off, now, random};
#[cfg(not(feature = "simulation"))]
pub(crate) use without::{Safeguard, is_off, now, random};

#[cfg(feature = "simulation")]
mod on {
    use std::cell::RefCell;

    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    /// A rule that keeps the index right, to be switched off in order to show
    /// that a test notices.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Safeguard {
        /// What is gone leaves a tombstone.
        Tombstone,
        /// A row is only written as the one that was read.
        Rev,
        /// An event that is not later than what the row knows is not applied.
        Sequencer,
        /// Only the holder of its lease works at a segment.
        Lease,
        /// A scan that finds too much missing removes nothing.
        Guard,
        /// What scans may remove is one budget for all of them.
        Budget,
        /// The main objects of a sidecar are read again with it.
        SidecarMains,
        /// Rows remember the sidecars that they were made with.
        SidecarMemory,
        /// An event of a sidecar has the rows of its main objects written even where
        /// they are right.
        SidecarRev,
    }

    struct Simulation {
        chance: SmallRng,
        clock: Box<dyn Fn() -> i64>,
        off: Option<Safeguard>,
    }

    thread_local! {
        static CURRENT: RefCell<Option<Simulation>> = const { RefCell::new(None) };
    }

    /// From now on this thread's chance comes from `seed` and its time, in
    /// nanoseconds since the epoch, from `clock`; `off` does not hold.
    pub fn enter(seed: u64, clock: impl Fn() -> i64 + 'static, off: Option<Safeguard>) {
        let simulation = Simulation { chance: SmallRng::seed_from_u64(seed), clock: Box::new(clock), off };
        CURRENT.with_borrow_mut(|current| *current = Some(simulation));
    }

    /// Back to the system's.
    pub fn leave() {
        CURRENT.with_borrow_mut(|current| *current = None);
    }

    pub(crate) fn now() -> Option<i64> {
        CURRENT.with_borrow(|current| current.as_ref().map(|simulation| (simulation.clock)()))
    }

    pub(crate) fn random() -> Option<u128> {
        CURRENT.with_borrow_mut(|current| current.as_mut().map(|simulation| simulation.chance.random()))
    }

    pub(crate) fn is_off(safeguard: Safeguard) -> bool {
        CURRENT.with_borrow(|current| current.as_ref().is_some_and(|it| it.off == Some(safeguard)))
    }
}

#[cfg(not(feature = "simulation"))]
mod without {
    /// See the feature.
    #[derive(Clone, Copy)]
    pub(crate) enum Safeguard {
        Tombstone,
        Rev,
        Sequencer,
        Lease,
        Guard,
        Budget,
        SidecarMains,
        SidecarMemory,
        SidecarRev,
    }

    pub(crate) const fn now() -> Option<i64> {
        None
    }

    pub(crate) const fn random() -> Option<u128> {
        None
    }

    pub(crate) const fn is_off(_: Safeguard) -> bool {
        false
    }
}
