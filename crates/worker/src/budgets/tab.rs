//! One model call: what is reserved for it, and the bill for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agenticai_agent::models::Bound;
use agenticai_domain::budget::Amount;
use agenticai_domain::task::TaskError;
use agenticai_domain::usage::Spend;
use agenticai_store::{Charge, StoreError};

use super::purse::{Customer, Key, Purse};

/// What is reserved in several slices. Dropped, it is free again.
pub(super) struct Hold {
    purse: Arc<Purse>,
    amount: Amount,
    keys: Vec<Key>,
}

impl Hold {
    pub(super) fn new(purse: Arc<Purse>, amount: Amount) -> Self {
        Self { purse, amount, keys: Vec::new() }
    }

    /// It is reserved in this slice too.
    pub(super) fn push(&mut self, key: Key) {
        self.keys.push(key);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        for key in &self.keys {
            self.purse.release(*key, self.amount);
        }
    }
}

/// A model call that is about to be paid for.
pub struct Tab {
    /// Absent: nobody bounds what the task spends.
    payer: Option<(Arc<Purse>, Arc<Customer>)>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    hold: Option<Hold>,
    cut_off: Option<Spend>,
}

impl Tab {
    /// Opens a tab.
    pub fn new(payer: Option<(Arc<Purse>, Arc<Customer>)>) -> Self {
        Self { payer, open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves the most that the call can cost. To be called before it is sent; the error fails the task.
    pub async fn reserve(&self, bound: &Bound) -> Result<(), TaskError> {
        if let Some((purse, customer)) = &self.payer {
            let hold = purse.reserve(customer, bound).await?;
            self.open().hold = Some(hold);
        }
        self.open().cut_off = Some(bound.cut_off);
        Ok(())
    }

    /// What it has cost if it is cut off now, by estimate; `None` where it was not sent.
    pub fn cut_off(&self) -> Option<Spend> {
        self.open().cut_off
    }

    /// The bill of a call that has ended; `None` where nobody has to pay.
    pub fn bill(&self, spend: Spend) -> Option<Bill> {
        let hold = self.open().hold.take()?;
        Some(Bill { hold, amount: spend.into() })
    }
}

/// What a call has cost, to be charged with the entry that says so. Dropped unpaid, it has cost nothing.
pub struct Bill {
    hold: Hold,
    amount: Amount,
}

impl Bill {
    /// Sees to it that the slices hold as much as it cost. A provider that tells more than could be foreseen is believed.
    pub async fn cover(&mut self) -> Result<(), StoreError> {
        let more = self.amount.minus(self.hold.amount);
        if more.is_zero() {
            return Ok(());
        }
        for key in &self.hold.keys {
            self.hold.purse.overdraw(*key, more).await?;
        }
        self.hold.amount = self.hold.amount.plus(more);
        Ok(())
    }

    /// What it takes from which slice.
    pub fn charges(&self) -> impl Iterator<Item = Charge> {
        let amount = self.amount;
        let keys = if amount.is_zero() { &[][..] } else { &self.hold.keys };
        keys.iter().map(move |(budget, period_start)| Charge {
            budget: *budget,
            period_start: *period_start,
            amount,
        })
    }

    /// The entry is committed.
    pub fn paid(self) {
        for key in &self.hold.keys {
            self.hold.purse.spend(*key, self.amount);
        }
    }
}
