//! Which provider serves a model.

use agenticai_domain::spec::ModelRef;
use agenticai_domain::task::{TaskError, codes};

use super::config::{Dialect, ProviderConfig};
use super::request::Wire;

/// The name of the practice model, as provider and as model.
pub(super) const PRACTICE: &str = "practice";

/// Who serves a model, under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The configured provider.
    pub provider: String,
    /// The model that is asked for there.
    pub model: String,
    /// What the provider speaks.
    pub dialect: Dialect,
    /// One line for people, where the name is served by something else than its own provider.
    pub notice: Option<String>,
    pub(super) wire: Wire,
}

impl Served {
    fn by(provider: &ProviderConfig, model: &str, notice: Option<String>) -> Self {
        Self {
            provider: provider.name.clone(),
            model: model.to_owned(),
            dialect: provider.dialect,
            notice,
            wire: Wire::of(provider),
        }
    }

    fn by_practice(notice: Option<String>) -> Self {
        Self {
            provider: PRACTICE.to_owned(),
            model: PRACTICE.to_owned(),
            dialect: Dialect::Practice,
            notice,
            wire: Wire::PRACTICE,
        }
    }
}

/// Chooses among `providers`: the one that the specification names; else the model's own vendor, if there is a key
/// for it; else one that lists the name; else one that serves any; else the only one; else the practice model, where
/// it is allowed and nothing else is configured.
pub(super) fn resolve(
    model: &ModelRef,
    providers: &[ProviderConfig],
    practice: bool,
) -> Result<Served, TaskError> {
    let name = model.name.as_str();
    if let Some(wanted) = &model.provider {
        return named(wanted, name, providers, practice);
    }
    if name == PRACTICE && practice {
        return Ok(Served::by_practice(None));
    }
    let own = vendor(name);
    if let Some(own) = own
        && let Some(provider) = providers.iter().find(|p| p.name == own && usable(p))
    {
        return Ok(Served::by(provider, name, None));
    }
    if let Some(provider) = providers.iter().find(|p| usable(p) && p.models.iter().any(|m| m == name)) {
        return Ok(Served::by(provider, name, None));
    }
    if let Some(provider) = providers.iter().find(|p| p.serves_any) {
        let asked = provider.models.first().map_or(name, String::as_str);
        let notice = (own.is_some() || asked != name).then(|| {
            let under = if asked == name { String::new() } else { format!(" as `{asked}`") };
            let why = match own {
                Some(own) => format!("{} is not set", variable(own)),
                None => "it has no model of that name".to_owned(),
            };
            format!("`{name}` is served by `{}` ({}){under}: {why}", provider.name, provider.base_url)
        });
        return Ok(Served::by(provider, asked, notice));
    }
    let mut keyed = providers.iter().filter(|p| usable(p));
    if let (None, Some(provider), None) = (own, keyed.next(), keyed.next()) {
        let notice =
            format!("`{name}` is served by `{}`, the only provider that is configured", provider.name);
        return Ok(Served::by(provider, name, Some(notice)));
    }
    if practice && !providers.iter().any(usable) {
        return Ok(Served::by_practice(Some(format!(
            "`{name}` is answered by the built-in practice model, which follows rules and is no language model: set \
             OPENAI_API_KEY, ANTHROPIC_API_KEY or AGENTICAI_MODEL_URL for a real one"
        ))));
    }
    Err(refused(match own {
        Some(own) => format!(
            "no provider serves the model `{name}`: set {}, or AGENTICAI_MODEL_URL for a server that serves any name",
            variable(own)
        ),
        None => format!(
            "no provider serves the model `{name}`: name one with `provider` ({}), or set AGENTICAI_MODEL_URL",
            known(providers, practice)
        ),
    }))
}

/// A model for agents that name none.
pub(super) fn default_model(providers: &[ProviderConfig]) -> ModelRef {
    let name = providers.iter().find(|p| usable(p)).map(|p| match (p.models.first(), p.dialect) {
        (Some(model), _) => model.as_str(),
        (None, Dialect::Anthropic) => "claude-haiku-4-5",
        (None, _) => "gpt-5-mini",
    });
    ModelRef::named(name.unwrap_or("gpt-5-mini"))
}

/// A provider that the specification names.
fn named(
    wanted: &str,
    name: &str,
    providers: &[ProviderConfig],
    practice: bool,
) -> Result<Served, TaskError> {
    if wanted == PRACTICE && practice {
        return Ok(Served::by_practice(None));
    }
    match providers.iter().find(|p| p.name == wanted) {
        Some(provider) if usable(provider) => Ok(Served::by(provider, name, None)),
        Some(provider) => Err(refused(format!(
            "the provider `{wanted}` of the model `{name}` has no key: set {}",
            provider.key_variable()
        ))),
        None if matches!(wanted, "openai" | "anthropic") => Err(refused(format!(
            "the provider `{wanted}` of the model `{name}` is not configured: set {}",
            variable(wanted)
        ))),
        None => Err(refused(format!(
            "there is no provider `{wanted}` for the model `{name}`: use {}",
            known(providers, practice)
        ))),
    }
}

