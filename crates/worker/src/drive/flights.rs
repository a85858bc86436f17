//! Effects in flight: started, landed, and what becomes of those that land too late.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::FutureExt;
use futures_util::stream::FuturesUnordered;

use agenticai_agent::call::CallContext;
use agenticai_broker::Live;
use agenticai_domain::engine::Effect;
use agenticai_domain::ids::{StepId, TaskId};
use agenticai_domain::journal::TurnCut;
use agenticai_domain::outcome::{ChildOutcome, Outcome, ToolOutcome, ToolResult};
use agenticai_domain::spec;
use agenticai_store::{AgentSelector, Store};

use super::{Driver, Flight};
use crate::budgets::{Customer, Purse, Tab};
use crate::metrics::{Kind, count};
use crate::patience::patiently;
use crate::perform::{ModelJob, TokenSinkOf, ToolJob};

impl Driver {
    pub(super) fn landed(&mut self, (step, outcome): Flight) {
        self.flying.remove(&step);
        let metrics = &self.shared.metrics;
        let timed = |kind: &'static str, ms: u64| {
            count(&metrics.steps, kind, 1);
            metrics.step_seconds.get_or_create(&Kind { kind }).observe(ms as f64 / 1000.0);
        };
        match &outcome {
            Outcome::Model(model) => {
                let tab = self.tab.take_if(|(turn, _)| *turn == model.turn);
                self.bills.extend(tab.and_then(|(_, tab)| tab.bill(model.spend)));
                timed("model", model.took_ms);
                count(&metrics.tokens, "input", model.spend.usage.input_tokens);
                count(&metrics.tokens, "output", model.spend.usage.output_tokens);
            }
            Outcome::Tool { outcome, .. } => timed("tool", outcome.took_ms),
            Outcome::ModelCut(_) | Outcome::Child(_) => {}
        }
        self.outcomes.push(outcome);
    }

    /// Starts what is wanted and not yet in flight.
    pub(super) fn start(&mut self, effects: Vec<Effect>) {
        let draining = self.draining();
        for effect in effects {
            let step = effect.step();
            if self.flying.contains(&step) || (draining && !self.is_started(&effect)) {
                continue;
            }
            match effect {
                Effect::Model { turn } => self.start_model(turn),
                Effect::Tool { step, tool, attempt } => self.start_tool(step, tool, attempt),
                Effect::Child { step, agent } => self.start_look_up(step, agent),
            }
        }
    }

    /// Whether it is a `once` call that is journaled as started. It is sent even while the worker drains: the next owner
    /// could not know that it was not, and would have to ask a person.
    fn is_started(&self, effect: &Effect) -> bool {
        matches!(effect, Effect::Tool { tool, .. } if self.is_once(*tool))
    }

    fn is_once(&self, tool: usize) -> bool {
        self.agent.tool(tool).is_some_and(|tool| tool.effect == spec::Effect::Once)
    }

    fn call_context(&self, step: StepId, first_attempt: u32) -> CallContext {
        let (lease, fate) = (self.shared.lease.clone(), self.shared.lease.clone());
        CallContext {
            tenant: self.head.tenant,
            task: self.head.id,
            step,
            epoch: self.epoch,
            first_attempt,
            depth: self.head.depth,
            traceparent: self.head.traceparent.clone(),
            may_send: Arc::new(move || lease.may_send()),
            lease_gone: Arc::new(move || fate.dead.is_cancelled()),
        }
    }

    fn announce(&self, step: StepId, name: &str) {
        if self.shared.broker.has_readers(self.head.id) {
            let event = Live::Started { step, name: name.to_owned(), epoch: self.epoch };
            self.shared.broker.publish(self.head.id, event);
        }
    }

    fn start_model(&mut self, turn: u32) {
        let step = StepId::model(turn);
        let model = self.agent.version().spec.model.as_ref().map_or("", |m| m.name.as_str());
        self.announce(step, model);
        let now = self.shared.clock.now();
        let deadline = self.head.deadline_at.map(|at| {
            tokio::time::Instant::now() + Duration::from_millis(at.saturating_sub(now).max(0).unsigned_abs())
        });
        let tab = Arc::new(Tab::new(self.payer()));
        self.tab = Some((turn, tab.clone()));
        let outcome = self.shared.performer.model(ModelJob {
            agent: &self.agent,
            task: &self.head,
            state: &self.state,
            turn,
            call: self.call_context(step, 1),
            deadline,
            sink: TokenSinkOf {
                broker: self.shared.broker.clone(),
                task: self.head.id,
                step,
                epoch: self.epoch,
            },
            tab,
        });
        self.flying.insert(step);
        self.flights.push(outcome.map(move |outcome| (step, Outcome::Model(outcome))).boxed());
    }

    /// Who pays for the task's model calls; `None`: nobody bounds them.
    fn payer(&mut self) -> Option<(Arc<Purse>, Arc<Customer>)> {
        if !self.budgeted && !self.shared.purse.pays_for(self.head.tenant) {
            return None;
        }
        let new = || Arc::new(Customer::new(self.head.tenant, self.head.id));
        let customer = self.customer.get_or_insert_with(new).clone();
        Some((self.shared.purse.clone(), customer))
    }

    /// Ends the calls in flight but for those of `once` tools. What was cut off is repeated by the next owner; a model
    /// call has cost something all the same.
    pub(super) fn cut_off(&mut self) {
        self.flights = FuturesUnordered::new();
        let Some((turn, tab)) = self.tab.take() else { return };
        let Some(spend) = tab.cut_off() else { return };
        self.flying.remove(&StepId::model(turn));
        self.bills.extend(tab.bill(spend));
        let reason = "the worker stopped before the answer".to_owned();
        self.outcomes.push(Outcome::ModelCut(TurnCut { turn, spend, reason }));
    }

    fn start_tool(&mut self, step: StepId, tool: usize, attempt: u32) {
        let Some((_, written, arguments)) = self.state.call(step) else { return };
        let once = self.is_once(tool);
        if once && !self.sent.insert((step, attempt)) {
            let reason = "its result was lost in this worker".to_owned();
            let result = ToolResult::Uncertain { reason };
            let outcome = ToolOutcome { step, result, attempts: 1, took_ms: 0 };
            self.outcomes.push(Outcome::Tool { attempt, outcome });
            return;
        }
        self.announce(step, &written.name);
        let job = ToolJob {
            agent: self.agent.clone(),
            tool,
            arguments: arguments.clone(),
            call: self.call_context(step, attempt),
        };
        let outcome = self.shared.performer.tool(job);
        let flight = outcome.map(move |outcome| (step, Outcome::Tool { attempt, outcome })).boxed();
        self.flying.insert(step);
        if once { self.once_flights.push(flight) } else { self.flights.push(flight) }
    }

    fn start_look_up(&mut self, step: StepId, agent: String) {
        let (store, tenant) = (self.shared.store.clone(), self.head.tenant);
        let flight = async move {
            let named = || store.agent(tenant, AgentSelector::from(agent.as_str()), None);
            let found = match patiently("an agent", named).await {
                Ok(Some(version)) => Ok((version.id, version.version)),
                Ok(None) => Err(format!("there is no agent `{agent}`")),
                Err(error) => Err(error.to_string()),
            };
            (step, Outcome::Child(ChildOutcome { step, agent: found }))
        };
        self.flying.insert(step);
        self.flights.push(flight.boxed());
    }

    /// What has landed by now goes into the same run.
    pub(super) fn take_landed(&mut self) {
        while let Some(Some(flight)) = self.flights.next().now_or_never() {
            self.landed(flight);
        }
        while let Some(Some(flight)) = self.once_flights.next().now_or_never() {
            self.landed(flight);
        }
    }

    /// Lets `once` calls that are still open come to their end, and keeps what they say, and what those said that
    /// landed too late, for people.
    pub(super) fn keep_late_results(&mut self) {
        let mut open = std::mem::take(&mut self.once_flights);
        let landed: Vec<ToolOutcome> = std::mem::take(&mut self.outcomes)
            .into_iter()
            .filter_map(|outcome| match outcome {
                Outcome::Tool { attempt, outcome } if self.sent.contains(&(outcome.step, attempt)) => {
                    Some(outcome)
                }
                _ => None,
            })
            .collect();
        if (open.is_empty() && landed.is_empty()) || self.shared.now.is_cancelled() {
            return;
        }
        let (store, task, epoch) = (self.shared.store.clone(), self.head.id, self.epoch);
        tokio::spawn(async move {
            for outcome in landed {
                keep(store.as_ref(), task, epoch, outcome).await;
            }
            while let Some((_, outcome)) = open.next().await {
                if let Outcome::Tool { outcome, .. } = outcome {
                    keep(store.as_ref(), task, epoch, outcome).await;
                }
            }
        });
    }
}

async fn keep(store: &dyn Store, task: TaskId, epoch: u32, outcome: ToolOutcome) {
    if let Err(error) = store.keep_late_result(task, epoch, outcome).await {
        tracing::error!(%task, %error, "a late result of a `once` call could not be kept");
    }
}
