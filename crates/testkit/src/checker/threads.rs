//! The rule that the tasks of a thread run one after another, as journals and calls show it.

use std::collections::{BTreeMap, HashMap};

use agenticai_domain::ids::ThreadId;

use super::{Evidence, Report, Rule};

/// When a task was worked on: from its first call to its last entry, in microseconds since 1970.
struct Life {
    task: String,
    from_us: u64,
    until_us: u64,
}

/// Checks that no task of a thread makes a call before the one before it has ended. A task that ended before its turn
/// came made none, or one too late: whoever held it had not heard of its end yet. That is judged by the commits of steps.
pub fn check(evidence: &Evidence, report: &mut Report) {
    let mut first_calls: HashMap<&str, u64> = HashMap::new();
    for call in &evidence.calls {
        let Some(task) = call.task.as_deref() else { continue };
        let first = first_calls.entry(task).or_insert(call.begin_us);
        *first = call.begin_us.min(*first);
    }
    let mut threads: BTreeMap<ThreadId, Vec<Life>> = BTreeMap::new();
    for task in &evidence.tasks {
        let (Some(thread), Some(last)) = (task.thread, task.journal.last()) else { continue };
        let name = task.id.to_string();
        let Some(from_us) = first_calls.get(name.as_str()).copied() else { continue };
        let until_us = last.at.max(0).unsigned_abs() * 1000;
        if from_us < until_us {
            threads.entry(thread).or_default().push(Life { task: name, from_us, until_us });
        }
    }
    for (thread, mut lives) in threads {
        report.counts.threads += usize::from(lives.len() > 1);
        lives.sort_by_key(|life| life.from_us);
        for pair in lives.windows(2) {
            let [before, after] = pair else { continue };
            if after.from_us < before.until_us {
                let early = before.until_us - after.from_us;
                let detail = format!(
                    "its first call came {early} us before {} of the same thread {thread} had ended",
                    before.task
                );
                report.broken(Rule::OneActivePerThread, &after.task, detail);
            }
        }
    }
}
