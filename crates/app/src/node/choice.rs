//! Which providers of models there are, and which model the built-in assistant gets.

use std::time::Duration;

use serde::Deserialize;

use crate::config::{Environment, Provider, ProviderDialect, Settings};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Every provider, those of the file first.
    pub providers: Vec<Provider>,
    /// What a server of this machine has, by the name of its provider: other names are replaced by the first.
    pub models: Vec<(String, Vec<String>)>,
    /// The model of `assistant`.
    pub model: String,
    /// Why this one, for people.
    pub because: String,
    /// Whether the stand-in serves because there is nothing else.
    pub practice: bool,
}

const OLLAMA: &str = "http://127.0.0.1:11434/v1";
const LLAMA_CPP: &str = "http://127.0.0.1:8080/v1";

/// Servers of this machine answer at once or not at all; a start does not wait for slow ones.
const LOCAL: Duration = Duration::from_millis(300);
const NAMED: Duration = Duration::from_secs(1);

/// Looks for providers. It asks nobody but the servers that were named and, where nothing was, this machine.
pub async fn choose(settings: &Settings, environment: &Environment) -> Choice {
    let set = |name: &str| environment.get(name).filter(|value| !value.trim().is_empty()).cloned();
    let mut providers = settings.providers.clone();
    let mut add = |provider: Provider| {
        // What the file says of a provider holds; the environment gives the key where the file gives none.
        match providers.iter_mut().find(|known| known.name == provider.name) {
            Some(known) => known.api_key = known.api_key.take().or(provider.api_key),
            None => providers.push(provider),
        }
    };
    let openai = set("OPENAI_API_KEY").is_some();
    if openai {
        let url = set("OPENAI_BASE_URL").unwrap_or_else(|| "https://api.openai.com/v1".into());
        add(keyed("openai", ProviderDialect::OpenAi, &url, Some("OPENAI_API_KEY"), false));
    }
    let anthropic = set("ANTHROPIC_API_KEY").is_some();
    if anthropic {
        let url = set("ANTHROPIC_BASE_URL").unwrap_or_else(|| "https://api.anthropic.com".into());
        add(keyed("anthropic", ProviderDialect::Anthropic, &url, Some("ANTHROPIC_API_KEY"), false));
    }
    let compatible = set("AGENTICAI_MODEL_URL");
    if let Some(url) = &compatible {
        let key = set("AGENTICAI_MODEL_API_KEY").map(|_| "AGENTICAI_MODEL_API_KEY");
        add(keyed("compatible", ProviderDialect::OpenAi, url, key, true));
    }
    let chosen = |providers, model: &str, because: String| Choice {
        providers,
        models: Vec::new(),
        model: model.to_owned(),
        because,
        practice: false,
    };
    if let Some(model) = &settings.models.default {
        return chosen(providers, model, "models.default says so".into());
    }
    if openai {
        return chosen(providers, "gpt-5-mini", "OPENAI_API_KEY is set".into());
    }
    if anthropic {
        return chosen(providers, "claude-sonnet-4-5", "ANTHROPIC_API_KEY is set".into());
    }
    if let Some(url) = compatible {
        let key = set("AGENTICAI_MODEL_API_KEY");
        let model = first(models_of(&url, key.as_deref(), NAMED).await);
        return chosen(providers, &model, format!("AGENTICAI_MODEL_URL is {url}"));
    }
    if let Some(any) = providers.iter().find(|provider| provider.serves_any) {
        let model = first(models_of(&any.url, None, NAMED).await);
        let because = format!("the provider {} serves any model", any.name);
        return chosen(providers.clone(), &model, because);
    }
    if providers.is_empty() {
        let (ollama, llama) = tokio::join!(models_of(OLLAMA, None, LOCAL), models_of(LLAMA_CPP, None, LOCAL));
        let found = [("ollama", "an Ollama", OLLAMA, ollama), ("llamacpp", "a llama.cpp", LLAMA_CPP, llama)]
            .into_iter()
            .find(|(_, _, _, models)| !models.is_empty());
        if let Some((name, what, url, models)) = found {
            providers.push(keyed(name, ProviderDialect::OpenAi, url, None, true));
            let because = format!("{what} answers at {url}");
            let mut choice = chosen(providers, &models[0], because);
            choice.models.push((name.to_owned(), models));
            return choice;
        }
    }
    let practice = providers.is_empty();
    let because = "no model is configured".to_owned();
    Choice { providers, models: Vec::new(), model: "practice".into(), because, practice }
}

