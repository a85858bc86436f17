//! From raw values to typed ones: every read names the setting once, records what it found and where, and goes on
//! after a mistake, so that all of them are reported together.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::layers::{Item, Layers, Raw, Table};
use super::source::{Mistake, Source, did_you_mean};

/// A setting as `config show` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The setting's path.
    pub path: String,
    /// Its value as TOML; secrets are hidden.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

/// Reads settings out of layers.
pub struct Reader<'a> {
    layers: &'a Layers,
    known: BTreeSet<String>,
    /// Those of the known that only a file can hold.
    free: BTreeSet<String>,
    /// What was wrong so far.
    pub mistakes: Vec<Mistake>,
    /// What was read so far.
    pub shown: Vec<Shown>,
}

impl<'a> Reader<'a> {
    /// A reader that has read nothing.
    pub fn new(layers: &'a Layers, mistakes: Vec<Mistake>) -> Self {
        Self { layers, known: BTreeSet::new(), free: BTreeSet::new(), mistakes, shown: Vec::new() }
    }

    /// Takes note of a mistake.
    pub fn wrong(&mut self, source: &Source, path: &str, message: impl Into<String>) {
        self.mistakes.push(Mistake {
            source: source.clone(),
            path: path.to_owned(),
            message: message.into(),
        });
    }

    /// Takes note of a value for `config show`.
    pub fn show(&mut self, path: &str, value: impl Into<String>, source: &Source) {
        self.shown.push(Shown { path: path.to_owned(), value: value.into(), source: source.clone() });
    }

    /// A whole number within `range`.
    pub fn number(&mut self, path: &str, range: RangeInclusive<u64>) -> u64 {
        let wanted = format!("must be a whole number from {} to {}", range.start(), range.end());
        let read = |item: &Item| {
            let n = match &item.raw {
                Raw::Int(n) => u64::try_from(*n).ok(),
                Raw::Text(text) if !matches!(item.source, Source::File { .. }) => text.trim().parse().ok(),
                _ => None,
            };
            n.filter(|n| range.contains(n)).ok_or_else(|| wanted.clone())
        };
        self.read(path, read, u64::to_string).unwrap_or(*range.start())
    }

    /// A number of seconds within `range`.
    pub fn seconds(&mut self, path: &str, range: RangeInclusive<u64>) -> Duration {
        Duration::from_secs(self.number(path, range))
    }

