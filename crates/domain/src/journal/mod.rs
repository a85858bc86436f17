//! The journal: entries, and the envelope of bytes in which they are stored.

mod entry;
mod envelope;

pub use entry::{
    CallEnded, CallOutcome, CallStarted, CallUncertain, Ended, Entry, ModelAttempt, Received, Recorded,
    TimerFired, ToolCall, Turn, TurnCut, TurnOutcome,
};
pub use envelope::{Envelope, EnvelopeError, READS_FORMAT, WRITES_FORMAT, open, seal};
