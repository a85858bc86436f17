//! Asking a person on the terminal: a few questions per wait, as a state machine over typed lines.

use serde_json::Value;

use agenticai_domain::ids::StepId;
use agenticai_domain::task::{WaitKind, WaitingFor};
use agenticai_wire::{ResolveRequest, SignalRequest};

/// What the person decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// To be sent as a signal.
    Signal(SignalRequest),
    /// To be sent as a resolution.
    Resolve(ResolveRequest),
}

/// What a line led to.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Ask this, and read another line.
    Ask(String),
    /// All is said.
    Decided(Decision),
}

/// One wait and how far its questions have come.
#[derive(Debug, Clone)]
pub struct Dialogue {
    wait: WaitingFor,
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Approve,
    RejectReason,
    EditArguments,
    Answer,
    Happened,
    Result,
}

impl Dialogue {
    /// Begins, where a person can end the wait on a terminal.
    pub fn about(wait: &WaitingFor) -> Option<Self> {
        let at = match wait.kind {
            WaitKind::Approval => At::Approve,
            WaitKind::Input => At::Answer,
            WaitKind::Uncertain => At::Happened,
            WaitKind::Timer | WaitKind::Signal | WaitKind::Child => return None,
        };
        Some(Self { wait: wait.clone(), at })
    }

    /// The wait.
    pub fn wait(&self) -> &WaitingFor {
        &self.wait
    }

    /// What is asked now.
    pub fn question(&self) -> String {
        match self.at {
            At::Approve => "Send it? [y]es, [n]o, [e]dit the arguments: ",
            At::RejectReason => "Why not? The model is told (Enter: nothing): ",
            At::EditArguments => "Arguments as JSON: ",
            At::Answer => "Answer: ",
            At::Happened => "Did it happen? [y]es, [n]o (send it again), [c]ancel the task: ",
            At::Result => "What did the tool answer? JSON or text (Enter: nothing): ",
        }
        .to_owned()
    }

    /// Takes a typed line.
    pub fn line(&mut self, line: &str) -> Next {
        let line = line.trim();
        let word = line.to_ascii_lowercase();
        let decided = match (self.at, word.as_str()) {
            (At::Approve, "y" | "yes") => self.signal(|s| s.decision = Some("approve".into())),
            (At::Approve, "n" | "no") => return self.go(At::RejectReason),
            (At::Approve, "e" | "edit") => return self.go(At::EditArguments),
            (At::RejectReason, _) => self.signal(|s| {
                s.decision = Some("reject".into());
                s.reason = (!line.is_empty()).then(|| line.to_owned());
            }),
            (At::EditArguments, _) => match serde_json::from_str::<Value>(line) {
                Ok(arguments @ Value::Object(_)) => self.signal(|s| {
                    s.decision = Some("edit".into());
                    s.arguments = Some(arguments);
                }),
                _ => return Next::Ask(format!("That is no JSON object.\n{}", self.question())),
            },
            (At::Answer, "") => return Next::Ask(self.question()),
            (At::Answer, _) => {
                let value = value_for(self.wait.schema.as_ref(), line);
                self.signal(|s| s.value = Some(value))
            }
            (At::Happened, "y" | "yes") => return self.go(At::Result),
            (At::Happened, "n" | "no") => self.resolve("not_done", None),
            (At::Happened, "c" | "cancel") => self.resolve("cancel", None),
            (At::Result, "") => self.resolve("done", Some(Value::Null)),
            (At::Result, _) => self.resolve("done", Some(json_or_text(line))),
            (At::Approve | At::Happened, _) => return Next::Ask(self.question()),
        };
        Next::Decided(decided)
    }

    fn go(&mut self, at: At) -> Next {
        self.at = at;
        Next::Ask(self.question())
    }

    fn signal(&self, fill: impl FnOnce(&mut SignalRequest)) -> Decision {
        let mut signal = signal_for(self.wait.step);
        fill(&mut signal);
        Decision::Signal(signal)
    }

    fn resolve(&self, decision: &str, result: Option<Value>) -> Decision {
        Decision::Resolve(ResolveRequest {
            step: self.wait.step,
            decision: decision.into(),
            result,
            attempt: None,
        })
    }
}

