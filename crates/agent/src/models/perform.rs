//! A model call: attempts until one succeeds, none may follow, or time is over.

use std::time::Duration;

use tokio::time::Instant;

use agenticai_domain::outcome::{ModelAnswer, ModelOutcome};
use agenticai_domain::spec::ModelRef;
use agenticai_domain::task::{TaskError, codes};
use agenticai_domain::usage::{Spend, Usage};

use super::answer::Gathered;
use super::attempt::Attempt;
use super::config::Dialect;
use super::fault::Fault;
use super::price::Counted;
use super::request::Request;
use super::resolve::Served;
use super::tokens::{Pieces, TokenSink};
use super::{Inner, Provider, practice, retry};
use crate::call::{CallContext, LEASE_POLL};

/// What a call is told besides its request.
pub(super) struct Asked<'a> {
    pub model: &'a ModelRef,
    pub turn: u32,
    pub ctx: &'a CallContext,
    pub deadline: Option<Instant>,
}

/// The tokens and cost of the attempts so far.
struct Bill<'a> {
    inner: &'a Inner,
    served: &'a Served,
    spend: Spend,
}

impl Bill<'_> {
    fn add(&mut self, counted: &Counted) {
        let cost = self.inner.prices.cost(&self.served.provider, &self.served.model, counted);
        self.spend += Spend { usage: counted.usage, cost };
    }
}

/// Performs a call. Dropping the future ends the request.
pub(super) async fn perform(
    inner: &Inner,
    served: &Served,
    request: Request,
    asked: Asked<'_>,
    tokens: &mut dyn TokenSink,
) -> ModelOutcome {
    let begun = Instant::now();
    let mut bill = Bill { inner, served, spend: Spend::default() };
    let mut attempts = 0;
    let result = match served.dialect {
        Dialect::Practice => {
            attempts = 1;
            by_practice(&request, &asked, tokens, &mut bill)
        }
        Dialect::OpenAi | Dialect::Anthropic => {
            match inner.providers.iter().find(|p| p.config.name == served.provider) {
                Some(provider) => {
                    by_provider(provider, &request, &asked, tokens, &mut bill, &mut attempts).await
                }
                None => Err(TaskError::new(
                    codes::MODEL_REFUSED,
                    format!("the provider `{}` is not configured here", served.provider),
                )),
            }
        }
    };
    if result.is_err() && bill.spend.usage == Usage::default() {
        // Nothing was reported, so nothing is known to have been spent, whatever the price.
        bill.spend = Spend::default();
    }
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    ModelOutcome { turn: asked.turn, request: request.attempt, result, spend: bill.spend, attempts, took_ms }
}

fn by_practice(
    request: &Request,
    asked: &Asked<'_>,
    tokens: &mut dyn TokenSink,
    bill: &mut Bill<'_>,
) -> Result<ModelAnswer, TaskError> {
    let answer = practice::answer(&request.body, asked.turn).map_err(|why| {
        TaskError::new(codes::MODEL_REFUSED, format!("the practice model cannot read this: {why}"))
    })?;
    Pieces::new(tokens, asked.ctx.first_attempt).finish(&answer.text);
    bill.add(&estimate(request, &answer));
    Ok(answer)
}

async fn by_provider(
    provider: &Provider,
    request: &Request,
    asked: &Asked<'_>,
    tokens: &mut dyn TokenSink,
    bill: &mut Bill<'_>,
    attempts: &mut u32,
) -> Result<ModelAnswer, TaskError> {
    let inner = bill.inner;
    let given = |seconds: Option<u32>, default: Duration| {
        seconds.map_or(default, |seconds| Duration::from_secs(u64::from(seconds)))
    };
    let timeout = given(asked.model.timeout_seconds, inner.default_timeout);
    let first_token = given(asked.model.first_token_timeout_seconds, inner.default_first_token_timeout);
    let time_over = Instant::now() + timeout;
    let until = asked.deadline.map_or(time_over, |deadline| deadline.min(time_over));
    let key_variable = provider.config.key_variable();
    let mut all_garbage = true;
    loop {
        // A worker that has lost its lease starts nothing new; if it has lost it for good, this call is dropped.
        while !(asked.ctx.may_send)() {
            if Instant::now() >= until {
                return Err(over(asked, timeout, "the worker may not send: its lease is in doubt"));
            }
            tokio::time::sleep(LEASE_POLL).await;
        }
        let number = asked.ctx.first_attempt.saturating_add(*attempts);
        *attempts += 1;
        let attempt = Attempt {
            endpoint: &provider.endpoint,
            wire: bill.served.wire,
            provider: &bill.served.provider,
            model: &bill.served.model,
            key_variable: &key_variable,
            headers: provider.endpoint.headers_for(asked.ctx, number),
            body: request.body.clone(),
            first_token,
            until,
        };
        let mut gathered = Gathered::default();
        let result = attempt.run(&mut gathered, &mut Pieces::new(&mut *tokens, number)).await;
        let reported = gathered.usage;
        if let Some(counted) = &reported {
            bill.add(counted);
        }
        let (why, retry_after) = match result {
            Ok(()) => {
                let answer = gathered.into_answer(asked.turn);
                if reported.is_none() {
                    bill.add(&estimate(request, &answer));
                }
                return Ok(answer);
            }
            Err(Fault::Final(error)) => return Err(error),
            Err(Fault::Passing { why, retry_after, garbage }) => {
                all_garbage &= garbage;
                (why, retry_after)
            }
        };
        if Instant::now() >= until {
            return Err(over(asked, timeout, &why));
        }
        if *attempts >= inner.retry.max_attempts {
            let code = if all_garbage { codes::MODEL_GARBAGE } else { codes::MODEL_UNAVAILABLE };
            return Err(TaskError::new(code, format!("given up after {attempts} attempts; at last, {why}")));
        }
        let pause = retry::pause(&inner.retry, *attempts + 1, retry_after);
        tracing::debug!(
            provider = bill.served.provider,
            attempt = number,
            pause_ms = pause.as_millis() as u64,
            why,
            "model call is tried again"
        );
        if Instant::now() + pause >= until {
            tokio::time::sleep_until(until).await;
            return Err(over(asked, timeout, &why));
        }
        tokio::time::sleep(pause).await;
    }
}

/// Time is over: the task's, or the call's own.
fn over(asked: &Asked<'_>, timeout: Duration, why: &str) -> TaskError {
    if asked.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
        return TaskError::new(
            codes::DEADLINE_EXCEEDED,
            format!("the task's time is over in a model call; {why}"),
        );
    }
    let seconds = timeout.as_secs();
    TaskError::new(
        codes::MODEL_UNAVAILABLE,
        format!("no answer within {seconds} s (`timeout_seconds`); {why}"),
    )
}

/// Tokens by rule of thumb, four bytes each, where nobody counts them: limits and budgets must not stand still
/// because a server reports no usage.
fn estimate(request: &Request, answer: &ModelAnswer) -> Counted {
    let calls: usize = answer.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum();
    let tokens = |bytes: usize| (bytes as u64).div_ceil(4);
    let usage = Usage {
        input_tokens: tokens(request.body.len()),
        output_tokens: tokens(answer.text.len() + calls),
        ..Usage::default()
    };
    Counted { usage, cache_write_tokens: 0 }
}