/// The vendors want a key; a server that stands at an address of one's own may do without.
fn usable(provider: &ProviderConfig) -> bool {
    let vendor = matches!(provider.name.as_str(), "openai" | "anthropic") && !provider.serves_any;
    provider.api_key.is_some() || !vendor
}

/// Whose model a name is, as far as names tell.
fn vendor(name: &str) -> Option<&'static str> {
    let name = name.strip_prefix("ft:").unwrap_or(name);
    // Open weights: many serve them, OpenAI does not.
    if name.starts_with("gpt-oss") {
        return None;
    }
    let openai = ["gpt-", "chatgpt-", "codex-", "davinci-", "babbage-"].iter().any(|p| name.starts_with(p))
        || name.strip_prefix('o').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if openai {
        Some("openai")
    } else if name.starts_with("claude-") {
        Some("anthropic")
    } else {
        None
    }
}

fn variable(vendor: &str) -> &'static str {
    if vendor == "anthropic" { "ANTHROPIC_API_KEY" } else { "OPENAI_API_KEY" }
}

fn known(providers: &[ProviderConfig], practice: bool) -> String {
    let names: Vec<String> = providers
        .iter()
        .map(|p| p.name.as_str())
        .chain(practice.then_some(PRACTICE))
        .map(|name| format!("`{name}`"))
        .collect();
    if names.is_empty() { "one that the configuration has; it has none".to_owned() } else { names.join(", ") }
}

fn refused(message: String) -> TaskError {
    TaskError::new(codes::MODEL_REFUSED, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::config::ApiKey;
    use super::*;

    fn key() -> Option<ApiKey> {
        Some(ApiKey::new("k", "K"))
    }

    fn local() -> ProviderConfig {
        ProviderConfig::compatible("compatible", "http://127.0.0.1:1/v1".into(), None)
    }

    fn ask(name: &str, providers: &[ProviderConfig], practice: bool) -> Result<Served, TaskError> {
        resolve(&ModelRef::named(name), providers, practice)
    }

    #[test]
    fn vendors_go_before_servers_of_any_name() {
        let all = [ProviderConfig::openai(None, key()), ProviderConfig::anthropic(None, key()), local()];
        for (name, provider) in [
            ("gpt-5-mini", "openai"),
            ("o3", "openai"),
            ("ft:gpt-4o:mine", "openai"),
            ("claude-sonnet-4-5", "anthropic"),
            ("llama3.2", "compatible"),
            ("gpt-oss:20b", "compatible"),
            ("opus", "compatible"),
        ] {
            let served = ask(name, &all, true).unwrap();
            assert_eq!((served.provider.as_str(), served.model.as_str()), (provider, name));
            assert_eq!(served.notice, None, "{name}");
        }
    }

    #[test]
    fn another_server_than_the_own_one_is_told() {
        let served = ask("gpt-5-mini", &[ProviderConfig::openai(None, None), local()], true).unwrap();
        assert_eq!(served.provider, "compatible");
        let notice = served.notice.unwrap();
        assert!(notice.contains("OPENAI_API_KEY") && notice.contains("127.0.0.1:1"), "{notice}");
        let ollama = ProviderConfig { models: vec!["qwen3:4b".into()], ..local() };
        let served = ask("gpt-5-mini", std::slice::from_ref(&ollama), true).unwrap();
        assert_eq!(served.model, "qwen3:4b");
        assert!(served.notice.unwrap().contains("as `qwen3:4b`"));
        assert_eq!(ask("qwen3:4b", &[ollama], true).unwrap().notice, None);
    }

    #[test]
    fn practice_answers_only_where_it_may_and_nothing_else_is_there() {
        let served = ask("gpt-5-mini", &[ProviderConfig::openai(None, None)], true).unwrap();
        assert_eq!((served.dialect, served.model.as_str()), (Dialect::Practice, PRACTICE));
        assert!(served.notice.unwrap().contains("practice"));
        assert!(ask("gpt-5-mini", &[], false).unwrap_err().message.contains("OPENAI_API_KEY"));
        let other = [ProviderConfig::openai(None, key())];
        assert!(ask("claude-haiku-4-5", &other, true).unwrap_err().message.contains("ANTHROPIC_API_KEY"));
        assert!(ask("something", &other, true).unwrap().notice.unwrap().contains("only provider"));
    }

    #[test]
    fn a_named_provider_is_taken_or_missed_by_name() {
        let mut model = ModelRef::named("gpt-5-mini");
        model.provider = Some("compatible".into());
        let all = [ProviderConfig::openai(None, None), local()];
        assert_eq!(resolve(&model, &all, false).unwrap().provider, "compatible");
        for (wanted, said) in
            [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY"), ("nobody", "`compatible`")]
        {
            model.provider = Some(wanted.into());
            let error = resolve(&model, &all, false).unwrap_err();
            assert_eq!(error.code, codes::MODEL_REFUSED);
            assert!(error.message.contains(said), "{}", error.message);
        }
    }
}
