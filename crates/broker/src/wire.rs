//! What travels between processes: JSON with a version. Anything else is counted and ignored, so that two releases
//! can share a server.

use serde::{Deserialize, Serialize};

use agenticai_domain::ids::TaskId;

use crate::link::{LinkStats, count};
use crate::peer::{Peer, ProcessId};
use crate::{Live, Poke};

/// The version that this release writes and reads.
const VERSION: u32 = 1;

/// A message without its envelope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// Ready tasks exist.
    Hint,
    /// News for whoever holds the tasks.
    Pokes(Vec<Poke>),
    /// The sender reads these streams, for some seconds from now. `ask`: it wants to be told what others read.
    Reads { tasks: Vec<TaskId>, ask: bool },
    /// Events for the receiver's readers, of each task in order.
    Live(Vec<(TaskId, Vec<Live>)>),
}

#[derive(Serialize, Deserialize)]
struct Envelope<M> {
    v: u32,
    from: ProcessId,
    message: M,
}

/// A message of this process as text.
pub(crate) fn encode(peer: &Peer, message: &Message) -> String {
    // Strings, numbers and lists in memory: there is nothing in them that could fail.
    serde_json::to_string(&Envelope { v: VERSION, from: peer.id, message }).unwrap_or_default()
}

/// A message with its sender, who may be this process itself. `None` for what cannot be understood, which is counted.
pub(crate) fn decode(stats: &LinkStats, text: &[u8]) -> Option<(ProcessId, Message)> {
    match serde_json::from_slice::<Envelope<Message>>(text) {
        Ok(Envelope { v: VERSION, from, message }) => Some((from, message)),
        _ => {
            count(&stats.ignored);
            None
        }
    }
}

/// Like [`decode`], without what this process has sent itself.
pub(crate) fn decode_others(peer: &Peer, stats: &LinkStats, text: &[u8]) -> Option<(ProcessId, Message)> {
    decode(stats, text).filter(|(from, _)| *from != peer.id)
}
