//! An answer as it grows, whatever dialect it comes in.

use serde_json::Value;

use agenticai_domain::outcome::{Finish, ModelAnswer, RawCall};

use super::price::Counted;

/// What has come of an answer so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Its words.
    pub text: String,
    /// The words of a refusal, which come in a field of their own from OpenAI.
    pub refusal: String,
    /// Its calls, in the order in which they began.
    pub calls: Vec<RawCall>,
    /// What the provider wants to see again with it; set once it is complete.
    pub opaque: Option<Value>,
    /// Why it stopped, once it has.
    pub finish: Option<Finish>,
    /// Tokens, as far as they have been reported.
    pub usage: Option<Counted>,
    /// Whether anything came that a model made: words, thoughts, a call.
    pub begun: bool,
    /// Whether anything came that the dialect knows.
    pub understood: bool,
    /// Whether the dialect's own mark of the end has come.
    pub done: bool,
}

impl Gathered {
    /// The finished answer. Calls without an id, or with one that was used before, get one: the next request needs it.
    pub(super) fn into_answer(self, turn: u32) -> ModelAnswer {
        let Self { text, refusal, mut calls, opaque, finish, .. } = self;
        let mut finish = finish.unwrap_or_default();
        for i in 0..calls.len() {
            let (before, rest) = calls.split_at_mut(i);
            let call = &mut rest[0];
            if call.id.is_empty() || before.iter().any(|other| other.id == call.id) {
                call.id = format!("call_{turn}_{i}");
            }
            if call.arguments.trim().is_empty() {
                call.arguments = "{}".to_owned();
            }
        }
        let mut words = text;
        if !refusal.is_empty() {
            finish = Finish::Refused;
            words.push_str(&refusal);
        }
        ModelAnswer { text: words, calls, finish, opaque }
    }
}
