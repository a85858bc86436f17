//! Takes resolved secrets out of everything that a call reports.
//!
//! A server may send back what it was sent: a header in an error page, a URL in a redirect. What is journaled, logged
//! and shown to a model holds the reference `${secret:NAME}` in the secret's place.

use agenticai_domain::journal::CallOutcome;
use agenticai_domain::outcome::ToolResult;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::secrets::{SecretError, Secrets};

/// Shorter values are left alone: taking out every `1` would destroy answers and hide nothing.
const SHORTEST: usize = 4;
const OPEN: &str = "${secret:";

/// The secrets of one call. Resolves references, remembers what came out, and takes it out of results.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    /// Text to look for, and the reference to put there.
    forms: Vec<(String, String)>,
}

impl Redactor {
    /// Completes a text. What its references stand for will be taken out of results.
    pub fn resolve(&mut self, secrets: &Secrets, text: &str) -> Result<String, SecretError> {
        let done = secrets.resolve(text)?;
        for piece in text.split(OPEN).skip(1) {
            let name = piece.split('}').next().unwrap_or_default();
            let reference = format!("{OPEN}{name}}}");
            let value = secrets.resolve(&reference)?;
            self.note(&value, &reference);
        }
        Ok(done)
    }

    /// Like [`resolve`](Self::resolve), for the values of a map.
    pub fn resolve_map(
        &mut self,
        secrets: &Secrets,
        map: &std::collections::BTreeMap<String, String>,
    ) -> Result<std::collections::BTreeMap<String, String>, SecretError> {
        map.iter().map(|(name, value)| Ok((name.clone(), self.resolve(secrets, value)?))).collect()
    }

    /// Remembers a value in the forms in which it travels: as it is, in a URL, in JSON, in basic authentication.
    pub fn note(&mut self, value: &str, reference: &str) {
        if value.len() < SHORTEST {
            return;
        }
        let mut forms = vec![value.to_owned(), BASE64.encode(value)];
        forms.push(url::form_urlencoded::byte_serialize(value.as_bytes()).collect());
        forms.push(percent_encoded(value));
        let quoted = Value::from(value).to_string();
        forms.push(quoted[1..quoted.len() - 1].to_owned());
        for form in forms {
            if !self.forms.iter().any(|(known, _)| *known == form) {
                self.forms.push((form, reference.to_owned()));
            }
        }
        // Longer ones first, so that a secret inside another one does not break it up.
        self.forms.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
    }

    /// Takes the secrets out of a text.
    pub fn text(&self, mut text: String) -> String {
        for (form, reference) in &self.forms {
            if text.contains(form.as_str()) {
                text = text.replace(form.as_str(), reference);
            }
        }
        text
    }

    /// Takes the secrets out of a result.
    pub fn result(&self, result: ToolResult) -> ToolResult {
        if self.forms.is_empty() {
            return result;
        }
        match result {
            ToolResult::Ended(CallOutcome::Ok { content }) => ToolResult::ok(self.value(content)),
            ToolResult::Ended(CallOutcome::Error { code, message }) => {
                ToolResult::error(&code, self.text(message))
            }
            ToolResult::Uncertain { reason } => ToolResult::Uncertain { reason: self.text(reason) },
        }
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => {
                map.into_iter().map(|(key, item)| (self.text(key), self.value(item))).collect()
            }
            Value::Number(number) => {
                let text = number.to_string();
                match self.forms.iter().find(|(form, _)| *form == text) {
                    Some((_, reference)) => Value::from(reference.as_str()),
                    None => Value::Number(number),
                }
            }
            other => other,
        }
    }
}

/// As `url` writes it into a path or query.
fn percent_encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_found_in_every_form() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("TOKEN"), "pl4nted s3cret/\"x").unwrap();
        std::fs::write(dir.path().join("PIN"), "123456").unwrap();
        let secrets = Secrets::new(Some(dir.path().to_owned()));
        let mut redactor = Redactor::default();
        assert_eq!(
            redactor.resolve(&secrets, "Bearer ${secret:TOKEN}").unwrap(),
            "Bearer pl4nted s3cret/\"x"
        );
        redactor.resolve(&secrets, "${secret:PIN}").unwrap();
        let url = url::Url::parse("http://h/?t=pl4nted s3cret%2F%22x").unwrap();
        let said = json!({
            "plain": "a pl4nted s3cret/\"x b", "form": "t=pl4nted+s3cret%2F%22x", "url": url.as_str(),
            "json": "{\"t\":\"pl4nted s3cret/\\\"x\"}", "basic": BASE64.encode("pl4nted s3cret/\"x"), "pin": 123456,
        });
        let ToolResult::Ended(CallOutcome::Ok { content }) = redactor.result(ToolResult::ok(said)) else {
            unreachable!()
        };
        let text = content.to_string();
        assert_eq!(text.matches("${secret:TOKEN}").count(), 5, "{text}");
        assert_eq!(content["pin"], json!("${secret:PIN}"));
        assert!(!text.contains("pl4nted"));
    }
}
