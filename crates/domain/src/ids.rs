//! Names of things. Every id is a UUID; ids of tasks are version 7, so that they sort by time of creation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(
    /// A tenant: every row of every table belongs to one.
    TenantId
);
id!(
    /// A person or program that acts for a tenant.
    UserId
);
id!(
    /// A named agent; its versions share the id.
    AgentId
);
id!(
    /// One request to one agent version.
    TaskId
);
id!(
    /// A rule that creates tasks.
    ScheduleId
);
id!(
    /// A bound on what tasks may spend together.
    BudgetId
);
id!(
    /// A conversation, whose tasks run one after another.
    ThreadId
);

/// The identity of a step: fixed when its turn is committed, the same through every replay, takeover and retry.
///
/// A model call is the number of its turn (`3`); a tool call is the turn and the call's index in it (`3.0`).
/// In an agent of kind `tool` the one call is `1.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId {
    /// The model turn, counted from 1.
    pub turn: u32,
    /// Index of the call in the turn, from 0; `None` for the model call itself.
    pub call: Option<u32>,
}

impl StepId {
    /// The model call that makes turn `turn`.
    pub fn model(turn: u32) -> Self {
        Self { turn, call: None }
    }

    /// Call `call` of turn `turn`.
    pub fn call(turn: u32, call: u32) -> Self {
        Self { turn, call: Some(call) }
    }

    /// The `Idempotency-Key` of the step. It depends on nothing but task and step: not on attempt, worker or epoch.
    pub fn idempotency_key(&self, task: TaskId) -> String {
        format!("{task}/{self}")
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.call {
            None => write!(f, "{}", self.turn),
            Some(call) => write!(f, "{}.{call}", self.turn),
        }
    }
}

impl FromStr for StepId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is no step: write a turn (`3`) or a call of a turn (`3.0`)");
        let (turn, call) = match text.split_once('.') {
            None => (text, None),
            Some((turn, call)) => (turn, Some(call.parse().map_err(|_| bad())?)),
        };
        Ok(Self { turn: turn.parse().map_err(|_| bad())?, call })
    }
}

impl Serialize for StepId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StepId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for StepId {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        String::schema()
    }
}
impl utoipa::ToSchema for StepId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_read_back_as_they_were_written() {
        for text in ["1", "12", "3.0", "7.11"] {
            assert_eq!(text.parse::<StepId>().map(|s| s.to_string()), Ok(text.to_owned()));
        }
        for text in ["", ".", "1.", "x", "1.2.3", "-1"] {
            assert!(text.parse::<StepId>().is_err(), "{text}");
        }
    }
}
