//! A worker by hand: the real engine and the real store, one plan at a time, with outcomes that a test makes up.

use std::sync::Arc;

use agenticai_broker::{Broker, Live};
use agenticai_domain::engine::{After, Agent, Context, Effect, State, plan};
use agenticai_domain::ids::{StepId, TaskId};
use agenticai_domain::journal::ModelAttempt;
use agenticai_domain::outcome::{
    Finish, ModelAnswer, ModelOutcome, Outcome, RawCall, ToolOutcome, ToolResult,
};
use agenticai_domain::usage::{NanoUsd, Spend, Usage};
use agenticai_store::{Agents, Append, AppendOutcome, Claimed, Journal, Leases, Then, WorkerId, WorkerInfo};
use sha2::{Digest, Sha256};

use crate::abilities::body_of;
use crate::server::Server;

pub struct Hand<'a> {
    server: &'a Server,
    worker: WorkerId,
    claimed: Claimed,
    /// Whether live events are published after commits.
    pub loud: bool,
}

impl<'a> Hand<'a> {
    /// Claims the one task that is ready.
    pub async fn claim(server: &'a Server) -> Self {
        let info = WorkerInfo { name: "hand".into(), reads_format: 1 };
        let worker = server.store.register_worker(info).await.unwrap();
        let mut claimed = server.store.claim(worker, 10.into()).await.unwrap();
        assert_eq!(claimed.len(), 1, "one ready task");
        Self { server, worker, claimed: claimed.remove(0), loud: true }
    }

    /// Claims again what has become ready.
    pub async fn claim_again(&mut self) {
        let mut claimed = self.server.store.claim(self.worker, 10.into()).await.unwrap();
        assert_eq!(claimed.len(), 1, "one ready task");
        self.claimed = claimed.remove(0);
    }

    pub fn task(&self) -> TaskId {
        self.claimed.head.id
    }

    pub fn epoch(&self) -> u32 {
        self.claimed.epoch
    }

    /// Journals what follows from outcomes and inbox; answers the effects that are wanted next.
    pub async fn advance(&self, outcomes: Vec<Outcome>) -> Vec<Effect> {
        let (store, head) = (&self.server.store, &self.claimed.head);
        let version =
            store.agent_of_task(head.tenant, head.agent, head.agent_version).await.unwrap().unwrap();
        let agent = Agent::compile(Arc::new(version)).unwrap();
        let journal = store.read_journal(head.tenant, head.id, 0, 1000).await.unwrap();
        let inbox = store.inbox(head.id, 0).await.unwrap();
        let mut state = State::replay(&agent, head, &journal).unwrap();
        let now = store.now().await.unwrap();
        let cx = Context { agent: &agent, task: head, now, epoch: self.claimed.epoch, inbox: &inbox };
        let plan = plan(&mut state, &cx, outcomes).unwrap();
        let Some(run) = plan.run else { return plan.effects };
        let spend = state.spend();
        let then = match run.after {
            After::Continue => Then::Continue,
            After::Wait { waiting_for, wake_at, inbox_seen } => {
                Then::Wait { waiting_for, wake_at, inbox_seen, spend }
            }
            After::End(end) => Then::End { end, spend },
        };
        let append = Append {
            task: head.id,
            epoch: self.claimed.epoch,
            run: run.first_seq,
            first_seq: run.first_seq,
            entries: run.entries.into(),
            children: run.children,
            charges: Vec::new(),
            then,
        };
        let outcomes = store.append(self.worker, vec![append]).await.unwrap();
        assert!(matches!(outcomes[..], [AppendOutcome::Accepted { .. }]), "{outcomes:?}");
        if self.loud {
            self.server.broker.publish(head.id, Live::Appended { last_seq: state.next_seq() - 1 });
        }
        plan.effects
    }

    /// The model calls the mail tool.
    pub async fn model_calls(&self, turn: u32, tool: &str, arguments: &str) -> Vec<Effect> {
        let id = format!("call_{turn}");
        let call = RawCall { id, name: tool.into(), arguments: arguments.into() };
        self.advance(vec![model(turn, ModelAnswer { calls: vec![call], ..ModelAnswer::default() })]).await
    }

    /// The model answers.
    pub async fn model_says(&self, turn: u32, text: &str) -> Vec<Effect> {
        self.advance(vec![model(
            turn,
            ModelAnswer { text: text.into(), finish: Finish::Stop, ..Default::default() },
        )])
        .await
    }

    /// The first attempt of a tool call ends.
    pub async fn tool(&self, step: StepId, result: ToolResult) -> Vec<Effect> {
        self.attempt(step, 1, result).await
    }

    /// A journaled attempt of a tool call ends.
    pub async fn attempt(&self, step: StepId, attempt: u32, result: ToolResult) -> Vec<Effect> {
        let outcome = ToolOutcome { step, result, attempts: 1, took_ms: 1 };
        self.advance(vec![Outcome::Tool { attempt, outcome }]).await
    }
}

fn model(turn: u32, answer: ModelAnswer) -> Outcome {
    let sha256 = hex::encode(Sha256::digest(body_of(turn)));
    let (provider, model, dialect) = ("openai".into(), "priced-2026".into(), "openai".into());
    let usage = Usage { input_tokens: 100, output_tokens: 10, ..Usage::default() };
    Outcome::Model(ModelOutcome {
        turn,
        request: ModelAttempt { provider, model, dialect, format: 1, sha256 },
        result: Ok(answer),
        spend: Spend { usage, cost: Some(NanoUsd(1_000_000)) },
        attempts: 1,
        took_ms: 1,
    })
}
