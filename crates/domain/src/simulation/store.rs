//! A store of one task, as the contract of the real ones says.

use crate::engine::{After, Run};
use crate::inbox::{InboxBody, InboxMessage};
use crate::journal::{Ended, Entry, Recorded};
use crate::task::{End, TaskError};

#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    Ready,
    Running { worker: usize },
    Waiting { wake_at: Option<i64> },
    Ended(End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Accepted { at: i64 },
    Fenced,
    Overtaken,
    InboxMoved,
    Terminal,
}

pub struct Store {
    pub journal: Vec<Recorded>,
    /// The run id of each entry, by which a resend is recognized.
    runs: Vec<u64>,
    pub inbox: Vec<InboxMessage>,
    dedupe: Vec<String>,
    pub row: Row,
    pub epoch: u32,
    pub now: i64,
}

impl Store {
    pub fn new(now: i64) -> Self {
        Self {
            journal: Vec::new(),
            runs: Vec::new(),
            inbox: Vec::new(),
            dedupe: Vec::new(),
            row: Row::Ready,
            epoch: 0,
            now,
        }
    }

    pub fn claim(&mut self, worker: usize) -> Option<u32> {
        if self.row != Row::Ready {
            return None;
        }
        self.epoch += 1;
        self.row = Row::Running { worker };
        Some(self.epoch)
    }

    /// The task of a worker that was declared dead, living or not.
    pub fn take_over(&mut self) {
        if let Row::Running { .. } = self.row {
            self.row = Row::Ready;
        }
    }

    pub fn append(&mut self, worker: usize, epoch: u32, id: u64, run: &Run) -> Outcome {
        let first = run.first_seq as usize - 1;
        if self.runs.get(first) == Some(&id) {
            return Outcome::Accepted { at: self.journal[first].at };
        }
        if let Row::Ended(_) = self.row {
            return Outcome::Terminal;
        }
        if self.row != (Row::Running { worker }) || self.epoch != epoch {
            return Outcome::Fenced;
        }
        if first != self.journal.len() {
            return Outcome::Overtaken;
        }
        if let After::Wait { inbox_seen, .. } = &run.after
            && *inbox_seen < self.inbox.len() as u64
        {
            return Outcome::InboxMoved;
        }
        for entry in &run.entries {
            let seq = self.journal.len() as u64 + 1;
            self.journal.push(Recorded { seq, epoch, at: self.now, entry: entry.clone() });
            self.runs.push(id);
        }
        match &run.after {
            After::Continue => {}
            After::Wait { wake_at, .. } => self.row = Row::Waiting { wake_at: *wake_at },
            After::End(end) => self.row = Row::Ended(end.clone()),
        }
        Outcome::Accepted { at: self.now }
    }

    pub fn deliver(&mut self, dedupe: String, body: InboxBody) -> bool {
        if matches!(self.row, Row::Ended(_)) || self.dedupe.contains(&dedupe) {
            return false;
        }
        self.dedupe.push(dedupe);
        self.inbox.push(InboxMessage { id: self.inbox.len() as u64 + 1, body });
        if let Row::Waiting { .. } = self.row {
            self.row = Row::Ready;
        }
        true
    }

    pub fn wake_due(&mut self) {
        if let Row::Waiting { wake_at: Some(at) } = self.row
            && at <= self.now
        {
            self.row = Row::Ready;
        }
    }

    /// A cancel from outside.
    pub fn cancel(&mut self) {
        if matches!(self.row, Row::Ended(_)) {
            return;
        }
        let end = End::Cancelled { error: TaskError::new("cancelled", "simulated") };
        let seq = self.journal.len() as u64 + 1;
        let entry = Entry::Ended(Ended { end: end.clone() });
        self.journal.push(Recorded { seq, epoch: self.epoch, at: self.now, entry });
        self.runs.push(0);
        self.row = Row::Ended(end);
    }
}
