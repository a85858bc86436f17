//! The OpenAPI document, and the agents' JSON Schema made of it.
//!
//! Paths and shapes come from the handlers and types themselves. What derives cannot say is added here: the login,
//! the problems, and the shorthands that deserializers accept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::{Value, json};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
    Schema,
};
use utoipa::{PartialSchema, ToSchema};

use agenticai_wire::Problem;

use crate::problem;

/// Routes that answer without a login; `/metrics` unless the operator closes it.
const OPEN: &[&str] = &["/health", "/health/live", "/health/ready", "/metrics", "/api/v1/agent-schema.json"];

const LOGIN: &str = "api_key";

/// The document of a server with one port. `docs/openapi.json` is a copy of it that a test keeps equal.
pub fn openapi() -> OpenApi {
    document([crate::routes().into_openapi()])
}

/// The document of a port for everybody, where operators have their own: no metrics, and health without reasons.
pub fn public_openapi() -> OpenApi {
    document([crate::api_routes().into_openapi(), crate::admin::bare_routes().into_openapi()])
}

fn document(parts: impl IntoIterator<Item = OpenApi>) -> OpenApi {
    let components = ComponentsBuilder::new()
        .security_scheme(
            LOGIN,
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        )
        .schema(Problem::name(), Problem::schema())
        .schemas_from_iter(nested_schemas::<Problem>())
        .build();
    let mut document = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("agenticai")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(description())),
        )
        .components(Some(components))
        .security(Some([SecurityRequirement::new::<_, [String; 0], String>(LOGIN, [])]))
        .build();
    parts.into_iter().for_each(|part| document.merge(part));
    for (path, item) in &mut document.paths.paths {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            complete(operation, OPEN.contains(&path.as_str()));
        }
    }
    if let Some(components) = &mut document.components {
        accept_shorthands(&mut components.schemas);
        spell_out_view(&mut components.schemas);
    }
    document
}

fn nested_schemas<T: ToSchema>() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = Vec::new();
    T::schemas(&mut schemas);
    schemas
}

fn description() -> String {
    let mut text =
        "Durable LLM agents. Errors are problem documents (RFC 9457); clients decide by `type`:\n\n\
                    | type | status | meaning |\n| --- | --- | --- |\n"
            .to_owned();
    for kind in problem::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `/problems/{}` | {} | {} |", kind.name, kind.status.as_u16(), kind.title);
    }
    text
}

fn complete(operation: &mut Operation, open: bool) {
    if open {
        operation.security = Some(Vec::new());
    }
    let problem = ResponseBuilder::new()
        .description("A problem")
        .content(
            "application/problem+json",
            ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build(),
        )
        .build();
    operation.responses.responses.insert("default".to_owned(), problem.into());
}

type Schemas = BTreeMap<String, RefOr<Schema>>;

/// Deserializers take a model's name for a model and a built-in tool's name for a tool.
fn accept_shorthands(schemas: &mut Schemas) {
    change(schemas, "ModelRef", |mut long| {
        // Its deserializer is written by hand, so that the derive does not know what it refuses.
        long["additionalProperties"] = json!(false);
        json!({
            "description": "A model: its name, or an object.",
            "oneOf": [{"type": "string", "description": "The model's name."}, long]
        })
    });
    change(schemas, "ToolSpec", |mut long| {
        if let Some(Value::Array(shapes)) = long.get_mut("oneOf") {
            shapes.insert(0, json!({"type": "string", "description": "The name of a built-in tool."}));
        }
        long
    });
}

/// A view is a specification with more fields. Composed of two schemas, the specification's refusal of unknown fields
/// would refuse the view's own: so it is spelled out as one object.
fn spell_out_view(schemas: &mut Schemas) {
    let spec = schemas.get("AgentSpec").and_then(|spec| serde_json::to_value(spec).ok()).unwrap_or_default();
    change(schemas, "AgentView", |view| {
        let mut whole =
            json!({"type": "object", "description": view["description"], "required": [], "properties": {}});
        let own =
            view["allOf"].as_array().into_iter().flatten().filter(|part| part.get("properties").is_some());
        for part in [&spec].into_iter().chain(own) {
            if let (Some(all), Some(some)) =
                (whole["properties"].as_object_mut(), part["properties"].as_object())
            {
                all.extend(some.clone());
            }
            if let (Some(all), Some(some)) = (whole["required"].as_array_mut(), part["required"].as_array()) {
                all.extend(some.iter().cloned());
            }
        }
        whole
    });
}

