//! Checking what a task is asked, before it is accepted.

use base64::Engine as _;
use serde_json::Value;

use agenticai_domain::spec::AgentKind;
use agenticai_domain::task::{Content, Part, TaskInput};

use crate::agents::cache::Prepared;
use crate::problem::{ApiError, ApiResult};

/// Whether the agent can be asked this.
pub(crate) fn check(agent: &Prepared, input: &TaskInput) -> ApiResult<()> {
    match (agent.version.spec.kind, input) {
        (AgentKind::Tool, TaskInput::Arguments(arguments)) => agent
            .check_arguments(&Value::Object(arguments.clone()))
            .map_err(|why| ApiError::invalid("input", why)),
        (AgentKind::Tool, _) => Err(ApiError::invalid(
            "input",
            "an agent of kind `tool` takes an object: the arguments of its tool",
        )),
        (AgentKind::React, TaskInput::Text(text)) if text.is_empty() => {
            Err(ApiError::invalid("input", "is empty: say what is asked"))
        }
        (AgentKind::React, TaskInput::Messages(messages)) if messages.is_empty() => {
            Err(ApiError::invalid("input", "is empty: give at least one message"))
        }
        (AgentKind::React, TaskInput::Messages(messages)) => {
            for (i, message) in messages.iter().enumerate() {
                let Content::Parts(parts) = &message.content else { continue };
                if parts.is_empty() {
                    return Err(ApiError::invalid(
                        format!("input[{i}].content"),
                        "is empty: give a text or parts",
                    ));
                }
                for (j, part) in parts.iter().enumerate() {
                    check_part(part)
                        .map_err(|why| ApiError::invalid(format!("input[{i}].content[{j}]"), why))?;
                }
            }
            Ok(())
        }
        (AgentKind::React, _) => Ok(()),
    }
}

fn check_part(part: &Part) -> Result<(), &'static str> {
    match part {
        Part::Text { .. } => Ok(()),
        Part::Image { url: Some(url), data: None, .. } => {
            let fits = url.starts_with("https://") || url.starts_with("http://");
            if fits {
                Ok(())
            } else {
                Err("`url` must start with `https://` or `http://`; send bytes as `data`")
            }
        }
        Part::Image { url: None, data: Some(data), media_type } => {
            if !media_type.as_deref().is_some_and(|kind| kind.starts_with("image/")) {
                return Err("an image with `data` needs its `media_type`, for example `image/png`");
            }
            check_base64(data)
        }
        Part::Image { .. } => Err("an image needs exactly one of `url` and `data`"),
        Part::File { data, media_type, .. } => {
            if !media_type.contains('/') {
                return Err("`media_type` must be a media type, for example `application/pdf`");
            }
            check_base64(data)
        }
    }
}

fn check_base64(data: &str) -> Result<(), &'static str> {
    match base64::engine::general_purpose::STANDARD.decode(data) {
        Ok(bytes) if bytes.is_empty() => Err("`data` is empty"),
        Ok(_) => Ok(()),
        Err(_) => Err("`data` must be base64 with padding (RFC 4648, section 4)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_must_be_whole() {
        let image = |url: Option<&str>, data: Option<&str>, kind: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            check_part(&Part::Image { url: own(url), data: own(data), media_type: own(kind) })
        };
        assert!(image(Some("https://example.com/a.png"), None, None).is_ok());
        assert!(image(None, Some("aGFsbG8="), Some("image/png")).is_ok());
        assert!(image(None, None, None).is_err());
        assert!(image(Some("https://example.com/a.png"), Some("aGFsbG8="), Some("image/png")).is_err());
        assert!(image(Some("file:///etc/passwd"), None, None).is_err());
        assert!(image(None, Some("aGFsbG8="), None).is_err());
        assert!(image(None, Some("no base64!"), Some("image/png")).is_err());
        assert!(image(None, Some(""), Some("image/png")).is_err());
        let file = |kind: &str| {
            check_part(&Part::File { data: "aGFsbG8=".into(), media_type: kind.into(), name: None })
        };
        assert!(file("application/pdf").is_ok() && file("pdf").is_err());
    }
}