    /// A number of milliseconds within `range`.
    pub fn milliseconds(&mut self, path: &str, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.number(path, range))
    }

    /// A whole number within `range` as a type that holds all of it.
    pub fn whole<T: TryFrom<u64> + Default>(&mut self, path: &str, range: RangeInclusive<u64>) -> T {
        T::try_from(self.number(path, range)).unwrap_or_default()
    }

    /// A number of seconds within `range` that may be absent.
    pub fn optional_seconds(&mut self, path: &str, range: RangeInclusive<u64>) -> Option<Duration> {
        self.known.insert(path.to_owned());
        self.layers.find(path)?;
        Some(self.seconds(path, range))
    }

    /// `true` or `false`; false where nobody says anything.
    pub fn flag(&mut self, path: &str) -> bool {
        let read = |item: &Item| match &item.raw {
            Raw::Bool(flag) => Ok(*flag),
            Raw::Text(text) if !matches!(item.source, Source::File { .. }) => {
                text.trim().parse().map_err(|_| "must be true or false".to_owned())
            }
            _ => Err("must be true or false".to_owned()),
        };
        self.read(path, read, bool::to_string).unwrap_or_default()
    }

    /// An address that may hold a password, which is not shown; it may be absent.
    pub fn address(&mut self, path: &str) -> Option<String> {
        let read = |item: &Item| match &item.raw {
            Raw::Text(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            _ => Err("must be an address in quotes".to_owned()),
        };
        self.read(path, read, |text| without_password(text))
    }

    /// Text that may be absent.
    pub fn text(&mut self, path: &str) -> Option<String> {
        let read = |item: &Item| match &item.raw {
            Raw::Text(text) if !text.trim().is_empty() => Ok(text.clone()),
            Raw::Text(_) => Err("is empty: leave it out instead".to_owned()),
            _ => Err("must be a text in quotes".to_owned()),
        };
        self.read(path, read, |text| quote(text))
    }

    /// One of several words.
    pub fn choice<T: Copy>(&mut self, path: &str, choices: &[(&'static str, T)]) -> Option<T> {
        let read = |item: &Item| {
            let words = choices.iter().map(|(word, _)| *word);
            let Raw::Text(text) = &item.raw else {
                return Err(format!("must be one of {}", words.collect::<Vec<_>>().join(", ")));
            };
            choices.iter().position(|(word, _)| word == text).ok_or_else(|| {
                let hint = did_you_mean(text, words.clone())
                    .map_or(String::new(), |w| format!("; did you mean `{w}`?"));
                format!("is `{text}` and must be one of {}{hint}", words.collect::<Vec<_>>().join(", "))
            })
        };
        let at = self.read(path, read, |at| quote(choices[*at].0))?;
        Some(choices[at].1)
    }

    /// A list of texts; in the environment and in flags with commas between them.
    pub fn list(&mut self, path: &str) -> Vec<String> {
        let read = |item: &Item| match &item.raw {
            Raw::Text(text) if !matches!(item.source, Source::File { .. }) => {
                Ok(text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect())
            }
            Raw::List(items) => texts(items).ok_or_else(|| "must be a list of texts in quotes".to_owned()),
            _ => Err("must be a list of texts: [\"one\", \"two\"]".to_owned()),
        };
        let show = |list: &Vec<String>| {
            format!("[{}]", list.iter().map(|t| quote(t)).collect::<Vec<_>>().join(", "))
        };
        self.read(path, read, show).unwrap_or_default()
    }

    /// A part of the file whose keys the user chooses (`providers`, `mcp`, `prices`); the caller checks what is in it.
    pub fn free_part(&mut self, path: &str) -> Option<Item> {
        self.known.insert(path.to_owned());
        self.free.insert(path.to_owned());
        self.layers.file.get(path).cloned()
    }

    /// The paths that were asked for and that the environment may say something about.
    pub fn into_known(self) -> Vec<String> {
        self.known.difference(&self.free).cloned().collect()
    }

    /// Refuses everything in the file that no read asked for. Called last.
    pub fn refuse_unknown(&mut self) {
        let layers = self.layers;
        self.refuse_in(&layers.file, "");
    }

    /// Reads a value of the highest layer; one that is wrong is noted, and the default stands in for the rest of the
    /// run.
    fn read<T>(
        &mut self,
        path: &str,
        read: impl Fn(&Item) -> Result<T, String>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        self.known.insert(path.to_owned());
        let item = self.layers.find(path)?;
        match read(&item) {
            Ok(value) => {
                self.show(path, show(&value), &item.source);
                Some(value)
            }
            Err(message) => {
                self.wrong(&item.source, path, message);
                self.layers.default_of(path).and_then(|item| read(&item).ok())
            }
        }
    }

    fn refuse_in(&mut self, table: &Table, prefix: &str) {
        for (key, item) in table {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            if self.known.contains(&path) {
                continue;
            }
            let is_section = self.known.iter().any(|known| known.starts_with(&format!("{path}.")));
            match &item.raw {
                Raw::Table(inner) if is_section => self.refuse_in(inner, &path),
                _ if is_section => self.wrong(&item.source, &path, format!("is a section: write [{path}]")),
                _ => {
                    let hint = did_you_mean(&path, self.known.iter().map(String::as_str))
                        .map_or(String::new(), |known| format!("; did you mean `{known}`?"));
                    self.wrong(&item.source, &path, format!("is no setting{hint}"));
                }
            }
        }
    }
}

/// The texts of a list, if there is nothing else in it.
pub fn texts(items: &[Item]) -> Option<Vec<String>> {
    items
        .iter()
        .map(|item| match &item.raw {
            Raw::Text(text) => Some(text.clone()),
            _ => None,
        })
        .collect()
}

/// An address without its password.
fn without_password(address: &str) -> String {
    let hidden = || "(hidden)".to_owned();
    let Some((scheme, rest)) = address.split_once("://") else {
        return if address.starts_with("${secret:") { quote(address) } else { hidden() };
    };
    if rest.contains("password=") {
        return hidden();
    }
    match rest.rsplit_once('@') {
        Some((login, place)) => {
            let user = login.split_once(':').map_or(login.to_owned(), |(user, _)| format!("{user}:(hidden)"));
            quote(&format!("{scheme}://{user}@{place}"))
        }
        None => quote(address),
    }
}

/// A text as it stands in TOML.
pub fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
