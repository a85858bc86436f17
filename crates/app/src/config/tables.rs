//! The parts of a configuration whose names the user chooses: providers, prices and MCP servers.

use std::collections::BTreeMap;

use super::layers::{Item, Raw, Table};
use super::reader::{Reader, quote, texts};
use super::source::{Source, did_you_mean};

/// What a provider of models speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderDialect {
    /// Chat Completions.
    OpenAi,
    /// Messages.
    Anthropic,
}

/// A provider of models as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub dialect: ProviderDialect,
    /// Its address, with the version.
    pub url: String,
    /// Its key; may hold `${secret:NAME}`.
    pub api_key: Option<String>,
    /// Whether it serves any name that nobody else claims.
    pub serves_any: bool,
    /// Whether answers are streamed.
    pub stream: bool,
}

/// A price in US dollars per million tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// The model.
    pub model: String,
    /// Only at this provider.
    pub provider: Option<String>,
    /// Tokens read.
    pub input: f64,
    /// Tokens read that the provider had cached.
    pub cached_input: f64,
    /// Tokens written.
    pub output: f64,
    /// The user's name for this state of the prices.
    pub version: Option<String>,
}

/// An MCP server that agents refer to by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpServer {
    /// Program and arguments.
    pub command: Option<Vec<String>>,
    /// The program's environment.
    pub env: BTreeMap<String, String>,
    /// Address.
    pub url: Option<String>,
    /// Sent to the address.
    pub headers: BTreeMap<String, String>,
}

/// Reads `[providers.NAME]`.
pub fn providers(reader: &mut Reader<'_>) -> Vec<Provider> {
    named(reader, "providers", |name, fields| {
        fields.allow(&["dialect", "url", "api_key", "serves_any", "stream"]);
        let dialect = match fields.text("dialect").as_deref() {
            Some("openai") => Some(ProviderDialect::OpenAi),
            Some("anthropic") => Some(ProviderDialect::Anthropic),
            Some(other) => {
                fields.wrong("dialect", format!("is `{other}` and must be one of openai, anthropic"));
                None
            }
            None => fields.missing("dialect", "openai or anthropic"),
        };
        let url =
            fields.url("url").or_else(|| fields.missing("url", "for example \"http://127.0.0.1:8080/v1\""));
        Some(Provider {
            name: name.to_owned(),
            api_key: fields.secret("api_key"),
            serves_any: fields.flag("serves_any", false),
            stream: fields.flag("stream", true),
            dialect: dialect?,
            url: url?,
        })
    })
    .into_values()
    .collect()
}

/// Reads `[mcp.NAME]`.
pub fn mcp_servers(reader: &mut Reader<'_>) -> BTreeMap<String, McpServer> {
    named(reader, "mcp", |_, fields| {
        fields.allow(&["command", "env", "url", "headers"]);
        let server = McpServer {
            command: fields.texts("command"),
            env: fields.map("env"),
            url: fields.url("url"),
            headers: fields.map("headers"),
        };
        if server.command.is_some() == server.url.is_some() {
            fields.wrong("", "needs exactly one of `command` and `url`".to_owned());
        }
        if server.command.as_ref().is_some_and(|c| c.first().is_none_or(String::is_empty)) {
            fields.wrong("command", "needs a program: [\"program\", \"argument\"]".to_owned());
        }
        Some(server)
    })
}

/// Reads `[[prices]]`.
pub fn prices(reader: &mut Reader<'_>) -> Vec<Price> {
    let Some(part) = reader.free_part("prices") else { return Vec::new() };
    let Raw::List(rows) = part.raw else {
        reader.wrong(&part.source, "prices", "must be a list: write [[prices]]");
        return Vec::new();
    };
    let mut found = Vec::new();
    for (i, row) in rows.into_iter().enumerate() {
        let path = format!("prices[{i}]");
        let Raw::Table(table) = row.raw else {
            reader.wrong(&row.source, &path, "must be a table: write [[prices]]");
            continue;
        };
        let mut fields = Fields { reader, path, source: row.source, table };
        fields.allow(&["model", "provider", "input", "cached_input", "output", "version"]);
        let model = fields.text("model").or_else(|| fields.missing("model", "the model's name"));
        let input = fields.dollars("input").or_else(|| fields.missing("input", "dollars per million tokens"));
        let output =
            fields.dollars("output").or_else(|| fields.missing("output", "dollars per million tokens"));
        let (cached, provider) = (fields.dollars("cached_input"), fields.text("provider"));
        let version = fields.text("version");
        if let (Some(model), Some(input), Some(output)) = (model, input, output) {
            found.push(Price {
                model,
                provider,
                input,
                cached_input: cached.unwrap_or(input),
                output,
                version,
            });
        }
    }
    found
}

fn named<T>(
    reader: &mut Reader<'_>,
    part: &str,
    read: impl Fn(&str, &mut Fields<'_, '_>) -> Option<T>,
) -> BTreeMap<String, T> {
    let Some(item) = reader.free_part(part) else { return BTreeMap::new() };
    let Raw::Table(tables) = item.raw else {
        reader.wrong(&item.source, part, format!("holds tables by name: write [{part}.NAME]"));
        return BTreeMap::new();
    };
    let mut found = BTreeMap::new();
    for (name, Item { raw, source }) in tables {
        let path = format!("{part}.{name}");
        let Raw::Table(table) = raw else {
            reader.wrong(&source, &path, format!("must be a table: write [{path}]"));
            continue;
        };
        if let Some(value) = read(&name, &mut Fields { reader, path, source, table }) {
            found.insert(name, value);
        }
    }
    found
}

