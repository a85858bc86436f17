//! From settings to what models and tools take.

use agenticai_agent::models::{ApiKey, Dialect, ModelsConfig, PriceRow, ProviderConfig, RetrySettings};
use agenticai_agent::secrets::Secrets;
use agenticai_agent::tools::egress::EgressPolicy;
use agenticai_agent::tools::{McpServerConfig, ToolsConfig};

use super::choice::Choice;
use super::parts::Reach;
use crate::config::{Provider, ProviderDialect, Settings};
use crate::exit::{Failure, Result};

/// The name of the stand-in among the models.
const PRACTICE: &str = "practice";

/// What the model providers take. Keys are resolved here, once: a missing one is said at the start and not in the
/// middle of a task.
pub fn models(settings: &Settings, choice: &Choice, secrets: &Secrets, reach: Reach) -> Result<ModelsConfig> {
    let providers = choice.providers.iter().map(|provider| self::provider(provider, choice, secrets));
    let retry = RetrySettings { max_attempts: settings.models.max_attempts, ..RetrySettings::default() };
    Ok(ModelsConfig {
        providers: providers.collect::<Result<_>>()?,
        prices: settings
            .prices
            .iter()
            .map(|price| PriceRow {
                provider: price.provider.clone(),
                model: price.model.clone(),
                input: price.input,
                cached_input: price.cached_input,
                cache_write: price.cache_write,
                output: price.output,
                up_to_input_tokens: None,
            })
            .collect(),
        connect_timeout: settings.models.connect_timeout,
        default_first_token_timeout: settings.models.first_token_timeout,
        default_timeout: settings.models.timeout,
        retry,
        // A cluster that lacks its model must say so; whoever wants the stand-in names it.
        practice: reach == Reach::ThisMachine || choice.model == PRACTICE && !choice.practice,
    })
}

fn provider(provider: &Provider, choice: &Choice, secrets: &Secrets) -> Result<ProviderConfig> {
    let api_key = match &provider.api_key {
        None => None,
        Some(text) => {
            let value = secrets.resolve(text).map_err(|error| {
                Failure::usage(format!("the key of the provider {}: {error}", provider.name))
            })?;
            Some(ApiKey::new(value, variable(&provider.name, text)))
        }
    };
    let found = choice.models.iter().find(|(name, _)| *name == provider.name);
    Ok(ProviderConfig {
        name: provider.name.clone(),
        dialect: match provider.dialect {
            ProviderDialect::OpenAi => Dialect::OpenAi,
            ProviderDialect::Anthropic => Dialect::Anthropic,
        },
        base_url: provider.url.clone(),
        api_key,
        serves_any: provider.serves_any,
        models: found.map(|(_, models)| models.clone()).unwrap_or_default(),
        streaming: provider.stream,
    })
}

/// What a key is called in messages: the secret that is referred to, else the setting.
fn variable(provider: &str, text: &str) -> String {
    let reference = text.strip_prefix("${secret:").and_then(|rest| rest.strip_suffix('}'));
    reference.map_or_else(|| format!("providers.{provider}.api_key"), str::to_owned)
}

/// What the tools take.
pub fn tools(settings: &Settings, secrets: Secrets, reach: Reach) -> Result<ToolsConfig> {
    // Of a process that listens on the loopback addresses alone, what runs on the machine may be reached by its tools,
    // and specifications may name programs.
    let alone = reach == Reach::ThisMachine;
    let egress = EgressPolicy::parse(&settings.egress_allow, alone).map_err(|mistakes| {
        Failure::usage(
            mistakes.iter().map(|mistake| format!("egress.allow: {mistake}")).collect::<Vec<_>>().join("\n"),
        )
    })?;
    let mcp_servers = settings.mcp.iter().map(|(name, server)| {
        let config = McpServerConfig {
            command: server.command.clone(),
            env: server.env.clone(),
            url: server.url.clone(),
            headers: server.headers.clone(),
        };
        (name.clone(), config)
    });
    Ok(ToolsConfig {
        egress,
        secrets,
        mcp_servers: mcp_servers.collect(),
        allow_stdio: alone,
        max_once_timeout: settings.worker.max_once_timeout,
        lookup: None,
    })
}
