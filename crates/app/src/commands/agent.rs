//! `agent apply | list | show | delete`

use std::path::{Path as File, PathBuf};

use serde_json::{Value, json};

use agenticai_domain::spec::{AgentSpec, Approval, Effect};
use agenticai_wire::AgentView;

use super::Context;
use crate::cli::Agent;
use crate::client::{Client, Path, server};
use crate::exit::{Exit, Failure, Result};
use crate::render::{clip, note, print, table};

/// Does what was typed.
pub async fn perform(context: &Context, args: Agent) -> Result {
    match args {
        Agent::Apply { files } => apply_files(context, &files).await,
        Agent::List => list(context).await,
        Agent::Show { agent, version } => show(context, &agent, version).await,
        Agent::Delete { agent } => delete(context, &agent).await,
    }
}

async fn apply_files(context: &Context, files: &[PathBuf]) -> Result {
    // All files are read first: a mistake in the last one leaves nothing half applied.
    let mut specs = Vec::new();
    for file in files {
        specs.extend(read(file)?);
    }
    let client = server(context).await?;
    let mut applied = Vec::new();
    for spec in &specs {
        let view = apply(&client, spec).await?;
        if !context.global.json {
            for line in describe(&view) {
                print(&line);
            }
            for warning in &view.warnings {
                print(&context.out.warn(&format!("  note: {warning}")));
            }
        }
        applied.push(view);
    }
    if context.global.json {
        context.print_json(&json!({ "items": applied }))?;
    }
    Ok(Exit::Ok)
}

/// Stores one agent as a version.
pub async fn apply(client: &Client, spec: &AgentSpec) -> Result<AgentView> {
    client.put(Path::to(&["api", "v1", "agents", &spec.name]), spec).await
}

/// Reads the agents of a YAML or JSON file; `-` is standard input. Every mistake in it is reported at once.
pub fn read(file: &File) -> Result<Vec<AgentSpec>> {
    let name = if file == File::new("-") { "standard input".to_owned() } else { file.display().to_string() };
    let text = if file == File::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    }
    .map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
    parse(&name, &text)
}

fn parse(name: &str, text: &str) -> Result<Vec<AgentSpec>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|error| Failure::usage(format!("{name} is no YAML: {error}")))?;
    let mut specs = Vec::new();
    let mut mistakes = Vec::new();
    let several = documents.len() > 1;
    for (i, document) in documents.into_iter().enumerate() {
        let place = if several { format!("{name}, document {}", i + 1) } else { name.to_owned() };
        match serde_path_to_error::deserialize::<_, AgentSpec>(document) {
            Err(error) => {
                let path = error.path().to_string();
                let path = if path == "." { String::new() } else { format!("{path}: ") };
                mistakes.push(format!("{place}: {path}{}", error.inner()));
            }
            Ok(spec) => {
                mistakes.extend(spec.check().into_iter().map(|mistake| format!("{place}: {mistake}")));
                specs.push(spec);
            }
        }
    }
    if specs.is_empty() && mistakes.is_empty() {
        mistakes.push(format!("{name} holds no agent"));
    }
    if mistakes.is_empty() { Ok(specs) } else { Err(Failure::usage(mistakes.join("\n"))) }
}

/// What was stored: each tool with what repeating it does, because that is what its author has to get right.
fn describe(view: &AgentView) -> Vec<String> {
    let model = view.spec.model.as_ref().map_or_else(|| "no model".to_owned(), |model| model.name.clone());
    let mut lines = vec![format!("{} version {} · {model}", view.spec.name, view.version)];
    let rows: Vec<Vec<String>> = view
        .resolved_tools
        .iter()
        .map(|tool| {
            let effect = match tool.effect {
                Effect::None => "none",
                Effect::Idempotent => "idempotent",
                Effect::Once => "once",
            };
            let approval = if tool.approval == Approval::Always { "asks first" } else { "" };
            vec![format!("  {}", tool.name), effect.into(), tool.source.clone(), approval.into()]
        })
        .collect();
    if !rows.is_empty() {
        lines.extend(table::lines(&["  TOOL", "EFFECT", "FROM", "APPROVAL"], &rows));
    }
    lines
}

async fn list(context: &Context) -> Result {
    let client = server(context).await?;
    let items: Vec<AgentView> = client.all(&["api", "v1", "agents"]).await?;
    if context.global.json {
        context.print_json(&json!({ "items": items }))?;
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|view| {
            let model = view.spec.model.as_ref().map_or("", |model| &model.name);
            let about = view.spec.description.as_deref().or(view.spec.instructions.as_deref()).unwrap_or("");
            vec![
                view.spec.name.clone(),
                view.version.to_string(),
                model.to_owned(),
                view.resolved_tools.len().to_string(),
                clip(&Value::from(about), 60),
            ]
        })
        .collect();
    for line in table::lines(&["NAME", "VERSION", "MODEL", "TOOLS", "ABOUT"], &rows) {
        print(&line);
    }
    Ok(Exit::Ok)
}

async fn show(context: &Context, agent: &str, version: Option<u32>) -> Result {
    let client = server(context).await?;
    let version = version.map(|version| version.to_string());
    let query: Vec<(&str, &str)> = version.iter().map(|version| ("version", version.as_str())).collect();
    let view: AgentView =
        client.get(Path { segments: &["api", "v1", "agents", agent], query: &query }).await?;
    if context.global.json {
        context.print_json(&view)?;
        return Ok(Exit::Ok);
    }
    for line in describe(&view) {
        print(&context.out.dim(&format!("# {line}")));
    }
    let yaml = serde_saphyr::to_string(&view.spec)
        .map_err(|error| Failure::failed(format!("the agent cannot be written as YAML: {error}")))?;
    print(yaml.trim_end());
    Ok(Exit::Ok)
}

async fn delete(context: &Context, agent: &str) -> Result {
    let client = server(context).await?;
    client.tell(reqwest::Method::DELETE, Path::to(&["api", "v1", "agents", agent]), None::<&()>).await?;
    if context.global.json {
        context.print_json(&json!({ "deleted": agent }))?;
    } else {
        note(&format!("{agent} is deleted; tasks that run it go on"));
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn yaml_with_shorthands_is_read() {
        let specs = parse(
            "a.yaml",
            "name: a\nmodel: gpt-5-mini\ntools: [calculator]\n---\nname: b\nmodel: {name: x}\n",
        )
        .unwrap();
        assert_eq!(specs.len(), 2);
        assert_eq!(specs[0].model.as_ref().unwrap().name, "gpt-5-mini");
        assert_eq!(parse("a.json", "{\"name\": \"a\", \"model\": \"m\"}").unwrap().len(), 1);
    }

    #[test]
    fn mistakes_of_all_documents_are_named_with_their_place() {
        let text = "name: A!\nmodel: m\nlimits: {max_steps: 0}\n---\nname: b\nmodle: m\n---\nname: c\nmodel: m\ntools: [{http: {url: 7}}]\n";
        let found = parse("a.yaml", text).unwrap_err();
        assert_eq!(found.exit, Exit::Usage);
        for part in [
            "a.yaml, document 1: name: `A!`",
            "limits.max_steps",
            "document 2",
            "modle",
            "document 3: tools[0]",
        ] {
            assert!(found.message.contains(part), "`{part}` is missing in {}", found.message);
        }
        assert!(parse("a.yaml", "").unwrap_err().message.contains("holds no agent"));
        assert!(parse("a.yaml", "name: [").unwrap_err().message.contains("is no YAML"));
    }
}
