//! JSON Schemas, compiled. Remote references are never fetched.

use serde_json::Value;

/// A compiled JSON Schema.
#[derive(Debug, Clone)]
pub struct Schema(std::sync::Arc<jsonschema::Validator>);

impl Schema {
    /// Compiles a schema; the error says in words what is wrong with it.
    pub fn compile(schema: &Value) -> Result<Self, String> {
        if !schema.is_object() && !schema.is_boolean() {
            return Err("a schema is an object or a boolean".to_owned());
        }
        jsonschema::validator_for(schema).map(|v| Self(std::sync::Arc::new(v))).map_err(|e| e.to_string())
    }

    /// What is wrong with `value`, in at most five sentences joined by `; `.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        if self.0.is_valid(value) {
            return Ok(());
        }
        let found: Vec<String> = self
            .0
            .iter_errors(value)
            .take(5)
            .map(|e| match e.instance_path().to_string() {
                path if path.is_empty() => e.to_string(),
                path => format!("at {path}: {e}"),
            })
            .collect();
        Err(found.join("; "))
    }
}
