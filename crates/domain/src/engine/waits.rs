//! What a task waits for, in words for people and programs.

use serde_json::{Value, json};

use super::agent::Agent;
use super::begin::ASK_HUMAN;
use super::state::{CallStatus, State};
use crate::task::{WaitKind, WaitingFor};

impl State {
    /// When the next wait ends by itself, milliseconds since 1970.
    pub fn next_due(&self) -> Option<i64> {
        self.open_calls()
            .filter_map(|(_, call)| match &call.status {
                CallStatus::Waiting(wait) => wait.expires_at,
                _ => None,
            })
            .min()
    }

    /// Every wait, in the order of the calls.
    pub fn waiting_for(&self, agent: &Agent) -> Vec<WaitingFor> {
        self.open_calls()
            .filter_map(|(step, _)| {
                let (call, written, arguments) = self.call(step)?;
                let (kind, expires_at, child, note) = match &call.status {
                    CallStatus::Waiting(wait) => (wait.kind, wait.expires_at, wait.child, None),
                    CallStatus::Uncertain { reason } => {
                        (WaitKind::Uncertain, None, None, Some(reason.clone()))
                    }
                    _ => return None,
                };
                let tool = call.tool.and_then(|index| agent.tool(index))?;
                let question = || Some(arguments.get("question")?.as_str()?.to_owned());
                let asks = tool.source.builtin() == Some(ASK_HUMAN);
                let schema: Option<Value> = match kind {
                    WaitKind::Input => {
                        Some(arguments.get("schema").cloned().unwrap_or_else(|| json!({"type": "string"})))
                    }
                    WaitKind::Approval => Some(tool.parameters.clone()),
                    _ => None,
                };
                Some(WaitingFor {
                    step,
                    kind,
                    tool: written.name.clone(),
                    arguments: arguments.clone(),
                    schema,
                    expires_at,
                    child,
                    note: note.or_else(|| if asks { question() } else { None }),
                })
            })
            .collect()
    }
}
