//! `POST /api/v1/tasks/{id}/signals`: approvals, answers and events.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use agenticai_domain::ids::StepId;
use agenticai_domain::inbox::{ApprovalDecision, InboxBody};
use agenticai_domain::schema::Schema;
use agenticai_domain::task::WaitKind;
use agenticai_store::{DeliverOutcome, Principal, TaskRow};
use agenticai_wire::{SignalRequest, TaskView};

use super::cancel::ended;
use super::standing::Standing;
use crate::auth::Auth;
use crate::extract::{ApiJson, ApiPath, task_id, unknown_task};
use crate::problem::{ApiError, ApiResult};
use crate::state::Api;

/// Longest name of an event and longest dedupe id, in bytes.
const NAME_BYTES: usize = 255;

/// Sends a message to a task. A decision or an answer names a step that waits for it; sending the same again is
/// harmless. An event ends one wait for its name. If there is none yet, or its time-out is over, the event is
/// kept for the next wait for that name, however late; one that the task never waits for stays unread and has no
/// effect. `dedupe_id` makes sending an event again harmless, also after it was taken.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/signals", tag = "tasks", request_body = SignalRequest,
    params(("id" = String, Path, description = "The task")),
    responses((status = 202, description = "Committed to the task's inbox; the task as it stood then", body = TaskView))
)]
pub(crate) async fn signal_task(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<SignalRequest>,
) -> ApiResult<(StatusCode, Json<TaskView>)> {
    let signal = Signal::read(body)?;
    let row = api.task(who.tenant, task_id(&id)?).await?;
    if row.status.is_terminal() {
        return Err(ended(row.head.id, row.status));
    }
    let agent = api.agent_of_task(who.tenant, row.head.agent, row.head.agent_version).await?;
    match signal {
        Signal::Event { name, payload, dedupe_id } => {
            api.deliver_event(&row, name, payload, dedupe_id).await?
        }
        Signal::Decision { step, decision } => {
            let standing = api.standing(&row, &agent).await?;
            if let ApprovalDecision::Edit { arguments } = &decision {
                check_value(&standing, step, WaitKind::Approval, "arguments", arguments)?;
            }
            let by = Some(signer(who));
            api.deliver_to_step(&row, &standing, InboxBody::Approval { step, decision, by }).await?;
        }
        Signal::Answer { step, value } => {
            let standing = api.standing(&row, &agent).await?;
            check_value(&standing, step, WaitKind::Input, "value", &value)?;
            let by = Some(signer(who));
            api.deliver_to_step(&row, &standing, InboxBody::Input { step, value, by }).await?;
        }
    }
    let row = api.task(who.tenant, row.head.id).await?;
    Ok((StatusCode::ACCEPTED, Json(api.task_view(&row).await?)))
}

/// How a person stands in a journal.
pub(crate) fn signer(who: Principal) -> String {
    format!("user {}", who.user)
}

/// What a request asks for, its shape checked.
#[derive(Debug, PartialEq)]
enum Signal {
    Decision { step: StepId, decision: ApprovalDecision },
    Answer { step: StepId, value: Value },
    Event { name: String, payload: Value, dedupe_id: Option<String> },
}

impl Signal {
    fn read(body: SignalRequest) -> ApiResult<Self> {
        let shapes = "send {step, decision}, {step, value} or {name, payload}";
        let SignalRequest { step, decision, arguments, reason, value, name, payload, dedupe_id } = body;
        match (step, decision, value, name) {
            (Some(step), Some(decision), None, None) => {
                if payload.is_some() || dedupe_id.is_some() {
                    return Err(ApiError::invalid(
                        "body",
                        "`payload` and `dedupe_id` go with an event's `name` only",
                    ));
                }
                Ok(Self::Decision { step, decision: read_decision(&decision, arguments, reason)? })
            }
            (_, _, _, _) if arguments.is_some() || reason.is_some() => {
                Err(ApiError::invalid("body", "`arguments` and `reason` go with a `decision` only"))
            }
            (Some(step), None, Some(value), None) if payload.is_none() && dedupe_id.is_none() => {
                Ok(Self::Answer { step, value })
            }
            (None, None, None, Some(name)) => {
                if name.is_empty() || name.len() > NAME_BYTES {
                    return Err(ApiError::invalid("name", format!("must have 1 to {NAME_BYTES} bytes")));
                }
                if dedupe_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > NAME_BYTES) {
                    return Err(ApiError::invalid("dedupe_id", format!("must have 1 to {NAME_BYTES} bytes")));
                }
                Ok(Self::Event { name, payload: payload.unwrap_or_default(), dedupe_id })
            }
            _ => Err(ApiError::invalid("body", shapes)),
        }
    }
}

