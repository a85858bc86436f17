//! What reaches a task from outside: signals, people's decisions, the ends of children. One inbox for all of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{StepId, TaskId};
use crate::task::{End, WaitKind};
use crate::usage::Spend;

/// A message in a task's inbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InboxMessage {
    /// Its number in the task's inbox, from 1, without holes.
    pub id: u64,
    /// What it says.
    pub body: InboxBody,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InboxBody {
    /// A named event from outside.
    Signal {
        /// What `wait_signal` waits for.
        name: String,
        /// Anything.
        payload: Value,
    },
    /// A person's consent to a call, or not.
    Approval {
        /// The step that waits.
        step: StepId,
        /// What was decided.
        decision: ApprovalDecision,
        /// Who decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A person's answer.
    Input {
        /// The step that waits.
        step: StepId,
        /// The answer.
        value: Value,
        /// Who answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A person's word on a call whose outcome is unknown.
    Resolve {
        /// The step that waits.
        step: StepId,
        /// What was decided.
        decision: ResolveDecision,
        /// Who decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A child task has ended.
    ChildEnded {
        /// The step that waits.
        step: StepId,
        /// The child.
        child: TaskId,
        /// How it ended.
        end: End,
        /// What it and its own children consumed.
        spend: Spend,
    },
}

impl InboxBody {
    /// The step it is for, where it names one.
    pub fn step(&self) -> Option<StepId> {
        match self {
            Self::Signal { .. } => None,
            Self::Approval { step, .. }
            | Self::Input { step, .. }
            | Self::Resolve { step, .. }
            | Self::ChildEnded { step, .. } => Some(*step),
        }
    }

    /// The kind of wait that it ends.
    pub fn ends(&self) -> WaitKind {
        match self {
            Self::Signal { .. } => WaitKind::Signal,
            Self::Approval { .. } => WaitKind::Approval,
            Self::Input { .. } => WaitKind::Input,
            Self::Resolve { .. } => WaitKind::Uncertain,
            Self::ChildEnded { .. } => WaitKind::Child,
        }
    }
}

/// What a person says to a call that needs consent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum ApprovalDecision {
    /// Send it.
    Approve,
    /// Send it with other arguments.
    Edit {
        /// The arguments to send.
        arguments: Value,
    },
    /// Do not send it; the model is told.
    Reject {
        /// Why, for the model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// What a person says of a call whose outcome is unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum ResolveDecision {
    /// It happened; this was its result.
    Done {
        /// What the tool answered, as far as is known.
        result: Value,
    },
    /// It did not happen: send it again.
    NotDone,
    /// End the task.
    Cancel,
}
