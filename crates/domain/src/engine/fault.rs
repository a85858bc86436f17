//! Planted faults: a test that proves invariants must find each of these, or it proves nothing.
//!
//! They exist only in this crate's tests; elsewhere `planted` is the constant `false` and the branches vanish.

/// A fault that can be planted into the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `once` calls are sent without a `started` entry before them.
    StartedSkipped,
    /// A `once` call that an earlier epoch started is sent again instead of being uncertain.
    UncertainRepeated,
    /// The epoch of `started` is forgotten, so that a call in flight looks lost.
    EpochIgnored,
    /// A run that ends in a wait claims to have seen an inbox that it has not.
    InboxNotChecked,
    /// A message is consumed and not remembered.
    ConsumedForgotten,
    /// An outcome is recorded again although its step has ended.
    DuplicateRecorded,
    /// A turn is numbered by attempts instead of by what is journaled.
    TurnRenumbered,
    /// Approval is not asked for.
    ApprovalSkipped,
    /// A timer fires before its time.
    TimerEarly,
    /// Limits are not looked at.
    LimitsIgnored,
    /// The cost of a child is dropped.
    ChildSpendDropped,
}

/// Every fault.
#[cfg(test)]
pub(crate) const ALL: [Fault; 11] = [
    Fault::StartedSkipped,
    Fault::UncertainRepeated,
    Fault::EpochIgnored,
    Fault::InboxNotChecked,
    Fault::ConsumedForgotten,
    Fault::DuplicateRecorded,
    Fault::TurnRenumbered,
    Fault::ApprovalSkipped,
    Fault::TimerEarly,
    Fault::LimitsIgnored,
    Fault::ChildSpendDropped,
];

#[cfg(test)]
pub(crate) use planting::{plant, planted};

/// Whether a fault is planted: never.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn planted(_: Fault) -> bool {
    false
}

#[cfg(test)]
mod planting {
    use super::Fault;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Plants a fault into this thread's engine; `None` mends it.
    pub(crate) fn plant(fault: Option<Fault>) {
        PLANTED.with(|cell| cell.set(fault));
    }

    /// Whether a fault is planted in this thread.
    pub(crate) fn planted(fault: Fault) -> bool {
        PLANTED.with(|cell| cell.get() == Some(fault))
    }
}
