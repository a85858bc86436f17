//! The invariants, read out of the journal without the engine's help.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::engine::{Agent, Effect, Run};
use crate::ids::StepId;
use crate::inbox::{ApprovalDecision, InboxBody};
use crate::journal::{Entry, Recorded, TurnOutcome};
use crate::spec::{self, Approval, ToolDef};
use crate::task::{End, TaskHead};
use crate::usage::Spend;

type Check = Result<(), String>;

/// Each `once` call has an earlier committed `started`.
pub fn started_before(journal: &[Recorded], step: StepId, attempt: u32) -> Check {
    let started = journal
        .iter()
        .any(|r| matches!(&r.entry, Entry::CallStarted(s) if s.step == step && s.attempt == attempt));
    if started { Ok(()) } else { Err(format!("`once` call {step} is sent before `started` is committed")) }
}

/// A call that needs a person's consent has it.
pub fn approved_before(tool: &ToolDef, journal: &[Recorded], step: StepId) -> Check {
    if tool.approval != Approval::Always {
        return Ok(());
    }
    let approved = journal.iter().any(|r| match &r.entry {
        Entry::Received(received) => matches!(
            &received.message.body,
            InboxBody::Approval { step: s, decision, .. }
                if *s == step && !matches!(decision, ApprovalDecision::Reject { .. })
        ),
        _ => false,
    });
    if approved { Ok(()) } else { Err(format!("call {step} is sent and nobody has agreed to it")) }
}

/// No call of a step begins after its result's commit.
pub fn not_ended(journal: &[Recorded], effect: &Effect) -> Check {
    let step = effect.step();
    let ended = journal.iter().any(|r| match &r.entry {
        Entry::Turn(turn) => StepId::model(turn.turn) == step,
        Entry::CallEnded(ended) => ended.step == step,
        Entry::Ended(_) => true,
        _ => false,
    });
    if ended { Err(format!("step {step} is performed after its result was committed")) } else { Ok(()) }
}

/// No model call beyond the limits of steps, tokens and cost.
pub fn within_limits(agent: &Agent, journal: &[Recorded], effect: &Effect) -> Check {
    if !matches!(effect, Effect::Model { .. }) {
        return Ok(());
    }
    let (mut steps, mut spend) = (0u32, Spend::default());
    for recorded in journal {
        if let Entry::Turn(turn) = &recorded.entry {
            steps += 1;
            spend += turn.spend;
            if let TurnOutcome::Answer { calls, .. } = &turn.outcome {
                steps += calls.len() as u32;
            }
        }
    }
    let limits = &agent.version().spec.limits;
    let over = steps >= limits.max_steps
        || limits.max_tokens.is_some_and(|max| spend.usage.total() >= max)
        || limits.max_cost_usd.is_some_and(|max| spend.cost.is_some_and(|c| c.as_usd() > max));
    if over { Err(format!("a model is asked beyond the limits: {steps} steps, {spend:?}")) } else { Ok(()) }
}

/// A call that is in flight in the very process that writes is not uncertain.
pub fn uncertain_only_if_lost(run: &Run, flights: &[Effect]) -> Check {
    for entry in &run.entries {
        if let Entry::CallUncertain(uncertain) = entry
            && flights.iter().any(|flying| flying.step() == uncertain.step)
        {
            return Err(format!("call {} is in flight here and is declared uncertain", uncertain.step));
        }
        // A call is not journaled as started and lost in one breath: it was never sent.
        if let Entry::CallStarted(started) = entry {
            let lost = run.entries.iter().any(|e| {
                matches!(e, Entry::CallUncertain(u) if u.step == started.step && u.attempt == started.attempt)
            });
            if lost {
                return Err(format!("call {} is declared uncertain before it is sent", started.step));
            }
        }
    }
    Ok(())
}

/// The whole journal of a task that has ended.
pub fn journal(agent: &Agent, task: &TaskHead, journal: &[Recorded], end: &End) -> Check {
    let mut results: HashSet<StepId> = HashSet::new();
    let mut messages: HashSet<u64> = HashSet::new();
    let mut begun: HashMap<StepId, (i64, Value)> = HashMap::new();
    let (mut turns, mut epoch, mut at, mut spend) = (0, 0, 0, Spend::default());
    if agent.kind() == spec::AgentKind::Tool {
        begun.insert(StepId::call(1, 0), (task.created_at, serde_json::json!({"seconds": 3})));
    }
    for (index, recorded) in journal.iter().enumerate() {
        let seq = index as u64 + 1;
        if recorded.seq != seq || recorded.epoch < epoch || recorded.at < at {
            return Err(format!("entry {seq} breaks the order of seqs, epochs or times"));
        }
        (epoch, at) = (recorded.epoch, recorded.at);
        let result = |results: &mut HashSet<StepId>, step: StepId| {
            if results.insert(step) { Ok(()) } else { Err(format!("step {step} has two results")) }
        };
        match &recorded.entry {
            Entry::Turn(turn) => {
                turns += 1;
                if turn.turn != turns {
                    return Err(format!("turn {turns} is numbered {}", turn.turn));
                }
                spend += turn.spend;
                result(&mut results, StepId::model(turn.turn))?;
                if let TurnOutcome::Answer { calls, .. } = &turn.outcome {
                    for (i, call) in calls.iter().enumerate() {
                        begun
                            .insert(StepId::call(turn.turn, i as u32), (recorded.at, call.arguments.clone()));
                    }
                }
            }
            Entry::TurnCut(cut) => {
                if cut.turn != turns + 1 {
                    return Err(format!("turn {} was cut off after turn {turns}", cut.turn));
                }
                spend += cut.spend;
            }
            Entry::CallEnded(ended) => result(&mut results, ended.step)?,
            Entry::TimerFired(fired) => {
                result(&mut results, fired.step)?;
                if let Some((since, arguments)) = begun.get(&fired.step) {
                    let seconds = arguments.get("seconds").or(arguments.get("timeout_seconds"));
                    let seconds = seconds.and_then(Value::as_i64).unwrap_or(0);
                    if recorded.at < since + 1000 * seconds {
                        return Err(format!("the timer of call {} fires before its time", fired.step));
                    }
                }
            }
            Entry::Received(received) => {
                if !messages.insert(received.message.id) {
                    return Err(format!("message {} is consumed twice", received.message.id));
                }
                if let InboxBody::ChildEnded { spend: child, .. } = &received.message.body {
                    spend += *child;
                }
            }
            Entry::CallStarted(_) | Entry::CallUncertain(_) | Entry::Ended(_) => {}
        }
    }
    let replayed = crate::engine::State::replay(agent, task, journal).map_err(|e| e.to_string())?;
    if replayed.end() != Some(end) {
        return Err(format!("the journal ends with {:?} and the row with {end:?}", replayed.end()));
    }
    if replayed.spend() != spend {
        return Err(format!("{:?} were consumed and {:?} are told", spend, replayed.spend()));
    }
    Ok(())
}
