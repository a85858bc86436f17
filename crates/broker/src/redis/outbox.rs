//! Events that wait for the next batch.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use agenticai_domain::ids::TaskId;

use crate::peer::ProcessId;
use crate::{Live, Token};

/// Bytes that may wait, roughly; what comes on top is dropped.
const BYTES: usize = 4 * 1024 * 1024;

/// Bytes of one message, roughly.
const MESSAGE_BYTES: usize = 256 * 1024;

/// What an event takes besides its text.
const EVENT_BYTES: usize = 128;

/// The events of some tasks, of each in order.
pub(super) type Batch = Vec<(TaskId, Vec<Live>)>;

/// Events by receiver and task.
#[derive(Default)]
pub(super) struct Outbox(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    events: HashMap<ProcessId, HashMap<TaskId, Vec<Live>>>,
    bytes: usize,
}

impl Outbox {
    /// Takes an event for a process; answers whether there was room. Pieces of one answer that follow each other
    /// become one piece.
    pub(super) fn push(&self, to: ProcessId, task: TaskId, event: Live) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = size(&event);
        if waiting.bytes + bytes > BYTES {
            return false;
        }
        waiting.bytes += bytes;
        let events = waiting.events.entry(to).or_default().entry(task).or_default();
        match (events.last_mut(), event) {
            (Some(Live::Token(last)), Live::Token(next)) if follows(last, &next) => last.text += &next.text,
            // Only the newest position matters.
            (Some(Live::Appended { last_seq }), Live::Appended { last_seq: next }) => {
                *last_seq = next.max(*last_seq)
            }
            (_, event) => events.push(event),
        }
        true
    }

    /// Takes all, cut into messages.
    pub(super) fn take(&self) -> Vec<(ProcessId, Batch)> {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut batches = Vec::new();
        for (process, tasks) in waiting.events {
            let (mut batch, mut bytes) = (Batch::new(), 0);
            for (task, events) in tasks {
                let more: usize = events.iter().map(size).sum();
                if bytes > 0 && bytes + more > MESSAGE_BYTES {
                    batches.push((process, std::mem::take(&mut batch)));
                    bytes = 0;
                }
                bytes += more;
                batch.push((task, events));
            }
            batches.push((process, batch));
        }
        batches
    }
}

fn size(event: &Live) -> usize {
    match event {
        Live::Token(token) => EVENT_BYTES + token.text.len(),
        Live::Started { name, .. } => EVENT_BYTES + name.len(),
        Live::Appended { .. } => EVENT_BYTES,
    }
}

/// Whether a piece goes on where another ends.
fn follows(last: &Token, next: &Token) -> bool {
    let same = (last.step, last.epoch, last.attempt) == (next.step, next.epoch, next.attempt);
    same && last.offset + last.text.chars().count() as u64 == next.offset
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use agenticai_domain::ids::StepId;
    use uuid::Uuid;

    fn token(offset: u64, text: &str) -> Live {
        Live::Token(Token { step: StepId::model(1), epoch: 1, attempt: 1, offset, text: text.to_owned() })
    }

    #[test]
    fn pieces_that_follow_become_one_and_order_is_kept() {
        let (outbox, to, task) =
            (Outbox::default(), ProcessId(Uuid::from_u128(1)), TaskId(Uuid::from_u128(2)));
        let appended = |last_seq| Live::Appended { last_seq };
        for event in
            [token(0, "Grü"), token(3, "ße"), token(9, "gap"), appended(1), appended(2), token(0, "new")]
        {
            assert!(outbox.push(to, task, event));
        }
        let expected = vec![token(0, "Grüße"), token(9, "gap"), appended(2), token(0, "new")];
        assert_eq!(outbox.take(), vec![(to, vec![(task, expected)])]);
        assert!(outbox.take().is_empty());
    }

    #[test]
    fn what_waits_is_bounded_and_messages_are_cut() {
        let (outbox, to) = (Outbox::default(), ProcessId(Uuid::from_u128(1)));
        let text = "x".repeat(100_000);
        let taken =
            (0..100).filter(|n| outbox.push(to, TaskId(Uuid::from_u128(*n)), token(0, &text))).count();
        assert_eq!(taken, BYTES / (100_000 + EVENT_BYTES));
        let batches = outbox.take();
        assert!(batches.iter().all(|(_, batch)| batch.len() <= 2), "messages are too large");
        assert!(outbox.push(to, TaskId(Uuid::from_u128(1)), token(0, &text)), "taking made no room");
    }
}
