//! Passing an answer's words on while they come.

use std::time::Duration;

use tokio::time::Instant;

/// Who takes the pieces of an answer.
pub trait TokenSink: Send {
    /// Whether anybody listens. Asked again and again: a reader may come while the answer does.
    fn wanted(&self) -> bool;
    /// A piece of the answer of `attempt`, after the first `offset` characters of it. Pieces of an attempt have no
    /// gaps; a higher attempt begins anew.
    fn piece(&mut self, attempt: u32, offset: u64, text: &str);
}

/// Where nobody ever listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl TokenSink for NoSink {
    fn wanted(&self) -> bool {
        false
    }
    fn piece(&mut self, _: u32, _: u64, _: &str) {}
}

/// The shortest time between two pieces: what comes in between goes with the next.
const GATHER: Duration = Duration::from_millis(30);

/// The pieces of one attempt.
pub(super) struct Pieces<'a> {
    sink: &'a mut dyn TokenSink,
    attempt: u32,
    /// How much has been passed on, in bytes and in characters.
    sent: usize,
    offset: u64,
    last: Option<Instant>,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(sink: &'a mut dyn TokenSink, attempt: u32) -> Self {
        Self { sink, attempt, sent: 0, offset: 0, last: None }
    }

    /// Called whenever `text`, the answer so far, may have grown: passes the new part on, or says when it is due.
    pub(super) fn offer(&mut self, text: &str) -> Option<Instant> {
        if text.len() == self.sent || !self.sink.wanted() {
            return None;
        }
        let due = self.last.map(|last| last + GATHER).filter(|due| *due > Instant::now());
        if due.is_none() {
            self.pass(text);
        }
        due
    }

    /// The answer is complete.
    pub(super) fn finish(&mut self, text: &str) {
        if text.len() != self.sent && self.sink.wanted() {
            self.pass(text);
        }
    }

    fn pass(&mut self, text: &str) {
        let Some(new) = text.get(self.sent..) else { return };
        self.sink.piece(self.attempt, self.offset, new);
        self.sent = text.len();
        self.offset += new.chars().count() as u64;
        self.last = Some(Instant::now());
    }
}
