//! The HTTP client: with kept connections and without, checked redirects, and what is known when sending fails.

use std::sync::Arc;
use std::time::Duration;

use agenticai_domain::spec::{Effect, ToolDef};
use http::{HeaderValue, Method, StatusCode, header};
use reqwest::redirect;
use url::Url;

use super::headers::call_metadata;
use super::request::HttpCall;
use super::response;
use crate::call::CallContext;
use crate::tools::egress::{Gate, GateResolver, Refusal};
use crate::tools::retry::{Attempt, Failure, within};
use crate::transport::{Answer, Connecting, NAME, Transport, Unanswered, chain};

/// Redirects that are followed for one attempt.
const MAX_REDIRECTS: usize = 5;
/// A connection that takes longer is given up; it has sent nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(90);

/// Why tools cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up HTTP for tools: {0}. Check the system's certificates and `SSL_CERT_FILE`")]
pub struct ToolsError(#[source] reqwest::Error);

/// Sends requests through the gate. Cheap to clone.
#[derive(Clone)]
pub(crate) struct HttpClient {
    pooled: Arc<Transport>,
    single: Arc<Transport>,
    single_full: reqwest::Client,
    gate: Arc<Gate>,
}

impl HttpClient {
    pub fn open(gate: Arc<Gate>) -> Result<Self, ToolsError> {
        // Another part may have installed the same provider already; either one does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let connecting = |idle| Connecting {
            timeout: CONNECT_TIMEOUT,
            idle,
            gate: Some(gate.clone()),
            proxies: Some(gate.proxies().clone()),
        };
        let pooled = build(&gate, |builder| builder.pool_idle_timeout(IDLE))?;
        let pooled = Arc::new(Transport::new(pooled, connecting(Some(IDLE))));
        // A connection out of a pool may have been closed by the server a moment ago, and a transport that then sends
        // again on a new one repeats the call. So calls that must not be repeated get a connection of their own, and
        // HTTP/1.1, which has no refused streams that would be sent again.
        let single_full = build(&gate, |builder| builder.pool_max_idle_per_host(0).http1_only())?;
        let single = Arc::new(Transport::new(single_full.clone(), connecting(None)));
        Ok(Self { pooled, single, single_full, gate })
    }

    /// The client without a pool, for protocols that send their requests themselves. Whoever uses it keeps an
    /// admission of the gate.
    pub fn single(&self) -> reqwest::Client {
        self.single_full.clone()
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
            let mut headers = call.headers.clone();
            for (name, value) in call_metadata(ctx, number) {
                match HeaderValue::try_from(value) {
                    Ok(value) => drop(headers.append(name, value)),
                    Err(error) => return sending_failed(Unanswered::Unbuildable(error.to_string())),
                }
            }
            if !(ctx.may_send)() {
                return Attempt::LeaseLost;
            }
            let sending = client.send(call.method.clone(), &call.url, headers, call.body.clone());
            let answer = match sending.await {
                Ok(answer) => answer,
                Err(error) => return sending_failed(error),
            };
            let Some(target) = redirect_target(&answer, &call.url) else {
                return response::read(answer, &call.method, def.max_result_bytes as usize).await;
            };
            if once {
                let code = format!("http_{}", answer.status.as_u16());
                return Attempt::failed(
                    &code,
                    format!(
                        "the server redirects to {target}. Redirects of calls that must not be repeated are not followed: \
                     give the tool the final URL"
                    ),
                );
            }
            follow(&mut call, answer.status, target);
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
            .user_agent(NAME)
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
pub(crate) fn sending_failed(why: Unanswered) -> Attempt {
    match why {
        Unanswered::Denied(denied) => Attempt::failed("egress_denied", denied.to_string()),
        Unanswered::Unbuildable(why) => {
            Attempt::failed("bad_request", format!("the request cannot be built: {why}"))
        }
        Unanswered::Unconnected(why) => {
            Attempt::NotSent(Failure::new("unreachable", format!("cannot connect: {why}")))
        }
        Unanswered::Lost(why) => Attempt::Unknown(Failure::new(
            "connection_lost",
            format!("the connection was lost before an answer came: {why}"),
        )),
    }
}

fn redirect_target(answer: &Answer, from: &Url) -> Option<Url> {
    let moved = matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = answer.headers.get(header::LOCATION).filter(|_| moved)?;
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
