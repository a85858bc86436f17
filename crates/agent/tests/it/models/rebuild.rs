//! Requests that are built again.

use std::borrow::Cow;

use agenticai_agent::models::{ApiKey, ModelCall, Models, ModelsConfig, ProviderConfig};
use agenticai_domain::conversation::Message;
use agenticai_domain::journal::ToolCall;
use agenticai_domain::spec::ModelRef;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{config, tool, user};

#[test]
fn a_request_is_built_again_to_the_byte_without_its_provider() {
    let key = || Some(ApiKey::new("k", "K"));
    let mut plain = ProviderConfig::compatible("local", "http://127.0.0.1:1/v1".into(), None);
    plain.streaming = false;
    let practice = ModelsConfig { practice: true, ..ModelsConfig::default() };
    let cases = [
        ("gpt-5-mini", "openai", config(ProviderConfig::openai(None, key()))),
        ("claude-haiku-4-5", "anthropic", config(ProviderConfig::anthropic(None, key()))),
        ("qwen", "openai-compatible+whole", config(plain)),
        ("gpt-5-mini", "practice", practice),
    ];
    for (name, dialect, config) in cases {
        let mut model = ModelRef::named(name);
        model.max_output_tokens = Some(77);
        let calls = [ToolCall {
            id: "c".into(),
            name: "lookup".into(),
            arguments: json!({"q": "\u{0}ü", "b": 0.1}),
            rejected: None,
        }];
        let opaque = json!([{"type": "thinking", "thinking": "hm", "signature": "c2ln", "text_before": 1}]);
        let content = json!({"z": 1, "a": [1, 2]});
        let tools = [tool("lookup"), tool("other")];
        let call = ModelCall {
            model: &model,
            messages: vec![
                Message::System("S"),
                user("Hi"),
                Message::Assistant { text: "t", calls: &calls, opaque: Some(&opaque) },
                Message::ToolResult {
                    call_id: "c",
                    name: "lookup",
                    content: Cow::Borrowed(&content),
                    is_error: false,
                },
            ],
            tools: &tools,
            output: None,
            turn: 2,
        };
        let models = Models::new(config).unwrap();
        let served = models.resolve(&model).unwrap();
        let request = models.build(&served, &call).unwrap();
        assert_eq!(request.attempt.dialect, dialect);
        let shows_thoughts = String::from_utf8_lossy(&request.body).contains("c2ln");
        assert_eq!(shows_thoughts, dialect == "anthropic", "only the dialect of their making takes thoughts");
        assert_eq!(request.attempt.sha256, hex::encode(Sha256::digest(&request.body)));
        assert_eq!(models.build(&served, &call).unwrap().body, request.body);
        assert_eq!(Models::rebuild(&request.attempt, &call).unwrap(), request.body);

        let mut other = call.clone();
        other.messages.push(user("more"));
        assert!(Models::rebuild(&request.attempt, &other).unwrap_err().contains("SHA-256"));
        let mut newer = request.attempt.clone();
        newer.format += 1;
        assert!(Models::rebuild(&newer, &call).unwrap_err().contains("format"));
        let mut unknown = request.attempt;
        unknown.dialect = "esperanto".into();
        assert!(Models::rebuild(&unknown, &call).unwrap_err().contains("esperanto"));
    }
}

#[tokio::test]
async fn the_practice_model_goes_the_same_way() {
    let models = Models::new(ModelsConfig { practice: true, ..ModelsConfig::default() }).unwrap();
    let outcome = super::perform(&models, &ModelRef::named("gpt-5-mini"), &mut super::Heard::default()).await;
    assert_eq!(outcome.request.provider, "practice");
    assert!(outcome.spend.usage.total() > 0);
    assert_eq!(outcome.spend.cost.map(|c| c.0), Some(0));
    assert!(outcome.result.unwrap().text.contains("practice model"));
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let local = |url: &str| ProviderConfig::compatible("local", url.into(), None);
    for (url, said) in [("not a url", "no http"), ("ftp://x/v1", "no http"), ("http://", "no http")] {
        let error = Models::new(config(local(url))).err().unwrap().to_string();
        assert!(error.contains(said) && error.contains("local"), "{error}");
    }
    let mut twice = config(local("http://127.0.0.1:1"));
    twice.providers.push(local("http://127.0.0.1:2"));
    assert!(Models::new(twice).is_err());
    let key = Some(ApiKey::new("line\nbreak", "SOME_KEY"));
    let error = Models::new(config(ProviderConfig::openai(None, key.clone()))).err().unwrap().to_string();
    assert!(error.contains("SOME_KEY") && !error.contains("line"), "{error}");
    assert!(!format!("{key:?}").contains("line"));
}
