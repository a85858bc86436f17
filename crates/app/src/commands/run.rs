//! `run`: one task, from the prompt to the answer.

use std::io::IsTerminal;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use agenticai_domain::task::TaskInput;
use agenticai_wire::{AgentView, BudgetBounds, CreateTaskRequest, TaskView};

use super::Context;
use super::follow::{Follow, Followed, People};
use super::{agent, finish::finish, input};
use crate::cli::Run;
use crate::client::{Client, Path, Probe, probe, server};
use crate::exit::{Exit, Failure, Result};
use crate::node::{Node, Port, StartError, assistant};
use crate::render::{Screen, Story, note, print};

const EXAMPLE: &str = "agenticai run \"What is 17% of 2,340?\"";

/// How long a server that went away is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A `run` that was interrupted hands its tasks over quickly: somebody waits for the prompt.
const SHORT_DRAIN: Duration = Duration::from_secs(2);

/// Runs one task.
pub async fn perform(context: &Context, args: Run) -> Result {
    let specs = args.file.as_deref().map(agent::read).transpose()?;
    let input = input::read(args.prompt.as_deref(), args.input.as_deref(), EXAMPLE)?;
    let (client, node) = client_or_node(context, args.no_wait).await?;
    let ran = {
        let client = client;
        run(context, &args, client, specs, input, node.is_some()).await
        // The client and its connections end here, so that only those of others are left.
    };
    let Some(node) = node else { return ran };
    let interrupted = matches!(ran, Ok(Exit::Interrupted));
    // The own connections have just been closed, which the server may not have noticed yet.
    let alone = tokio::time::timeout(Duration::from_secs(1), node.unused()).await.is_ok();
    if !interrupted && !alone {
        note(
            &context
                .err
                .dim("Another command uses this server; it stays until that ends (Ctrl-C: stop now)."),
        );
        tokio::select! {
            () = node.unused() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    let hurry = CancellationToken::new();
    let again = hurry.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            again.cancel();
        }
    });
    node.stop(hurry).await;
    ran
}

async fn run(
    context: &Context,
    args: &Run,
    client: Client,
    specs: Option<Vec<agenticai_domain::spec::AgentSpec>>,
    input: TaskInput,
    own_server: bool,
) -> Result {
    let mut agent = args.agent.clone();
    for spec in specs.iter().flatten() {
        let view = agent::apply(&client, spec).await?;
        // Of several agents in a file the last one is run; those before it are what it calls.
        agent = Some(view.spec.name.clone());
    }
    let name = agent.unwrap_or_else(|| assistant::NAME.to_owned());
    let view: AgentView = client.get(Path::to(&["api", "v1", "agents", &name])).await?;
    let request = CreateTaskRequest {
        agent: name,
        agent_version: None,
        input,
        priority: None,
        timeout_seconds: None,
        metadata: serde_json::Map::new(),
        thread: args.thread.clone(),
        if_active: args.if_active,
        budget: (args.max_tokens.is_some() || args.max_cost.is_some())
            .then_some(BudgetBounds { max_tokens: args.max_tokens, max_cost_usd: args.max_cost }),
    };
    let task: TaskView = client.post_once(Path::to(&["api", "v1", "tasks"]), &request).await?;
    let json = context.global.json;
    if args.no_wait {
        if json {
            context.print_json(&task)?;
        } else {
            print(&task.id.to_string());
        }
        return Ok(Exit::Ok);
    }
    let model = view.spec.model.as_ref().map(|model| model.name.clone());
    if !json {
        let with = model.as_ref().map_or(String::new(), |model| format!(" · {model}"));
        note(&context.err.dim(&format!(
            "{} version {}{with} · {}",
            view.spec.name,
            view.version,
            client.address()
        )));
    }
    let terminal = std::io::stderr().is_terminal();
    let mut screen =
        if json { Screen::silent() } else { Screen::new(std::io::stdout().is_terminal(), terminal) };
    let talks = !json && terminal && std::io::stdin().is_terminal();
    let follow = Follow {
        client: client.clone(),
        task: task.id,
        people: if talks { People::Ask } else { People::End },
        patience: PATIENCE,
    };
    let followed = follow.until_end(Story::new(context.err, model), &mut screen, |_| {}).await?;
    if json {
        let task: TaskView = client.get(Path::to(&["api", "v1", "tasks", &task.id.to_string()])).await?;
        context.print_json(&task)?;
    }
    let resume = match (own_server, &followed) {
        (true, _) => {
            Some("The task is kept, and goes on where it stands as soon as a server runs: `agenticai up`.")
        }
        (false, Followed::Interrupted) => Some("The task goes on in the server."),
        (false, _) => None,
    };
    finish(context, &mut screen, task.id, followed, !json, resume)
}

/// The server that answers, or one in this process. Two commands that start at once agree on one: whoever has the lock
/// of the data directory serves, and the other one waits for its address.
async fn client_or_node(context: &Context, no_wait: bool) -> Result<(Client, Option<Node>)> {
    if context.url().is_some() {
        return Ok((server(context).await?, None));
    }
    for _ in 0..100 {
        let known = context.home.server().map(|server| server.url);
        for url in known.into_iter().chain([context.usual_url()]) {
            let client = Client::new(&url, context.key_for_local()?)?;
            if probe(&client).await == Probe::Ours {
                return Ok((client, None));
            }
        }
        if no_wait {
            return Err(Failure::new(
                Exit::Unreachable,
                "--no-wait needs a server that stays after this command: start one with `agenticai up`",
            ));
        }
        crate::node::start_logging(context, true);
        match Node::start(context, Port::PreferConfigured, SHORT_DRAIN).await {
            Ok(node) => {
                let key = context.home_key()?;
                for remark in node.remarks() {
                    note(&context.err.dim(remark));
                }
                return Ok((Client::new(node.url(), key)?, Some(node)));
            }
            // Another process has just begun to serve from this directory: its address will be known soon.
            Err(StartError::InUse(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(StartError::Failed(failure)) => return Err(failure),
        }
    }
    Err(Failure::failed(format!(
        "another process uses {} and serves no API; end it, or name another directory with --data-dir",
        context.home.path().display()
    )))
}
