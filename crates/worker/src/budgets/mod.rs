//! Paying for model calls out of budgets.
//!
//! The [`Purse`] of an incarnation holds its slices of the budgets that pay for its tasks. A [`Tab`] is opened for each
//! model call: the most that the call can cost is reserved before it is sent, what it did cost is charged with the entry
//! that says so, and the rest goes back into the slice. A call that does not fit waits as long as somebody may give
//! something back, and fails its task when nobody can.

mod keeper;
mod purse;
mod slice;
mod tab;

pub use keeper::keep;
pub use purse::{Customer, Purse};
pub use tab::{Bill, Tab};
