//! The stub's log as calls.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context as _;

use crate::stub::log::LogLine;

/// One call as the stub saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `llm`, `lookup`, `note` or `charge`.
    pub what: String,
    /// The task, as the caller said.
    pub task: Option<String>,
    /// The step, as the caller said.
    pub step: Option<String>,
    /// The epoch under which the caller held the task, as it said.
    pub epoch: Option<u32>,
    /// The idempotency key.
    pub key: Option<String>,
    /// Microseconds since 1970.
    pub begin_us: u64,
    /// Likewise; `None` where the client went away before the answer.
    pub end_us: Option<u64>,
    /// When the client went away, likewise.
    pub gone_us: Option<u64>,
}

impl Call {
    /// When it was over, one way or the other; `None`: never.
    pub fn over_us(&self) -> Option<u64> {
        self.end_us.or(self.gone_us)
    }

    /// Whether it was in flight at a time.
    pub fn in_flight_at(&self, us: u64) -> bool {
        self.begin_us < us && self.over_us().is_none_or(|end| end > us)
    }
}

/// Reads a log; calls come in the order in which they began.
pub fn read_log(path: &Path) -> anyhow::Result<Vec<Call>> {
    let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    let mut calls: Vec<Call> = Vec::new();
    let mut places = HashMap::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line: LogLine =
            serde_json::from_str(&line?).with_context(|| format!("{}:{}", path.display(), number + 1))?;
        if line.event == "begin" {
            places.insert(line.call, calls.len());
            calls.push(Call {
                what: line.what,
                task: line.tag,
                step: line.step,
                epoch: line.epoch.and_then(|epoch| epoch.parse().ok()),
                key: line.key,
                begin_us: line.at_us,
                end_us: None,
                gone_us: None,
            });
        } else {
            let place = places.get(&line.call).context("a call ends that never began")?;
            let call = &mut calls[*place];
            let ended = if line.event == "end" { &mut call.end_us } else { &mut call.gone_us };
            *ended = Some(line.at_us);
        }
    }
    Ok(calls)
}