/// A signal for a step that says nothing yet.
pub fn signal_for(step: impl Into<Option<StepId>>) -> SignalRequest {
    SignalRequest {
        step: step.into(),
        decision: None,
        arguments: None,
        reason: None,
        value: None,
        name: None,
        payload: None,
        dedupe_id: None,
    }
}

/// What a typed answer means: text where the schema takes a text or says nothing, else JSON.
fn value_for(schema: Option<&Value>, line: &str) -> Value {
    match schema.and_then(|schema| schema.get("type")).and_then(Value::as_str) {
        None | Some("string") => Value::from(line),
        Some("boolean") => match line.to_ascii_lowercase().as_str() {
            "y" | "yes" | "true" => Value::from(true),
            "n" | "no" | "false" => Value::from(false),
            _ => Value::from(line),
        },
        Some(_) => json_or_text(line),
    }
}

/// JSON where it is some, else the text itself.
pub fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use serde_json::json;

    use super::*;

    fn wait(kind: WaitKind, schema: Option<Value>) -> WaitingFor {
        WaitingFor {
            step: StepId::call(2, 0),
            kind,
            tool: "charge".into(),
            arguments: json!({"cents": 5}),
            schema,
            expires_at: None,
            child: None,
            note: None,
        }
    }

    /// Types lines and answers what the last one decided; all others must have asked on.
    fn decide(kind: WaitKind, schema: Option<Value>, lines: &[&str]) -> Value {
        let mut dialogue = Dialogue::about(&wait(kind, schema)).unwrap();
        for (i, line) in lines.iter().enumerate() {
            match (dialogue.line(line), i + 1 == lines.len()) {
                (Next::Ask(_), false) => {}
                (Next::Decided(Decision::Signal(signal)), true) => {
                    return serde_json::to_value(signal).unwrap();
                }
                (Next::Decided(Decision::Resolve(resolve)), true) => {
                    return serde_json::to_value(resolve).unwrap();
                }
                (next, _) => panic!("{line} led to {next:?}"),
            }
        }
        panic!("nothing was decided");
    }

    #[test]
    fn approvals() {
        let kind = WaitKind::Approval;
        assert_eq!(decide(kind, None, &["what?", " Y "]), json!({"step": "2.0", "decision": "approve"}));
        assert_eq!(decide(kind, None, &["n", ""]), json!({"step": "2.0", "decision": "reject"}));
        assert_eq!(
            decide(kind, None, &["no", "too much"]),
            json!({"step": "2.0", "decision": "reject", "reason": "too much"})
        );
        assert_eq!(
            decide(kind, None, &["e", "7", "{\"cents\": 4}"]),
            json!({"step": "2.0", "decision": "edit", "arguments": {"cents": 4}})
        );
    }

    #[test]
    fn answers_fit_their_schema_where_they_can() {
        let answer =
            |schema: Option<Value>, line: &str| decide(WaitKind::Input, schema, &["", line])["value"].clone();
        assert_eq!(answer(None, "42"), json!("42"));
        assert_eq!(answer(Some(json!({"type": "integer"})), "42"), json!(42));
        assert_eq!(answer(Some(json!({"type": "string"})), "42"), json!("42"));
        assert_eq!(answer(Some(json!({"type": "boolean"})), "yes"), json!(true));
        assert_eq!(answer(Some(json!({"type": "object"})), "{\"a\":1}"), json!({"a": 1}));
    }

    #[test]
    fn uncertain_outcomes() {
        let kind = WaitKind::Uncertain;
        assert_eq!(decide(kind, None, &["n"]), json!({"step": "2.0", "decision": "not_done"}));
        assert_eq!(decide(kind, None, &["?", "c"]), json!({"step": "2.0", "decision": "cancel"}));
        assert_eq!(
            decide(kind, None, &["y", "{\"ok\":true}"]),
            json!({"step": "2.0", "decision": "done", "result": {"ok": true}})
        );
        assert_eq!(
            decide(kind, None, &["y", ""]),
            json!({"step": "2.0", "decision": "done", "result": null})
        );
    }

    #[test]
    fn what_no_person_can_end_is_not_asked() {
        for kind in [WaitKind::Timer, WaitKind::Signal, WaitKind::Child] {
            assert!(Dialogue::about(&wait(kind, None)).is_none());
        }
    }
}
