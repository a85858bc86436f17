//! `config show | default`

use serde_json::json;

use super::Context;
use crate::config::DEFAULTS;
use crate::exit::{Exit, Result};
use crate::render::{print, table};

/// Variables whose values are secrets, and which matter although no file names them.
const KEYS: [&str; 4] =
    ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AGENTICAI_API_KEY", "AGENTICAI_MODEL_API_KEY"];
const ADDRESSES: [&str; 2] = ["AGENTICAI_MODEL_URL", "AGENTICAI_URL"];

/// Prints every setting with its source.
pub fn show(context: &Context) -> Result {
    let environment = &context.loaded.environment;
    let set = |name: &&str| environment.get(*name).is_some_and(|value| !value.is_empty());
    let mut rows: Vec<[String; 3]> = context
        .loaded
        .shown
        .iter()
        .map(|s| [s.path.clone(), s.value.clone(), s.source.to_string()])
        .collect();
    let from = |name: &str| format!("environment variable {name}");
    rows.extend(KEYS.iter().filter(|n| set(n)).map(|n| [(*n).to_owned(), "(hidden)".to_owned(), from(n)]));
    for name in ADDRESSES.iter().filter(|name| set(name)) {
        rows.push([(*name).to_owned(), without_password(&environment[*name]), from(name)]);
    }
    if context.global.json {
        let settings: Vec<_> = rows
            .iter()
            .map(|[path, value, source]| json!({ "setting": path, "value": value, "source": source }))
            .collect();
        context.print_json(&json!({
            "file": context.loaded.file,
            "settings": settings,
            "unknown": context.loaded.unknown,
            "remarks": context.loaded.remarks,
        }))?;
        return Ok(Exit::Ok);
    }
    match &context.loaded.file {
        Some(file) => print(&context.out.dim(&format!("file: {}", file.display()))),
        None => print(&context.out.dim("file: none")),
    }
    let rows: Vec<Vec<String>> = rows.into_iter().map(Into::into).collect();
    for line in table::lines(&["SETTING", "VALUE", "SOURCE"], &rows) {
        print(&line);
    }
    if !context.loaded.unknown.is_empty() {
        let names = context.loaded.unknown.join(", ");
        print(&context.out.warn(&format!("no setting, and no variable that means anything: {names}")));
    }
    for remark in &context.loaded.remarks {
        print(&context.out.warn(&format!("note: {remark}")));
    }
    Ok(Exit::Ok)
}

/// Prints the commented default file.
pub fn default() -> Result {
    print(DEFAULTS.trim_end());
    Ok(Exit::Ok)
}

/// An address without the password that it may hold.
fn without_password(address: &str) -> String {
    match url::Url::parse(address) {
        Ok(mut url) if url.password().is_some() => {
            let _ = url.set_password(Some("hidden"));
            url.to_string()
        }
        _ => address.to_owned(),
    }
}
