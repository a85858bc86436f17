//! The HTTP API.
//!
//! A request passes [`request`] (its id, its log line, its metrics, panics), the login of [`auth`], the checks of
//! [`extract`], and then the one handler that is named for it: `tasks/create`, `agents/put` and so on. Every error is
//! a problem of the table in [`problem`]. Handlers hold no state of their own: what they know comes from the store,
//! and the caches in [`state`] can be lost at any time.
//!
//! The server knows no worker: it writes to the store, hints through the broker, and streams what the journal says.

mod abilities;
mod admin;
mod agents;
mod auth;
mod budgets;
mod docs;
mod extract;
mod health;
pub mod listen;
mod metrics;
mod openapi;
mod problem;
mod request;
mod schedules;
mod state;
mod tasks;
mod threads;
mod usage;

pub use abilities::{Abilities, ModelCheck};
pub use admin::{Standing, admin_router};
pub use metrics::{Backlog, Metrics};
pub use openapi::{openapi, public_openapi};
pub use state::{ApiSettings, ApiState};

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use state::Api;

/// All routes, ready to be served. Must be called inside a Tokio runtime.
pub fn router(state: ApiState) -> Router {
    let (routes, _) = routes().split_for_parts();
    finish(routes.merge(docs::router(&docs::WHOLE)), state)
}

/// The routes for everybody of a process whose operators have a port of their own ([`admin_router`]): no metrics, and of
/// its health nothing but whether it is ready.
pub fn public_router(state: ApiState, standing: Standing) -> Router {
    let (routes, _) = api_routes().split_for_parts();
    let (health, _) = admin::bare_routes().split_for_parts();
    finish(routes.merge(health.with_state(standing)).merge(docs::router(&docs::PUBLIC)), state)
}

fn finish(routes: Router<Arc<Api>>, state: ApiState) -> Router {
    let api = Arc::new(Api::new(state));
    routes
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(api.settings.body_limit))
        .layer(axum::middleware::from_fn_with_state(api.clone(), request::observe))
        .with_state(api)
}

/// All routes that an OpenAPI document describes, for a server with one port.
fn routes() -> OpenApiRouter<Arc<Api>> {
    api_routes()
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics))
}

/// Those of agents, tasks, threads, schedules, budgets and usage.
fn api_routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(agents::list::list_agents, agents::create::create_agent))
        .routes(routes!(agents::get::get_agent, agents::put::put_agent, agents::delete::delete_agent))
        .routes(routes!(agents::get::list_agent_versions))
        .routes(routes!(agents::execute::execute_agent))
        .routes(routes!(agents::schema::agent_schema))
        .routes(routes!(tasks::list::list_tasks, tasks::create::create_task))
        .routes(routes!(tasks::count::count_tasks))
        .routes(routes!(tasks::get::get_task))
        .routes(routes!(tasks::cancel::cancel_task))
        .routes(routes!(tasks::signals::signal_task))
        .routes(routes!(tasks::resolve::resolve_step))
        .routes(routes!(tasks::journal::read_journal))
        .routes(routes!(tasks::request::show_request))
        .routes(routes!(tasks::stream::stream_task))
        .routes(routes!(threads::list::list_threads, threads::create::create_thread))
        .routes(routes!(threads::get::get_thread, threads::delete::delete_thread))
        .routes(routes!(threads::tasks::list_thread_tasks))
        .routes(routes!(budgets::list::list_budgets, budgets::create::create_budget))
        .routes(routes!(budgets::get::get_budget, budgets::put::put_budget, budgets::delete::delete_budget))
        .routes(routes!(usage::usage))
        .routes(routes!(schedules::list::list_schedules, schedules::create::create_schedule))
        .routes(routes!(
            schedules::get::get_schedule,
            schedules::put::put_schedule,
            schedules::delete::delete_schedule
        ))
        .routes(routes!(schedules::pause::pause_schedule))
        .routes(routes!(schedules::pause::resume_schedule))
        .routes(routes!(schedules::trigger::trigger_schedule))
        .routes(routes!(schedules::firings::list_firings))
        .routes(routes!(schedules::occurrences::list_occurrences))
}
