//! The tools of this program: what a model is told about them, and the three that are performed here.
//!
//! `sleep`, `ask_human`, `wait_signal` and `run_agent` wait for something outside, so the engine handles them itself
//! and holds no worker while they wait; here they only have their definitions.

mod calculator;
mod http_request;
mod now;

use agenticai_domain::spec::Effect;
use serde_json::{Value, json};

pub(crate) use calculator::calculate;
pub(crate) use http_request::build as http_request;
pub(crate) use now::now;

/// Every built-in tool.
pub const NAMES: [&str; 7] =
    ["calculator", "http_request", "now", "sleep", "ask_human", "wait_signal", "run_agent"];

/// What a model is told about a built-in tool, and its effect class.
pub(crate) struct Definition {
    pub description: &'static str,
    pub parameters: Value,
    pub effect: Effect,
}

/// The definition of the tool of that name.
pub(crate) fn definition(name: &str) -> Option<Definition> {
    let (description, effect, properties, required): (_, _, _, &[&str]) = match name {
        "calculator" => (
            "Calculates an arithmetic expression exactly and returns the result. Understands + - * / ^, parentheses, \
             percentages (`17% of 2,340`), thousands separators, functions such as sqrt(2), ln(10) and sin(30 degrees), \
             and units (`5 km to miles`). Results that are not exact start with `approx.`.",
            Effect::None,
            json!({
                "expression": {"type": "string", "description": "The expression alone, for example `(2 + 3) * 4`."},
            }),
            &["expression"],
        ),
        "now" => (
            "Returns the current date and time in RFC 3339.",
            Effect::None,
            json!({
                "time_zone": {"type": "string", "description": "IANA name, for example `Europe/Berlin`. Default: UTC."},
            }),
            &[],
        ),
        "http_request" => (
            "Sends one HTTP request and returns the body of the answer: JSON, or text. Statuses other than 2xx are errors.",
            // GET and HEAD would be harmless, but a class belongs to a tool and not to one call of it.
            Effect::Once,
            json!({
                "method": {"type": "string", "enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], "default": "GET"},
                "url": {"type": "string", "description": "http or https, with its query."},
                "headers": {"type": "object", "additionalProperties": {"type": "string"}},
                "body": {"description": "Text is sent as it is; an object or list as JSON.", "type": ["string", "object", "array", "null"]},
            }),
            &["url"],
        ),
        "sleep" => (
            "Waits for a number of seconds before the work goes on.",
            Effect::None,
            json!({
                "seconds": {"type": "number", "minimum": 0, "description": "How long to wait."},
            }),
            &["seconds"],
        ),
        "ask_human" => (
            "Asks a person a question and waits for the answer. Use it when only a person can know or decide something.",
            Effect::None,
            json!({
                "question": {"type": "string", "description": "The question, with all that a person needs to answer it."},
                "schema": {"type": "object", "description": "A JSON Schema that the answer has to fit. Default: any text."},
                "timeout_seconds": {"type": "number", "exclusiveMinimum": 0, "description": "How long to wait. Default: without bound."},
            }),
            &["question"],
        ),
        "wait_signal" => (
            "Waits until a named signal arrives from outside, and returns what it carries.",
            Effect::None,
            json!({
                "name": {"type": "string", "minLength": 1, "description": "The signal's name."},
                "timeout_seconds": {"type": "number", "exclusiveMinimum": 0, "description": "How long to wait. Default: without bound."},
            }),
            &["name"],
        ),
        "run_agent" => (
            "Gives a task to another agent, waits for it, and returns its answer.",
            Effect::None,
            json!({
                "agent": {"type": "string", "minLength": 1, "description": "The agent's name."},
                "input": {"type": ["string", "object"], "description": "What it is to do."},
            }),
            &["agent", "input"],
        ),
        _ => return None,
    };
    let parameters = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    });
    Some(Definition { description, parameters, effect })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_name_has_a_definition_with_a_valid_schema() {
        for name in NAMES {
            let definition = definition(name).unwrap();
            agenticai_domain::schema::Schema::compile(&definition.parameters).unwrap();
            assert_eq!(definition.effect == Effect::Once, name == "http_request", "{name}");
        }
        assert!(definition("launch_rocket").is_none());
    }
}
