//! From settings to what models and tools take.

use agenticai_agent::models::{ApiKey, Dialect, ModelsConfig, PriceRow, ProviderConfig, RetrySettings};
use agenticai_agent::secrets::Secrets;
use agenticai_agent::tools::egress::EgressPolicy;
use agenticai_agent::tools::{McpServerConfig, ToolsConfig};
use agenticai_server::ApiSettings;
use agenticai_worker::WorkerConfig;

use super::choice::Choice;
use super::parts::Reach;
use crate::config::{Provider, ProviderDialect, Settings};
use crate::exit::{Failure, Result};

/// The name of the stand-in among the models.
const PRACTICE: &str = "practice";

/// What the API takes.
pub fn api(settings: &Settings) -> ApiSettings {
    let server = &settings.server;
    ApiSettings {
        body_limit: server.max_body_bytes,
        default_page: server.default_page_size,
        max_page: server.max_page_size,
        max_metadata_bytes: server.max_metadata_bytes,
        max_task_timeout: server.max_task_timeout,
        key_trust: server.key_trust,
        max_wait: server.max_wait,
        keep_alive: server.keep_alive,
        poll: server.stream_poll,
        health_timeout: settings.cluster.health_timeout,
        public_metrics: true,
    }
}

/// What a worker takes. Its name and what it is there for are the caller's to say.
pub fn worker(settings: &Settings) -> WorkerConfig {
    let worker = &settings.worker;
    WorkerConfig {
        concurrency: worker.concurrency as usize,
        lease_ttl: worker.lease_ttl,
        drain: worker.drain,
        poll: worker.poll,
        max_claim: worker.max_claim,
        max_append: worker.max_append,
        budget_calls: worker.budget_calls,
        ..WorkerConfig::default()
    }
}

/// What the model providers take. Keys are resolved here, once: a missing one is said at the start and not in the
/// middle of a task.
pub fn models(settings: &Settings, choice: &Choice, secrets: &Secrets, reach: Reach) -> Result<ModelsConfig> {
    let providers = choice.providers.iter().map(|provider| self::provider(provider, choice, secrets));
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
        retry: retry(settings),
        // A cluster that lacks its model must say so; whoever wants the stand-in names it.
        practice: reach == Reach::ThisMachine || choice.model == PRACTICE && !choice.practice,
    })
}

fn retry(settings: &Settings) -> RetrySettings {
    RetrySettings {
        max_attempts: settings.models.max_attempts,
        initial: settings.models.retry_pause,
        max: settings.models.max_retry_pause,
        max_retry_after: settings.models.max_retry_after,
    }
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
        default_timeout: settings.tools.timeout,
        default_max_result_bytes: settings.tools.max_result_bytes,
        lookup: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;
    use crate::config::{Environment, load};

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let mut environment = Environment::from([("HOME".to_owned(), "/home/ada".to_owned())]);
        environment
            .extend(variables.iter().map(|(name, value)| (format!("AGENTICAI_{name}"), (*value).to_owned())));
        load(vec![], environment, None).unwrap().settings
    }

    /// What the default file says is what holds where nobody says anything.
    #[test]
    fn defaults_are_those_of_the_parts() {
        let settings = settings(&[]);
        assert_eq!(api(&settings), ApiSettings::default());
        let (worker, usual) = (worker(&settings), WorkerConfig::default());
        assert_eq!(format!("{worker:?}"), format!("{usual:?}"));
        let tools = tools(&settings, Secrets::default(), Reach::Network).unwrap();
        let usual = ToolsConfig::default();
        assert_eq!(
            (tools.default_timeout, tools.default_max_result_bytes, tools.max_once_timeout),
            (usual.default_timeout, usual.default_max_result_bytes, usual.max_once_timeout)
        );
        let retry = retry(&settings);
        assert_eq!(format!("{retry:?}"), format!("{:?}", RetrySettings::default()));
    }

    #[test]
    fn settings_reach_the_api() {
        let settings = settings(&[
            ("SERVER_MAX_BODY_BYTES", "2000"),
            ("SERVER_DEFAULT_PAGE_SIZE", "7"),
            ("SERVER_MAX_PAGE_SIZE", "2000"),
            ("SERVER_MAX_METADATA_BYTES", "3000"),
            ("SERVER_MAX_TASK_TIMEOUT_SECONDS", "61"),
            ("SERVER_MAX_WAIT_SECONDS", "62"),
            ("SERVER_KEEP_ALIVE_SECONDS", "63"),
            ("SERVER_STREAM_POLL_MS", "640"),
            ("SERVER_KEY_TRUST_SECONDS", "65"),
            ("CLUSTER_HEALTH_TIMEOUT_SECONDS", "6"),
        ]);
        let expected = ApiSettings {
            body_limit: 2000,
            default_page: 7,
            max_page: 2000,
            max_metadata_bytes: 3000,
            max_task_timeout: Duration::from_secs(61),
            max_wait: Duration::from_secs(62),
            keep_alive: Duration::from_secs(63),
            poll: Duration::from_millis(640),
            key_trust: Duration::from_secs(65),
            health_timeout: Duration::from_secs(6),
            public_metrics: true,
        };
        assert_eq!(api(&settings), expected);
    }

    #[test]
    fn settings_reach_the_worker() {
        let worker = worker(&settings(&[
            ("WORKER_CONCURRENCY", "11"),
            ("WORKER_DRAIN_SECONDS", "12"),
            ("WORKER_LEASE_TTL_SECONDS", "13"),
            ("WORKER_POLL_MS", "140"),
            ("WORKER_MAX_CLAIM", "15"),
            ("WORKER_MAX_APPEND", "16"),
            ("WORKER_BUDGET_CALLS", "17"),
        ]));
        let seconds = (worker.drain.as_secs(), worker.lease_ttl.as_secs());
        assert_eq!((worker.concurrency, seconds, worker.poll.as_millis()), (11, (12, 13), 140));
        assert_eq!((worker.max_claim, worker.max_append, worker.budget_calls), (15, 16, 17));
    }

    #[test]
    fn settings_reach_models_and_tools() {
        let settings = settings(&[
            ("MODELS_MAX_ATTEMPTS", "2"),
            ("MODELS_RETRY_PAUSE_MS", "30"),
            ("MODELS_MAX_RETRY_PAUSE_SECONDS", "4"),
            ("MODELS_MAX_RETRY_AFTER_SECONDS", "5"),
            ("TOOLS_TIMEOUT_SECONDS", "70"),
            ("TOOLS_MAX_RESULT_BYTES", "8000"),
            ("WORKER_MAX_ONCE_TIMEOUT_SECONDS", "9"),
        ]);
        let retry = retry(&settings);
        let pauses = [retry.initial, retry.max, retry.max_retry_after].map(|pause| pause.as_millis());
        assert_eq!((retry.max_attempts, pauses), (2, [30, 4_000, 5_000]));
        let tools = tools(&settings, Secrets::default(), Reach::Network).unwrap();
        let timeouts = (tools.default_timeout.as_secs(), tools.max_once_timeout.as_secs());
        assert_eq!((timeouts, tools.default_max_result_bytes), ((70, 9), 8000));
    }
}