/// The fields of one table, each read with its type.
struct Fields<'r, 'a> {
    reader: &'r mut Reader<'a>,
    path: String,
    source: Source,
    table: Table,
}

impl Fields<'_, '_> {
    fn allow(&mut self, names: &[&str]) {
        let unknown: Vec<String> =
            self.table.keys().filter(|k| !names.contains(&k.as_str())).cloned().collect();
        for key in unknown {
            let hint = did_you_mean(&key, names.iter().copied()).map_or_else(
                || format!("; there are {}", names.join(", ")),
                |name| format!("; did you mean `{name}`?"),
            );
            self.wrong(&key, format!("is no setting{hint}"));
        }
    }

    fn wrong(&mut self, key: &str, message: String) {
        let source = self.table.get(key).map_or(&self.source, |item| &item.source).clone();
        let path = if key.is_empty() { self.path.clone() } else { format!("{}.{key}", self.path) };
        self.reader.wrong(&source, &path, message);
    }

    fn missing<T>(&mut self, key: &str, what: &str) -> Option<T> {
        // A value that is there and wrong has been reported already.
        if !self.table.contains_key(key) {
            self.wrong(key, format!("is missing: {what}"));
        }
        None
    }

    fn read<T>(&mut self, key: &str, wanted: &str, read: impl Fn(&Raw) -> Option<T>) -> Option<T> {
        let item = self.table.get(key)?;
        let value = read(&item.raw);
        if value.is_none() {
            self.wrong(key, format!("must be {wanted}"));
        }
        value
    }

    fn note(&mut self, key: &str, value: String) {
        if let Some(item) = self.table.get(key) {
            let (source, path) = (item.source.clone(), format!("{}.{key}", self.path));
            self.reader.show(&path, value, &source);
        }
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let text = self.read(key, "a text in quotes", |raw| match raw {
            Raw::Text(text) if !text.trim().is_empty() => Some(text.clone()),
            _ => None,
        })?;
        self.note(key, quote(&text));
        Some(text)
    }

    /// A text that is shown only where it is nothing but a reference to a secret.
    fn secret(&mut self, key: &str) -> Option<String> {
        let text = self.read(key, "a text in quotes, best \"${secret:NAME}\"", |raw| match raw {
            Raw::Text(text) if !text.trim().is_empty() => Some(text.clone()),
            _ => None,
        })?;
        let shown = shown_secret(&text);
        self.note(key, shown);
        Some(text)
    }

    fn url(&mut self, key: &str) -> Option<String> {
        let url = self.text(key)?;
        let web = url::Url::parse(&url).is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.has_host());
        if !web {
            self.wrong(key, "must start with `http://` or `https://` and name a host".to_owned());
            return None;
        }
        Some(url.trim_end_matches('/').to_owned())
    }

    fn flag(&mut self, key: &str, default: bool) -> bool {
        let flag = self.read(key, "true or false", |raw| match raw {
            Raw::Bool(flag) => Some(*flag),
            _ => None,
        });
        if let Some(flag) = flag {
            self.note(key, flag.to_string());
        }
        flag.unwrap_or(default)
    }

    fn dollars(&mut self, key: &str) -> Option<f64> {
        let dollars = self.read(key, "a number of dollars, 0 or more", |raw| {
            match raw {
                Raw::Int(n) => Some(*n as f64),
                Raw::Float(n) => Some(*n),
                _ => None,
            }
            .filter(|n| n.is_finite() && *n >= 0.0)
        })?;
        self.note(key, dollars.to_string());
        Some(dollars)
    }

    fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let list = self.read(key, "a list of texts in quotes", |raw| match raw {
            Raw::List(items) => texts(items),
            _ => None,
        })?;
        self.note(key, format!("[{}]", list.iter().map(|t| quote(t)).collect::<Vec<_>>().join(", ")));
        Some(list)
    }

    fn map(&mut self, key: &str) -> BTreeMap<String, String> {
        let map = self
            .read(key, "a table of texts: { NAME = \"value\" }", |raw| match raw {
                Raw::Table(table) => table
                    .iter()
                    .map(|(name, item)| match &item.raw {
                        Raw::Text(text) => Some((name.clone(), text.clone())),
                        _ => None,
                    })
                    .collect::<Option<BTreeMap<String, String>>>(),
                _ => None,
            })
            .unwrap_or_default();
        if !map.is_empty() {
            let shown: Vec<String> = map.iter().map(|(k, v)| format!("{k} = {}", shown_secret(v))).collect();
            self.note(key, format!("{{ {} }}", shown.join(", ")));
        }
        map
    }
}

/// What may be shown of a value that is or may hold a secret: a reference, and nothing that was written out.
fn shown_secret(text: &str) -> String {
    let reference = text.strip_prefix("Bearer ").unwrap_or(text);
    let inner = reference.strip_prefix("${secret:").and_then(|rest| rest.strip_suffix('}'));
    if inner.is_some_and(|name| !name.contains(['$', '{', '}'])) {
        quote(text)
    } else {
        "(hidden)".to_owned()
    }
}
