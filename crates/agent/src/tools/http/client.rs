//! The HTTP client: two connection pools, checked redirects, and what is known when sending fails.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use agenticai_domain::spec::{Effect, ToolDef};
use http::{Method, StatusCode, header};
use reqwest::redirect;
use url::Url;

use super::headers::call_metadata;
use super::request::HttpCall;
use super::response;
use crate::call::CallContext;
use crate::tools::egress::{EgressDenied, Gate, GateResolver, Refusal};
use crate::tools::retry::{Attempt, Failure, within};

/// Redirects that are followed for one attempt.
const MAX_REDIRECTS: usize = 5;
/// A connection that takes longer is given up; it has sent nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why tools cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up HTTP for tools: {0}. Check the system's certificates and `SSL_CERT_FILE`")]
pub struct ToolsError(#[source] reqwest::Error);

/// Sends requests through the gate. Cheap to clone.
#[derive(Clone)]
pub(crate) struct HttpClient {
    pooled: reqwest::Client,
    single: reqwest::Client,
    gate: Arc<Gate>,
}

impl HttpClient {
    pub fn open(gate: Arc<Gate>) -> Result<Self, ToolsError> {
        // Another part may have installed the same provider already; either one does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pooled = build(&gate, |builder| builder)?;
        // A connection out of a pool may have been closed by the server a moment ago, and a transport that then sends
        // again on a new one repeats the call. So calls that must not be repeated get a connection of their own, and
        // HTTP/1.1, which has no refused streams that would be sent again.
        let single = build(&gate, |builder| builder.pool_max_idle_per_host(0).http1_only())?;
        Ok(Self { pooled, single, gate })
    }

    /// The client without a pool, for protocols that send their requests themselves. Whoever uses it keeps an
    /// admission of the gate.
    pub fn single(&self) -> reqwest::Client {
        self.single.clone()
    }

    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// One attempt: the request, its redirects where the class admits them, and the whole answer.
    pub async fn attempt(&self, call: &HttpCall, def: &ToolDef, ctx: &CallContext, number: u32) -> Attempt {
        within(def, self.exchange(call, def, ctx, number)).await
    }

    async fn exchange(&self, call: &HttpCall, def: &ToolDef, ctx: &CallContext, number: u32) -> Attempt {
        let once = def.effect == Effect::Once;
        let client = if once { &self.single } else { &self.pooled };
        let mut call = call.clone();
        for _ in 0..=MAX_REDIRECTS {
            let _admission = match self.gate.admit(&call.url).await {
                Ok(admission) => admission,
                Err(refusal) => return refused(refusal),
            };
            let mut request =
                client.request(call.method.clone(), call.url.clone()).headers(call.headers.clone());
            if let Some(body) = &call.body {
                request = request.body(body.clone());
            }
            for (name, value) in call_metadata(ctx, number) {
                request = request.header(name, value);
            }
            if !(ctx.may_send)() {
                return Attempt::LeaseLost;
            }
            let answer = match request.send().await {
                Ok(answer) => answer,
                Err(error) => return sending_failed(error),
            };
            let Some(target) = redirect_target(&answer, &call.url) else {
                return response::read(answer, &call.method, def.max_result_bytes as usize).await;
            };
            if once {
                let code = format!("http_{}", answer.status().as_u16());
                return Attempt::failed(
                    &code,
                    format!(
                        "the server redirects to {target}. Redirects of calls that must not be repeated are not followed: \
                     give the tool the final URL"
                    ),
                );
            }
            follow(&mut call, answer.status(), target);
        }
        Attempt::failed(
            "too_many_redirects",
            format!("the server redirected more than {MAX_REDIRECTS} times"),
        )
    }
}

fn build(
    gate: &Arc<Gate>,
    with: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, ToolsError> {
    let base = || {
        with(reqwest::Client::builder())
            .user_agent(concat!("agenticai/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(GateResolver(gate.clone())))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
    };
    base().build().or_else(|error| {
        // A machine without any certificates can still call `http` URLs; `https` ones fail with a TLS error.
        tracing::warn!(error = %chain(&error), "no certificates found: tools cannot call https URLs");
        base().tls_certs_only([]).build().map_err(ToolsError)
    })
}

pub(crate) fn refused(refusal: Refusal) -> Attempt {
    match refusal {
        Refusal::Denied(denied) => Attempt::failed("egress_denied", denied.to_string()),
        Refusal::Unresolved(name) => Attempt::NotSent(Failure::new(
            "unreachable",
            format!(
                "`{name}` cannot be resolved to be checked; an entry of `egress.allow` may admit it by name"
            ),
        )),
    }
}

/// What is known when no answer came.
pub(crate) fn sending_failed(error: reqwest::Error) -> Attempt {
    let error = error.without_url();
    if let Some(denied) = find::<EgressDenied>(&error) {
        return Attempt::failed("egress_denied", denied.to_string());
    }
    if error.is_builder() || error.is_request() && find::<http::Error>(&error).is_some() {
        return Attempt::failed("bad_request", format!("the request cannot be built: {}", chain(&error)));
    }
    if error.is_connect() {
        // Resolution, TCP, TLS and a proxy's tunnel: all of them come before the first byte of the request.
        return Attempt::NotSent(Failure::new("unreachable", format!("cannot connect: {}", chain(&error))));
    }
    Attempt::Unknown(Failure::new(
        "connection_lost",
        format!("the connection was lost before an answer came: {}", chain(&error)),
    ))
}

/// An error with its causes, each said once.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

fn redirect_target(answer: &reqwest::Response, from: &Url) -> Option<Url> {
    let moved = matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = answer.headers().get(header::LOCATION).filter(|_| moved)?;
    from.join(location.to_str().ok()?).ok()
}

/// Turns the call into the one that the redirect asks for.
fn follow(call: &mut HttpCall, status: StatusCode, target: Url) {
    let keeps_method =
        matches!(status.as_u16(), 307 | 308) || matches!(call.method, Method::GET | Method::HEAD);
    if !keeps_method {
        call.method = Method::GET;
        call.body = None;
        call.headers.remove(header::CONTENT_TYPE);
    }
    if target.origin() != call.url.origin() {
        // Headers may carry credentials for the first server, under any name. The next one gets none of them.
        let content_type = call.headers.remove(header::CONTENT_TYPE);
        call.headers.clear();
        if let (Some(content_type), true) = (content_type, call.body.is_some()) {
            call.headers.insert(header::CONTENT_TYPE, content_type);
        }
    }
    call.url = target;
}
