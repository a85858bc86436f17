//! A worker's slice of one budget in one period, as its memory has it.

use std::sync::Arc;

use tokio::time::Instant;

use agenticai_domain::budget::Amount;

/// So much was granted, so much of it is spent by committed entries, so much is reserved for calls under way.
#[derive(Debug)]
pub(super) struct Slice {
    granted: Amount,
    spent: Amount,
    reserved: Amount,
    used: Instant,
    /// One draw or give-back at a time: the store's answer tells how large the slice is, not by how much it grew.
    pub(super) changing: Arc<tokio::sync::Mutex<()>>,
}

impl Slice {
    pub(super) fn new() -> Self {
        Self {
            granted: Amount::default(),
            spent: Amount::default(),
            reserved: Amount::default(),
            used: Instant::now(),
            changing: Arc::default(),
        }
    }

    /// Neither spent nor reserved.
    pub(super) fn free(&self) -> Amount {
        self.granted.minus(self.spent).minus(self.reserved)
    }

    /// What may not be given back.
    pub(super) fn bound(&self) -> Amount {
        self.spent.plus(self.reserved)
    }

    /// What is lacking for a reservation.
    pub(super) fn lack(&self, need: Amount) -> Amount {
        need.minus(self.free())
    }

    pub(super) fn reserve(&mut self, need: Amount) {
        self.reserved = self.reserved.plus(need);
        self.used = Instant::now();
    }

    pub(super) fn release(&mut self, reserved: Amount) {
        self.reserved = self.reserved.minus(reserved);
    }

    pub(super) fn spend(&mut self, amount: Amount) {
        self.spent = self.spent.plus(amount);
        self.used = Instant::now();
    }

    /// Takes over what the store says of its size.
    pub(super) fn grant(&mut self, granted: Amount) {
        self.granted = granted;
    }

    pub(super) fn is_idle_since(&self, time: Instant) -> bool {
        self.used <= time && !self.free().is_zero()
    }

    /// Whether nothing hangs on it: what it has spent the store knows.
    pub(super) fn is_over(&self) -> bool {
        self.reserved.is_zero() && self.free().is_zero()
    }
}

#[cfg(test)]
mod tests {
    use agenticai_domain::usage::NanoUsd;

    use super::*;

    fn tokens(tokens: u64) -> Amount {
        Amount { tokens, cost: NanoUsd(0) }
    }

    #[test]
    fn what_is_free_is_neither_spent_nor_reserved() {
        let mut slice = Slice::new();
        slice.grant(tokens(100));
        slice.reserve(tokens(60));
        assert_eq!(
            (slice.free(), slice.lack(tokens(50)), slice.bound()),
            (tokens(40), tokens(10), tokens(60))
        );
        slice.spend(tokens(20));
        slice.release(tokens(60));
        assert_eq!((slice.free(), slice.bound()), (tokens(80), tokens(20)));
        assert!(slice.is_idle_since(Instant::now()));
    }
}
