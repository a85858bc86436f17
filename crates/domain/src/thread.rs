//! Threads: conversations, whose tasks run one after another.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::spec::check_plain_name;

/// Tasks of a thread that wait for their turn at most.
pub const MOST_QUEUED: u32 = 1_000;

/// What becomes of a task that is created while another one of its thread is active. A task is active from the moment
/// it may be given to a worker until it has ended, also while it waits for something from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IfActive {
    /// It waits for its turn, behind those that wait already.
    #[default]
    Queue,
    /// It is not created.
    Reject,
    /// The active task is cancelled, and the new one starts once that has ended, before those that wait.
    Interrupt,
    /// The active task and all that wait are cancelled, and the new one starts once the active one has ended.
    Replace,
}

impl IfActive {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Queue, Self::Reject, Self::Interrupt, Self::Replace];

    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Reject => "reject",
            Self::Interrupt => "interrupt",
            Self::Replace => "replace",
        }
    }

    /// Whether other tasks are cancelled for the new one.
    pub fn supersedes(self) -> bool {
        matches!(self, Self::Interrupt | Self::Replace)
    }
}

/// Whether a text can name a thread; the error says what can. Threads are addressed by name or id in one place: a name
/// must not look like an id.
pub fn check_name(name: &str) -> Result<(), String> {
    check_plain_name(name)?;
    match Uuid::parse_str(name) {
        Ok(_) => Err("looks like an id: choose another name".to_owned()),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_is_no_id() {
        for good in ["a", "customer-17", "0_x"] {
            check_name(good).unwrap();
        }
        for bad in [
            "",
            "Customer",
            "a b",
            "0190a1b2-0000-7000-8000-000000000000",
            "0190a1b2000070008000000000000000",
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ways_read_as_they_are_written() {
        for way in IfActive::ALL {
            assert_eq!(serde_json::to_value(way).unwrap(), way.as_str());
        }
    }
}
