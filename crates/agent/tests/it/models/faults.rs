//! What providers and networks do wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agenticai_agent::models::{ModelCall, Models, ModelsConfig, NoSink, ProviderConfig};
use agenticai_domain::outcome::ModelOutcome;
use agenticai_domain::spec::ModelRef;
use agenticai_domain::task::codes;
use tokio::time::Instant;

use super::server::{Frame, Reply, Server};
use super::{Heard, ask, config, context, openai, perform, user};

const HALF: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half \"},\"finish_reason\":null}]}\n\n";
const REST: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"done\"},\"finish_reason\":\"stop\"}]}\n\n\
                    data: [DONE]\n\n";

fn good() -> Reply {
    Reply::stream(REST, 1000)
}

async fn with(config: ModelsConfig) -> ModelOutcome {
    perform(&Models::new(config).unwrap(), &ModelRef::named("gpt-5-mini"), &mut Heard::default()).await
}

#[tokio::test]
async fn whatever_passes_is_tried_again() {
    let bad = [
        ("a cut stream", Reply::stream(HALF, 1000).then(Frame::Cut)),
        ("a stream that just ends", Reply::stream(HALF, 1000)),
        ("a stream that ends inside an event", Reply::stream("data: {\"choices\":[{\"ind", 5)),
        ("a stream of nothing", Reply::stream("data: [DONE]\n\n", 1000)),
        ("an empty stream", Reply::stream("", 1)),
        ("garbage in a stream", Reply::stream("data: {garbage\n\n", 1000)),
        ("another shape in a stream", Reply::stream("data: [1, 2]\n\n", 1000)),
        ("invalid UTF-8", {
            let mut reply = Reply::stream("", 1);
            reply.frames =
                vec![Frame::Data(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n\n".to_vec())];
            reply
        }),
        ("garbage for JSON", Reply::json(200, "{garbage")),
        ("JSON of another kind", Reply::json(200, "{\"ok\":true}")),
        ("an HTML page", Reply::whole(200, "text/html", "<!doctype html><h1>It works</h1>")),
        ("an empty answer", Reply::json(200, "")),
        ("an error in a stream", {
            let error =
                "data: {\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\"}}\n\n";
            Reply::stream(&format!("{HALF}{error}"), 1000)
        }),
        ("a bare error in a stream", {
            let error = "data: {\"code\":500,\"message\":\"no such format\",\"type\":\"server_error\"}\n\n";
            Reply::stream(error, 1000)
        }),
        ("an HTML page as an error", Reply::whole(502, "text/html", "<html>Bad gateway</html>")),
        ("500", Reply::json(500, "{\"error\":{\"message\":\"oops\"}}")),
        ("408", Reply::json(408, "")),
        ("429", Reply::json(429, "{\"error\":{\"message\":\"slow down\",\"type\":\"requests\"}}")),
        ("529", Reply::json(529, "")),
        ("refused, with a hint to try again", Reply::json(400, "{}").header("x-should-retry", "true")),
    ];
    for (what, reply) in bad {
        let server = Server::start([reply, good()]).await;
        let (outcome, heard) = ask(&server).await;
        let answer = outcome.result.unwrap_or_else(|e| panic!("{what}: {e:?}"));
        assert_eq!((answer.text.as_str(), outcome.attempts), ("done", 2), "{what}");
        assert_eq!(heard.words(2), "done", "{what}");
    }
}

#[tokio::test]
async fn given_up_calls_say_what_came() {
    let garbage = Server::start([Reply::json(200, "{garbage")]).await;
    let error = ask(&garbage).await.0.result.unwrap_err();
    assert_eq!((error.code.as_str(), garbage.count()), (codes::MODEL_GARBAGE, 3));

    let mixed =
        Server::start([Reply::json(200, "{garbage"), Reply::json(503, "{\"detail\":\"starting\"}")]).await;
    let error = ask(&mixed).await.0.result.unwrap_err();
    assert_eq!(error.code, codes::MODEL_UNAVAILABLE);
    assert!(error.message.contains("503") && error.message.contains("starting"), "{}", error.message);

    let redirect = Server::start([Reply::json(307, "").header("location", "http://127.0.0.1:1/")]).await;
    let error = ask(&redirect).await.0.result.unwrap_err();
    assert_eq!((error.code.as_str(), redirect.count()), (codes::MODEL_REFUSED, 1));

    let stubborn = Server::start([Reply::json(500, "{}").header("x-should-retry", "false")]).await;
    assert_eq!(ask(&stubborn).await.0.attempts, 1);
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let provider = ProviderConfig::compatible("local", format!("http://127.0.0.1:{port}/v1"), None);
    let outcome = with(config(provider)).await;
    let error = outcome.result.unwrap_err();
    assert_eq!((error.code.as_str(), outcome.attempts), (codes::MODEL_UNAVAILABLE, 3));
    assert!(error.message.contains(&format!("127.0.0.1:{port} cannot be reached")), "{}", error.message);
    assert_eq!(outcome.spend.cost.map(|c| c.0), Some(0), "nothing was sent, so nothing was spent");
}

#[tokio::test]
async fn the_provider_says_when_to_come_back() {
    let server = Server::start([Reply::json(429, "{}").header("retry-after", "1"), good()]).await;
    let begun = Instant::now();
    assert_eq!(ask(&server).await.0.attempts, 2);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn silence_is_bounded_before_and_after_the_first_token() {
    let role = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
    for (what, reply) in [
        ("no word", Reply::stream("", 1).then(Frame::Hang)),
        ("a role and no word", Reply::stream(role, 1000).then(Frame::Hang)),
        ("half an answer", Reply::stream(HALF, 1000).then(Frame::Hang)),
    ] {
        let server = Server::start([reply, good()]).await;
        let mut config = config(openai(&server));
        config.default_first_token_timeout = Duration::from_millis(150);
        let outcome = with(config).await;
        assert_eq!(outcome.attempts, 2, "{what}");
        assert_eq!(outcome.result.unwrap().text, "done", "{what}");
    }
}

#[tokio::test]
async fn an_answer_that_never_ends_is_given_up() {
    let mut reply = Reply::stream(HALF, 1000);
    for _ in 0..200 {
        reply = reply.then(Frame::Pause(Duration::from_millis(20))).then(Frame::Data(HALF.into()));
    }
    let server = Server::start([reply]).await;
    let mut config = config(openai(&server));
    config.default_timeout = Duration::from_millis(300);
    let outcome = with(config).await;
    let error = outcome.result.unwrap_err();
    assert_eq!((error.code.as_str(), outcome.attempts), (codes::MODEL_UNAVAILABLE, 1));
    assert!(error.message.contains("timeout_seconds"), "{}", error.message);
}

#[tokio::test]
async fn the_deadline_of_the_task_bounds_everything() {
    for reply in [Reply::stream("", 1).then(Frame::Hang), Reply::json(503, "{}").header("retry-after", "4")] {
        let server = Server::start([reply]).await;
        let models = Models::new(config(openai(&server))).unwrap();
        let model = ModelRef::named("gpt-5-mini");
        let served = models.resolve(&model).unwrap();
        let call = ModelCall { model: &model, messages: vec![user("Hi")], tools: &[], output: None, turn: 1 };
        let request = models.build(&served, &call).unwrap();
        let deadline = Instant::now() + Duration::from_millis(200);
        let outcome =
            models.perform(&served, request, &model, 1, &context(), Some(deadline), &mut NoSink).await;
        assert_eq!(outcome.result.unwrap_err().code, codes::DEADLINE_EXCEEDED);
        assert!(Instant::now() >= deadline);
        assert_eq!(server.count(), 1);
    }
}

#[tokio::test]
async fn nothing_is_sent_while_the_lease_is_in_doubt() {
    let server = Server::start([good()]).await;
    let models = Models::new(config(openai(&server))).unwrap();
    let model = ModelRef::named("gpt-5-mini");
    let served = models.resolve(&model).unwrap();
    let call = ModelCall { model: &model, messages: vec![user("Hi")], tools: &[], output: None, turn: 1 };
    let request = models.build(&served, &call).unwrap();
    let lease = Arc::new(AtomicBool::new(false));
    let mut ctx = context();
    let asked = lease.clone();
    ctx.may_send = Arc::new(move || asked.load(Ordering::SeqCst));
    let mut sink = NoSink;
    let mut performing = std::pin::pin!(models.perform(&served, request, &model, 1, &ctx, None, &mut sink));
    assert!(tokio::time::timeout(Duration::from_millis(250), &mut performing).await.is_err());
    assert_eq!(server.count(), 0);
    lease.store(true, Ordering::SeqCst);
    assert_eq!(performing.await.result.unwrap().text, "done");
}

#[tokio::test]
async fn words_reach_a_listener_before_the_answer_ends() {
    let reply = Reply::stream(HALF, 1000).then(Frame::Hang);
    let server = Server::start([reply]).await;
    let models = Models::new(config(openai(&server))).unwrap();
    let model = ModelRef::named("gpt-5-mini");
    let mut heard = Heard::default();
    let dropped =
        tokio::time::timeout(Duration::from_millis(500), perform(&models, &model, &mut heard)).await;
    assert!(dropped.is_err());
    assert_eq!(heard.words(1), "half ");
}
