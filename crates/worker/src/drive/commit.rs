//! Committing a run, and what each refusal means.

use agenticai_broker::Live;
use agenticai_domain::engine::{After, Run};
use agenticai_domain::outcome::{Outcome, ToolResult};
use agenticai_domain::task::{TaskError, codes};
use agenticai_store::{Append, AppendOutcome, StoreError, Then};
use futures_util::StreamExt;

use crate::budgets::Bill;

use super::{DriveError, Driver, Finish};

impl Driver {
    /// Commits a run; `None`: plan again.
    pub(super) async fn commit(
        &mut self,
        run: Run,
        kept: Vec<Outcome>,
    ) -> Result<Option<Finish>, DriveError> {
        let spend = self.state.spend();
        let then = match &run.after {
            After::Continue => Then::Continue,
            After::Wait { waiting_for, wake_at, inbox_seen } => Then::Wait {
                waiting_for: waiting_for.clone(),
                wake_at: *wake_at,
                inbox_seen: *inbox_seen,
                spend,
            },
            After::End(end) => Then::End { end: end.clone(), spend },
        };
        let last_seq = run.first_seq + run.entries.len() as u64 - 1;
        let mut bills = std::mem::take(&mut self.bills);
        // Whatever happens seldom is boxed, here and below: a task in flight has room for the largest of its waits.
        if !bills.is_empty() {
            Box::pin(cover(&mut bills)).await?;
        }
        let append = Append {
            task: self.head.id,
            epoch: self.epoch,
            run: uuid::Uuid::new_v4().as_u64_pair().0,
            first_seq: run.first_seq,
            entries: run.entries.into(),
            children: run.children,
            charges: bills.iter().flat_map(Bill::charges).collect(),
            then,
        };
        // A parent may be ready now, or the next task of a thread.
        let others = self.head.parent.is_some() || self.in_thread;
        let hint = !append.children.is_empty() || (others && matches!(run.after, After::End(_)));
        let mut appending = std::pin::pin!(self.shared.appender.append(append));
        // Calls in flight go on while the commit is under way.
        let outcome = loop {
            tokio::select! {
                outcome = &mut appending => break outcome?,
                Some(flight) = self.flights.next(), if !self.flights.is_empty() => self.landed(flight),
                Some(flight) = self.once_flights.next(), if !self.once_flights.is_empty() => self.landed(flight),
            }
        };
        match outcome {
            AppendOutcome::Accepted { at } | AppendOutcome::AlreadyMine { at } => {
                self.spoiled = false;
                // What is only about to be done proves nothing.
                self.cleared |= self.shared.suspects && !kept.is_empty();
                bills.into_iter().for_each(Bill::paid);
                self.state.confirm(at);
                self.shared.broker.publish(self.head.id, Live::Appended { last_seq });
                if hint {
                    self.shared.broker.hint();
                }
                match run.after {
                    After::Continue => Ok(None),
                    After::Wait { .. } => Ok(Some(Finish::Settled)),
                    After::End(end) => {
                        self.shared.metrics.count_end(end.status());
                        if let Some(parent) = self.head.parent {
                            self.shared.broker.poke(agenticai_broker::Poke::Inbox(parent.task));
                        }
                        tracing::debug!(task = %self.head.id, status = end.status().as_str(), "ended");
                        Ok(Some(Finish::Settled))
                    }
                }
            }
            AppendOutcome::Overtaken => {
                Box::pin(self.reload()).await?;
                self.again(kept, bills);
                Ok(None)
            }
            AppendOutcome::InboxMoved => {
                Box::pin(self.read_inbox()).await?;
                Box::pin(self.reload()).await?;
                self.again(kept, bills);
                Ok(None)
            }
            AppendOutcome::Fenced => {
                self.again(kept, bills);
                Ok(Some(Finish::Lost))
            }
            AppendOutcome::Terminal(_) => {
                self.again(kept, bills);
                Ok(Some(Finish::Settled))
            }
            AppendOutcome::Refused(why) => {
                tracing::warn!(task = %self.head.id, %why, "the store refused a step's data; the step fails");
                // Errors in place of the data were refused as well: trying again would never end.
                if kept.is_empty() || std::mem::replace(&mut self.spoiled, true) {
                    return Err(StoreError::Refused(why).into());
                }
                Box::pin(self.reload()).await?;
                self.again(kept.into_iter().map(|outcome| spoil(outcome, &why)).collect(), bills);
                Ok(None)
            }
        }
    }

    /// Outcomes of a refused run come before those that landed meanwhile, and so do their bills.
    fn again(&mut self, mut kept: Vec<Outcome>, mut bills: Vec<Bill>) {
        bills.append(&mut self.bills);
        self.bills = bills;
        kept.append(&mut self.outcomes);
        self.outcomes = kept;
    }
}

/// Sees to it that all that the calls of a run cost is granted.
async fn cover(bills: &mut [Bill]) -> Result<(), StoreError> {
    for bill in bills {
        bill.cover().await?;
    }
    Ok(())
}

/// The outcome of a step whose data cannot be stored.
fn spoil(outcome: Outcome, why: &str) -> Outcome {
    match outcome {
        Outcome::Model(mut model) => {
            model.result =
                Err(TaskError::new(codes::MODEL_GARBAGE, format!("the answer cannot be stored: {why}")));
            Outcome::Model(model)
        }
        Outcome::Tool { attempt, mut outcome } => {
            outcome.result = ToolResult::error("unstorable", format!("the result cannot be stored: {why}"));
            Outcome::Tool { attempt, outcome }
        }
        other @ (Outcome::ModelCut(_) | Outcome::Child(_)) => other,
    }
}
