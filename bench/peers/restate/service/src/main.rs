//! The same work as `agenticai` does in bench/, as a Restate service: each model call and each tool call is a durable
//! step. The address to listen on and the stub's come from BENCH_LISTEN and BENCH_STUB.

use std::error::Error;
use std::net::SocketAddr;

use restate_sdk::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

struct Bench {
    http: reqwest::Client,
    stub: String,
}

#[derive(Deserialize)]
struct Submit {
    tag: String,
}

impl Bench {
    async fn llm(&self, tag: &str, messages: &[Value]) -> Result<Value, HandlerError> {
        let request = self.http.post(format!("{}/v1/chat/completions", self.stub)).header("x-run-tag", tag);
        let answer = request.json(&json!({"model": "stub", "messages": messages})).send().await?;
        let mut answer: Value = answer.error_for_status()?.json().await?;
        Ok(answer["choices"][0]["message"].take())
    }

    async fn lookup(&self, tag: &str, q: &str) -> Result<Value, HandlerError> {
        let request = self.http.get(format!("{}/tool/lookup?q={q}", self.stub)).header("x-run-tag", tag);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}

#[service(name = "bench")]
impl Bench {
    #[handler]
    async fn noop(&self, ctx: Context<'_>, req: Json<Submit>) -> Result<Json<Value>, HandlerError> {
        let tag = req.into_inner().tag;
        let done = ctx.run(|| async move { Ok(Json(json!({"tag": tag, "ok": true}))) }).name("unit").await?;
        Ok(done)
    }

    #[handler]
    async fn agent(&self, ctx: Context<'_>, req: Json<Submit>) -> Result<Json<Value>, HandlerError> {
        let tag = &req.into_inner().tag;
        let mut messages = vec![json!({"role": "user", "content": "Look things up."})];
        loop {
            let sofar = &messages;
            let message = ctx.run(|| async move { Ok(Json(self.llm(tag, sofar).await?)) }).name("llm");
            let message = message.await?.into_inner();
            let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
            messages.push(message);
            if calls.is_empty() {
                return Ok(Json(json!({"text": messages[messages.len() - 1]["content"]})));
            }
            for call in calls {
                let args: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap_or("{}"))?;
                let q = args["q"].as_str().unwrap_or("").to_owned();
                let result = ctx.run(|| async move { Ok(Json(self.lookup(tag, &q).await?)) }).name("lookup");
                let result = result.await?.into_inner();
                messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": result.to_string()}));
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listen: SocketAddr = std::env::var("BENCH_LISTEN")?.parse()?;
    let bench = Bench { http: reqwest::Client::new(), stub: std::env::var("BENCH_STUB")? };
    HttpServer::new(Endpoint::builder().bind(bench).build()).listen_and_serve(listen).await;
    Ok(())
}