fn keyed(name: &str, dialect: ProviderDialect, url: &str, key: Option<&str>, serves_any: bool) -> Provider {
    Provider {
        name: name.to_owned(),
        dialect,
        url: url.trim_end_matches('/').to_owned(),
        api_key: key.map(|variable| format!("${{secret:{variable}}}")),
        serves_any,
        stream: true,
    }
}

fn first(models: Vec<String>) -> String {
    models.into_iter().next().unwrap_or_else(|| "default".to_owned())
}

/// The models that an OpenAI-compatible server lists; none where it does not answer as one in time.
pub async fn models_of(url: &str, key: Option<&str>, within: Duration) -> Vec<String> {
    #[derive(Deserialize)]
    struct List {
        data: Vec<Model>,
    }
    #[derive(Deserialize)]
    struct Model {
        id: String,
    }
    let Ok(address) = url::Url::parse(&format!("{}/models", url.trim_end_matches('/'))) else {
        return Vec::new();
    };
    let ask = async {
        let mut request = crate::client::http_client(&address, within)?.get(address).timeout(within);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        request.send().await?.error_for_status()?.json::<List>().await
    };
    let list = ask.await.map_or_else(|_| Vec::new(), |list| list.data);
    list.into_iter().map(|model| model.id).filter(|id| !id.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    async fn choice(pairs: &[(&str, &str)]) -> Choice {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut environment = Environment::from([("HOME".to_owned(), "/home/ada".to_owned())]);
        environment.extend(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let loaded = crate::config::load(vec![], environment.clone(), None).unwrap();
        choose(&loaded.settings, &environment).await
    }

    #[tokio::test]
    async fn keys_decide_in_their_order_and_are_kept_as_references() {
        let both = choice(&[("OPENAI_API_KEY", "sk-planted"), ("ANTHROPIC_API_KEY", "sk-ant-planted")]).await;
        assert_eq!(both.model, "gpt-5-mini");
        assert_eq!(both.providers.len(), 2);
        assert!(!format!("{both:?}").contains("planted"));
        let one = choice(&[("ANTHROPIC_API_KEY", "x"), ("OPENAI_API_KEY", " ")]).await;
        assert!(one.model.starts_with("claude-"), "{one:?}");
        assert!(!one.practice);
    }

    #[tokio::test]
    async fn a_compatible_server_is_asked_for_its_models() {
        let routes = axum::Router::new().route(
            "/v1/models",
            axum::routing::get(|| async {
                axum::Json(serde_json::json!({"object": "list", "data": [{"id": "tiny"}]}))
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await });
        let found = choice(&[("AGENTICAI_MODEL_URL", &url)]).await;
        assert_eq!((found.model.as_str(), found.providers[0].serves_any), ("tiny", true));
        server.abort();
        let gone = choice(&[("AGENTICAI_MODEL_URL", "http://127.0.0.1:9/v1/")]).await;
        assert_eq!(
            (gone.model.as_str(), gone.providers[0].url.as_str()),
            ("default", "http://127.0.0.1:9/v1")
        );
    }

    #[tokio::test]
    async fn the_users_word_beats_everything() {
        let found = choice(&[("AGENTICAI_MODELS_DEFAULT", "my-model"), ("OPENAI_API_KEY", "x")]).await;
        assert_eq!(found.model, "my-model");
    }
}