/// Rewrites one schema. What comes out is a schema again, or stays as it was; the snapshot shows which.
fn change(schemas: &mut Schemas, name: &str, how: impl FnOnce(Value) -> Value) {
    if let Some(schema) = schemas.get_mut(name)
        && let Ok(value) = serde_json::to_value(&*schema)
        && let Ok(changed) = serde_json::from_value(how(value))
    {
        *schema = changed;
    }
}

/// The agents' JSON Schema as text.
pub(crate) fn agent_schema_text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", agent_schema()));
    &TEXT
}

/// The schema of a specification with everything that it refers to.
fn agent_schema() -> Value {
    let document = serde_json::to_value(openapi()).unwrap_or_default();
    let schemas = &document["components"]["schemas"];
    let mut definitions = serde_json::Map::new();
    let mut wanted: BTreeSet<String> = BTreeSet::from(["AgentSpec".to_owned()]);
    while let Some(name) = wanted.pop_first() {
        if !definitions.contains_key(&name) {
            let mut schema = schemas[&name].clone();
            point_inside(&mut schema, &mut wanted);
            definitions.insert(name, schema);
        }
    }
    let mut schema = definitions.remove("AgentSpec").unwrap_or_default();
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("An agent of agenticai");
    schema["$defs"] = Value::Object(definitions);
    schema
}

/// Turns references into the document into references into `$defs`, and collects their names.
fn point_inside(schema: &mut Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get_mut("$ref")
                && let Some(name) = reference.strip_prefix("#/components/schemas/").map(str::to_owned)
            {
                *reference = format!("#/$defs/{name}");
                names.insert(name);
            }
            fields.values_mut().for_each(|value| point_inside(value, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| point_inside(item, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use agenticai_domain::schema::Schema;

    use super::*;

    #[test]
    fn the_agents_schema_takes_what_the_deserializer_takes() {
        let schema = Schema::compile(&agent_schema()).unwrap();
        let long = json!({
            "name": "researcher", "kind": "react", "model": {"name": "gpt-5-mini", "provider": "openai"},
            "instructions": "Answer with sources.",
            "tools": [
                "calculator",
                {"builtin": "sleep"},
                {"name": "lookup", "parameters": {"type": "object"}, "effect": "idempotent",
                 "http": {"method": "GET", "url": "https://example.com"}},
                {"mcp": {"command": ["server"], "effects": {"echo": "none"}}}
            ],
            "limits": {"max_steps": 50, "max_cost_usd": 2.0}
        });
        for good in [json!({"name": "a", "model": "gpt-5-mini"}), long] {
            schema.check(&good).unwrap_or_else(|why| panic!("{good}: {why}"));
            serde_json::from_value::<agenticai_domain::spec::AgentSpec>(good).unwrap();
        }
        for bad in [
            json!({"model": "gpt-5-mini"}),
            json!({"name": "a", "model": 7}),
            json!({"name": "a", "model": {"name": "x", "temprature": 1}}),
            json!({"name": "a", "modell": "x"}),
            json!({"name": "a", "tools": [{"builtin": "sleep", "colour": "red"}]}),
            json!({"name": "a", "limits": {"max_stepz": 1}}),
        ] {
            assert!(schema.check(&bad).is_err(), "{bad}");
            assert!(serde_json::from_value::<agenticai_domain::spec::AgentSpec>(bad).is_err());
        }
    }

    #[test]
    fn a_view_is_one_object_with_all_fields() {
        let document = serde_json::to_value(openapi()).unwrap();
        let view = &document["components"]["schemas"]["AgentView"];
        for field in ["id", "version", "name", "model", "resolved_tools", "warnings"] {
            assert!(view["properties"].get(field).is_some(), "{field}: {view}");
        }
    }
}
