//! What the stub counts.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counters of one stub.
#[derive(Default)]
pub struct Stats {
    /// Model calls begun.
    pub llm_calls: AtomicU64,
    /// Model calls answered.
    pub llm_answered: AtomicU64,
    /// Tool calls begun.
    pub tool_calls: AtomicU64,
    /// Calls that name no task.
    pub untagged: AtomicU64,
    models_in_flight: AtomicU64,
    max_in_flight: AtomicU64,
    tools_in_flight: AtomicU64,
    /// Model calls repeated although one for the same state of the conversation had been answered.
    repeated_after_answer: AtomicU64,
    tags: Mutex<HashMap<String, Tag>>,
    performed: Mutex<HashSet<String>>,
}

/// Calls that were made again for the same run tag and state of the conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repeated {
    /// Model calls.
    pub models: u64,
    /// Those of them that began when an earlier one had been answered.
    pub models_after_answer: u64,
    /// Tool calls.
    pub tools: u64,
}

/// What one run did.
#[derive(Default)]
struct Tag {
    llm: HashMap<usize, Seen>,
    tool: HashMap<String, u64>,
}

#[derive(Default)]
struct Seen {
    calls: u64,
    answered: u64,
}

/// Counts a call as in flight until dropped, also when the client goes away.
pub struct InFlight<'a>(&'a AtomicU64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stats {
    /// A model call begins.
    pub fn model_begins(&self) -> InFlight<'_> {
        let now = self.models_in_flight.fetch_add(1, Relaxed) + 1;
        self.max_in_flight.fetch_max(now, Relaxed);
        InFlight(&self.models_in_flight)
    }

    /// A tool call begins.
    pub fn tool_begins(&self) -> InFlight<'_> {
        self.tools_in_flight.fetch_add(1, Relaxed);
        InFlight(&self.tools_in_flight)
    }

    /// Calls that have begun and not ended.
    pub fn in_flight(&self) -> u64 {
        self.models_in_flight.load(Relaxed) + self.tools_in_flight.load(Relaxed)
    }

    /// A model call of run `tag` with `n` tool results in its messages.
    pub fn count_model(&self, tag: Option<&str>, n: usize) {
        let Some(tag) = tag else {
            self.untagged.fetch_add(1, Relaxed);
            return;
        };
        let mut tags = lock(&self.tags);
        let seen = tags.entry(tag.to_owned()).or_default().llm.entry(n).or_default();
        seen.calls += 1;
        if seen.answered > 0 {
            self.repeated_after_answer.fetch_add(1, Relaxed);
        }
    }

    /// That model call is answered.
    pub fn count_answer(&self, tag: Option<&str>, n: usize) {
        self.llm_answered.fetch_add(1, Relaxed);
        let Some(tag) = tag else { return };
        if let Some(seen) = lock(&self.tags).get_mut(tag).and_then(|tag| tag.llm.get_mut(&n)) {
            seen.answered += 1;
        }
    }

    /// A tool call of run `tag`, told apart by its name and arguments.
    pub fn count_tool(&self, tag: Option<&str>, call: String) {
        match tag {
            None => drop(self.untagged.fetch_add(1, Relaxed)),
            Some(tag) => {
                *lock(&self.tags).entry(tag.to_owned()).or_default().tool.entry(call).or_default() += 1
            }
        }
    }

    /// A tool did what it does.
    pub fn perform(&self, key: &str) {
        lock(&self.performed).insert(key.to_owned());
    }

    /// Whether it did.
    pub fn performed(&self, key: &str) -> bool {
        lock(&self.performed).contains(key)
    }

    /// What was repeated.
    pub fn repeated(&self) -> Repeated {
        let tags = lock(&self.tags);
        let again = |calls: u64| calls.saturating_sub(1);
        Repeated {
            models: tags.values().flat_map(|tag| tag.llm.values()).map(|seen| again(seen.calls)).sum(),
            models_after_answer: self.repeated_after_answer.load(Relaxed),
            tools: tags.values().flat_map(|tag| tag.tool.values()).map(|calls| again(*calls)).sum(),
        }
    }

    /// Back to zero; what is in flight stays so.
    pub fn reset(&self) {
        let counters = [
            &self.llm_calls,
            &self.llm_answered,
            &self.tool_calls,
            &self.untagged,
            &self.repeated_after_answer,
        ];
        counters.into_iter().for_each(|counter| counter.store(0, Relaxed));
        self.max_in_flight.store(self.models_in_flight.load(Relaxed), Relaxed);
        lock(&self.tags).clear();
        lock(&self.performed).clear();
    }

    /// As `GET /stats` answers.
    pub fn to_json(&self, steps: usize) -> serde_json::Value {
        let repeated = self.repeated();
        let tags = lock(&self.tags);
        let mut finished = 0;
        let mut by_tag = serde_json::Map::new();
        for (name, tag) in tags.iter() {
            let models: HashMap<_, _> = tag
                .llm
                .iter()
                .filter(|(_, s)| s.calls > 1)
                .map(|(n, s)| (n.to_string(), s.calls - 1))
                .collect();
            let tools: HashMap<_, _> =
                tag.tool.iter().filter(|(_, n)| **n > 1).map(|(q, n)| (q, n - 1)).collect();
            finished += u64::from(tag.llm.get(&steps).is_some_and(|seen| seen.answered > 0));
            if (!models.is_empty() || !tools.is_empty()) && by_tag.len() < 1000 {
                by_tag.insert(name.clone(), serde_json::json!({"llm": models, "tool": tools}));
            }
        }
        serde_json::json!({
            "llm_calls": self.llm_calls.load(Relaxed),
            "llm_answered": self.llm_answered.load(Relaxed),
            "tool_calls": self.tool_calls.load(Relaxed),
            "untagged_calls": self.untagged.load(Relaxed),
            "distinct_run_tags": tags.len(),
            "finished_run_tags": finished,
            "duplicate_llm_calls": repeated.models,
            "duplicate_llm_calls_after_answer": repeated.models_after_answer,
            "duplicate_tool_calls": repeated.tools,
            "in_flight": self.models_in_flight.load(Relaxed),
            "max_in_flight": self.max_in_flight.load(Relaxed),
            "duplicates_by_tag": by_tag,
        })
    }
}