fn read_decision(
    name: &str,
    arguments: Option<Value>,
    reason: Option<String>,
) -> ApiResult<ApprovalDecision> {
    match (name, arguments, reason) {
        ("approve", None, None) => Ok(ApprovalDecision::Approve),
        ("edit", Some(arguments), None) => Ok(ApprovalDecision::Edit { arguments }),
        ("edit", None, _) => {
            Err(ApiError::invalid("arguments", "`edit` needs the arguments to send instead"))
        }
        ("reject", None, reason) => Ok(ApprovalDecision::Reject { reason }),
        ("approve" | "reject", Some(_), None) => {
            Err(ApiError::invalid("arguments", format!("do not go with `{name}`: use `edit` to change them")))
        }
        ("approve" | "edit" | "reject", ..) => Err(ApiError::invalid("reason", "goes with `reject` only")),
        _ => Err(ApiError::invalid("decision", format!("`{name}` is none: use approve, edit or reject"))),
    }
}

/// What a person sends must fit the schema of the wait: the tool's for arguments, the question's for an answer.
fn check_value(
    standing: &Standing,
    step: StepId,
    kind: WaitKind,
    path: &str,
    value: &Value,
) -> ApiResult<()> {
    let Some(schema) = standing.wait(step, kind).and_then(|wait| wait.schema.as_ref()) else { return Ok(()) };
    // A schema that does not compile came from a model; it must not keep a person from answering.
    let Ok(schema) = Schema::compile(schema) else { return Ok(()) };
    schema.check(value).map_err(|why| ApiError::invalid(path, why))
}

impl Api {
    async fn deliver_event(
        &self,
        row: &TaskRow,
        name: String,
        payload: Value,
        dedupe_id: Option<String>,
    ) -> ApiResult<()> {
        let dedupe = match dedupe_id {
            Some(id) => format!("signal:{id}"),
            None => format!("signal-once:{}", Uuid::now_v7()),
        };
        let id = row.head.id;
        match self.store.deliver(row.head.tenant, id, dedupe, InboxBody::Signal { name, payload }).await? {
            DeliverOutcome::Delivered => {
                self.wake(id);
                Ok(())
            }
            DeliverOutcome::Duplicate => Ok(()),
            DeliverOutcome::AlreadyTerminal(status) => Err(ended(id, status)),
            DeliverOutcome::NotFound => Err(unknown_task(id)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> ApiResult<Signal> {
        Signal::read(serde_json::from_value(body).unwrap())
    }

    #[test]
    fn the_three_shapes_are_told_apart() {
        let step = StepId::call(2, 0);
        let decision = ApprovalDecision::Edit { arguments: json!({"to": "a"}) };
        assert_eq!(
            read(json!({"step": "2.0", "decision": "edit", "arguments": {"to": "a"}})).unwrap(),
            Signal::Decision { step, decision }
        );
        assert_eq!(
            read(json!({"step": "2.0", "value": false})).unwrap(),
            Signal::Answer { step, value: json!(false) }
        );
        assert_eq!(
            read(json!({"name": "paid"})).unwrap(),
            Signal::Event { name: "paid".into(), payload: Value::Null, dedupe_id: None }
        );
        for bad in [
            json!({}),
            json!({"step": "2.0"}),
            json!({"decision": "approve"}),
            json!({"step": "2.0", "decision": "maybe"}),
            json!({"step": "2.0", "decision": "edit"}),
            json!({"step": "2.0", "decision": "approve", "arguments": {}}),
            json!({"step": "2.0", "decision": "approve", "reason": "x"}),
            json!({"step": "2.0", "decision": "approve", "value": 1}),
            json!({"step": "2.0", "value": 1, "payload": 1}),
            json!({"name": "", "payload": 1}),
            json!({"name": "x", "arguments": {}}),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }
}
