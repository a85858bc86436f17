//! What the registry of models is made from.

use std::fmt;
use std::time::Duration;

use super::price::PriceRow;

/// Everything that [`Models`](super::Models) needs to know.
#[derive(Debug, Clone)]
pub struct ModelsConfig {
    /// Who may be asked, in order of preference.
    pub providers: Vec<ProviderConfig>,
    /// Prices of the operator's own; they go before the built-in ones.
    pub prices: Vec<PriceRow>,
    /// Until a connection must stand.
    pub connect_timeout: Duration,
    /// Until the first token must have come, and the longest silence after it. A specification may say otherwise.
    pub default_first_token_timeout: Duration,
    /// Until the whole answer must have come, all attempts and the pauses between them included. A specification may
    /// say otherwise.
    pub default_timeout: Duration,
    /// How passing failures are met.
    pub retry: RetrySettings,
    /// Whether the built-in practice model may answer where no provider is configured.
    pub practice: bool,
}

impl Default for ModelsConfig {
    fn default() -> Self {
        Self {
            providers: Vec::new(),
            prices: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            default_first_token_timeout: Duration::from_secs(120),
            default_timeout: Duration::from_secs(600),
            retry: RetrySettings::default(),
            practice: false,
        }
    }
}

/// How passing failures are met: pauses grow by doubling, with full jitter, unless the provider names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySettings {
    /// Attempts in all, the first one included.
    pub max_attempts: u32,
    /// Bound on the pause before the second attempt; doubled each time.
    pub initial: Duration,
    /// Bound on any pause of our own choice.
    pub max: Duration,
    /// Bound on a pause that the provider asks for with `Retry-After`.
    pub max_retry_after: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            initial: Duration::from_millis(500),
            max: Duration::from_secs(20),
            max_retry_after: Duration::from_secs(60),
        }
    }
}

/// One provider.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// What specifications call it. `openai` and `anthropic` are the vendors themselves: model names of theirs are
    /// served by the provider of that name.
    pub name: String,
    /// What it speaks.
    pub dialect: Dialect,
    /// Where it is, as far as the part that all its addresses share: `https://api.openai.com/v1`.
    pub base_url: String,
    /// What it is shown; absent for local servers.
    pub api_key: Option<ApiKey>,
    /// Whether it is asked for any name that no other provider serves, as local and compatible servers are.
    pub serves_any: bool,
    /// The names that it is known to have. Where there are any, another name is replaced by the first of them (an
    /// Ollama has what was pulled); empty: names are passed on as they are.
    pub models: Vec<String>,
    /// Whether answers are asked for as streams. Both forms are understood either way.
    pub streaming: bool,
}

impl ProviderConfig {
    /// OpenAI itself, or the address that stands in for it.
    pub fn openai(base_url: Option<String>, api_key: Option<ApiKey>) -> Self {
        let base_url = base_url.unwrap_or_else(|| "https://api.openai.com/v1".to_owned());
        Self { api_key, ..Self::named("openai", Dialect::OpenAi, base_url) }
    }

    /// Anthropic itself, or the address that stands in for it.
    pub fn anthropic(base_url: Option<String>, api_key: Option<ApiKey>) -> Self {
        let base_url = base_url.unwrap_or_else(|| "https://api.anthropic.com".to_owned());
        Self { api_key, ..Self::named("anthropic", Dialect::Anthropic, base_url) }
    }

    /// A server that speaks OpenAI's dialect and is asked for any name; `base_url` ends in its `/v1`.
    pub fn compatible(name: &str, base_url: String, api_key: Option<ApiKey>) -> Self {
        Self { api_key, serves_any: true, ..Self::named(name, Dialect::OpenAi, base_url) }
    }

    fn named(name: &str, dialect: Dialect, base_url: String) -> Self {
        Self {
            name: name.to_owned(),
            dialect,
            base_url,
            api_key: None,
            serves_any: false,
            models: Vec::new(),
            streaming: true,
        }
    }

    /// The variable from which the provider's key is, or would be, read.
    pub fn key_variable(&self) -> String {
        match &self.api_key {
            Some(key) => key.variable.clone(),
            None => format!("{}_API_KEY", self.name.to_ascii_uppercase().replace(['-', '.'], "_")),
        }
    }
}

/// What a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI's Chat Completions.
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
    /// The built-in practice model; no provider of the configuration has it.
    Practice,
}

/// A provider's key. Its value is in no log: only the name of the variable that it came from is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    value: String,
    variable: String,
}

impl ApiKey {
    /// A key, and the name of the variable or setting that it came from.
    pub fn new(value: impl Into<String>, variable: impl Into<String>) -> Self {
        Self { value: value.into(), variable: variable.into() }
    }

    pub(super) fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey(from {})", self.variable)
    }
}

/// A configuration that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelsError {
    /// A provider is named twice, or like the practice model.
    #[error("the provider name `{0}` is taken: give each provider its own")]
    Name(String),
    /// An address is none.
    #[error("`{url}`, the address of the provider `{provider}`, is no http or https URL: {why}")]
    Url {
        /// The provider.
        provider: String,
        /// What was configured.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A key has characters that no HTTP header takes.
    #[error(
        "the key of the provider `{provider}` (from {variable}) has characters that no key has: copy it again"
    )]
    Key {
        /// The provider.
        provider: String,
        /// Where the key came from.
        variable: String,
    },
    /// A price is negative or no number.
    #[error("the price of the model `{0}` is no amount of dollars: use numbers of 0 or more")]
    Price(String),
    /// The HTTP client cannot be made.
    #[error(
        "the HTTP client cannot be set up ({0}): install the system's CA certificates, or set SSL_CERT_FILE"
    )]
    Client(String),
}
