//! Raw configuration: flags, environment, file and defaults, before anybody asks what the values mean.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::source::{Mistake, Source};

/// The commented default file: the manual, and the lowest layer.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Environment variables, as a value so that tests need not change their own process.
pub type Environment = BTreeMap<String, String>;

/// A value as somebody wrote it.
#[derive(Debug, Clone)]
pub struct Item {
    /// What was written.
    pub raw: Raw,
    /// Where.
    pub source: Source,
}

/// The shapes that a value can have.
#[derive(Debug, Clone)]
pub enum Raw {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text; all that flags and the environment give is text.
    Text(String),
    /// A list.
    List(Vec<Item>),
    /// A table.
    Table(Table),
    /// A date or time, which no setting takes.
    Date,
}

/// A table by its keys.
pub type Table = BTreeMap<String, Item>;

/// A flag that sets a setting.
#[derive(Debug, Clone)]
pub struct FlagValue {
    /// The setting's path.
    pub path: &'static str,
    /// The flag as it is typed.
    pub flag: &'static str,
    /// Its value.
    pub value: String,
}

/// All layers.
#[derive(Debug, Default)]
pub struct Layers {
    flags: Vec<FlagValue>,
    environment: Environment,
    /// What the user's file says.
    pub file: Table,
    defaults: Table,
}

impl Layers {
    /// Reads the layers. Mistakes in the file's syntax go to `mistakes`; what could be read of it is kept, so that
    /// other mistakes are found in the same run.
    pub fn new(
        flags: Vec<FlagValue>,
        environment: Environment,
        file: Option<(&Path, &str)>,
        mistakes: &mut Vec<Mistake>,
    ) -> Self {
        let file = file.map_or_else(Table::new, |(path, text)| {
            let path = Arc::new(path.to_owned());
            parse(text, &|line| Source::File { path: Arc::clone(&path), line }, mistakes)
        });
        let defaults = parse(DEFAULTS, &|_| Source::Default, mistakes);
        Self { flags, environment, file, defaults }
    }

    /// What the highest layer says about a setting.
    pub fn find(&self, path: &str) -> Option<Item> {
        if let Some(flag) = self.flags.iter().find(|f| f.path == path) {
            return Some(Item { raw: Raw::Text(flag.value.clone()), source: Source::Flag(flag.flag) });
        }
        for name in std::iter::once(env_name(path)).chain(usual_name(path).map(str::to_owned)) {
            // An empty variable is how shells and compose files say "not set".
            if let Some(text) = self.environment.get(&name).filter(|text| !text.is_empty()) {
                return Some(Item { raw: Raw::Text(text.clone()), source: Source::Env(name) });
            }
        }
        walk(&self.file, path).or_else(|| walk(&self.defaults, path)).cloned()
    }

    /// What the default file says about a setting.
    pub fn default_of(&self, path: &str) -> Option<Item> {
        walk(&self.defaults, path).cloned()
    }
}

/// The environment variable of a setting.
pub fn env_name(path: &str) -> String {
    format!("AGENTICAI_{}", path.to_ascii_uppercase().replace('.', "_"))
}

/// Names that platforms and other programs give the same thing.
pub const USUAL_NAMES: [(&str, &str); 4] = [
    ("database.url", "DATABASE_URL"),
    ("database.migrate_url", "DATABASE_MIGRATE_URL"),
    ("rabbitmq.url", "RABBITMQ_URL"),
    ("redis.url", "REDIS_URL"),
];

fn usual_name(path: &str) -> Option<&'static str> {
    USUAL_NAMES.iter().find(|(known, _)| *known == path).map(|(_, name)| *name)
}

fn walk<'a>(table: &'a Table, path: &str) -> Option<&'a Item> {
    match path.split_once('.') {
        None => table.get(path),
        Some((head, rest)) => match &table.get(head)?.raw {
            Raw::Table(inner) => walk(inner, rest),
            _ => None,
        },
    }
}

fn parse(text: &str, source: &dyn Fn(usize) -> Source, mistakes: &mut Vec<Mistake>) -> Table {
    let line_of = |offset: usize| 1 + text.bytes().take(offset).filter(|b| *b == b'\n').count();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(1, |span| line_of(span.start));
        mistakes.push(Mistake {
            source: source(line),
            path: String::new(),
            message: format!("is no TOML: {}", error.message().replace('\n', ", ")),
        });
    }
    convert_table(table.get_ref(), &|offset| source(line_of(offset)))
}

fn convert_table(table: &DeTable<'_>, source: &dyn Fn(usize) -> Source) -> Table {
    table
        .iter()
        .map(|(key, value)| {
            let raw = convert(value.get_ref(), source);
            (key.get_ref().to_string(), Item { raw, source: source(key.span().start) })
        })
        .collect()
}

fn convert(value: &DeValue<'_>, source: &dyn Fn(usize) -> Source) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        // A number beyond 64 bits is kept as text, and refused as such by whoever wants a number.
        DeValue::Integer(n) => {
            i64::from_str_radix(n.as_str(), n.radix()).map_or(Raw::Text(n.to_string()), Raw::Int)
        }
        DeValue::Float(n) => n.as_str().parse().map_or(Raw::Text(n.as_str().to_owned()), Raw::Float),
        DeValue::Boolean(flag) => Raw::Bool(*flag),
        DeValue::Datetime(_) => Raw::Date,
        DeValue::Array(items) => Raw::List(
            items
                .iter()
                .map(|item| Item { raw: convert(item.get_ref(), source), source: source(item.span().start) })
                .collect(),
        ),
        DeValue::Table(inner) => Raw::Table(convert_table(inner, source)),
    }
}

/// The file that is read where none is named: `agenticai/agenticai.toml` in the user's directory of configurations.
pub fn usual_file(environment: &Environment) -> Option<PathBuf> {
    let set = |name: &str| environment.get(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dir = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(dir.join("agenticai").join("agenticai.toml"))
}
