//! `budget create | list | show | set | delete`

use agenticai_wire::{BudgetBounds, BudgetRequest, BudgetScopeView, BudgetView};
use reqwest::Method;
use serde_json::json;

use super::Context;
use crate::cli::{Budget, CreateBudget};
use crate::client::{Client, Path, server};
use crate::exit::{Exit, Result};
use crate::render::{note, print, table};

const BUDGETS: [&str; 3] = ["api", "v1", "budgets"];

/// Does what was typed.
pub async fn perform(context: &Context, args: Budget) -> Result {
    let client = server(context).await?;
    match args {
        Budget::Create(args) => create(context, &client, args).await,
        Budget::List => list(context, &client).await,
        Budget::Show { budget } => {
            let view: BudgetView = client.get(Path::to(&["api", "v1", "budgets", &budget])).await?;
            show(context, &view)
        }
        Budget::Set { budget, bounds } => {
            let segments = ["api", "v1", "budgets", &budget];
            let bounds = BudgetBounds { max_tokens: bounds.max_tokens, max_cost_usd: bounds.max_cost };
            let view: BudgetView = client.put(Path::to(&segments), &bounds).await?;
            show(context, &view)
        }
        Budget::Delete { budget } => delete(context, &client, &budget).await,
    }
}

async fn create(context: &Context, client: &Client, args: CreateBudget) -> Result {
    let request = BudgetRequest {
        name: args.name,
        agent: args.agent,
        user: args.user,
        period: Some(args.period),
        max_tokens: args.bounds.max_tokens,
        max_cost_usd: args.bounds.max_cost,
    };
    let view: BudgetView = client.post_once(Path::to(&BUDGETS), &request).await?;
    show(context, &view)
}

async fn list(context: &Context, client: &Client) -> Result {
    let items: Vec<BudgetView> = client.all(&BUDGETS).await?;
    if context.global.json {
        context.print_json(&json!({ "items": items }))?;
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> = items.iter().map(row).collect();
    for line in table::lines(&["NAME", "OF", "PERIOD", "TOKENS", "COST", "RESERVED", "RESETS"], &rows) {
        print(&line);
    }
    Ok(Exit::Ok)
}

fn row(view: &BudgetView) -> Vec<String> {
    vec![
        view.name.clone().unwrap_or_else(|| view.id.to_string()),
        of(view),
        view.period.as_str().to_owned(),
        tokens(view),
        cost(view),
        format!("{} · ${:.4}", view.reserved.tokens, view.reserved.cost_usd),
        view.resets_at.as_ref().map_or_else(String::new, |at| at.chars().take(10).collect()),
    ]
}

fn show(context: &Context, view: &BudgetView) -> Result {
    if context.global.json {
        context.print_json(view)?;
        return Ok(Exit::Ok);
    }
    let name = view.name.clone().unwrap_or_else(|| view.id.to_string());
    print(&format!("{} · {} · {}", context.out.bold(&name), of(view), view.period.as_str()));
    print(&format!("tokens   {}", tokens(view)));
    print(&format!("cost     {}", cost(view)));
    print(&format!("reserved {} tokens, ${:.6}", view.reserved.tokens, view.reserved.cost_usd));
    if let Some(at) = &view.resets_at {
        print(&format!("resets   {at}"));
    }
    Ok(Exit::Ok)
}

fn of(view: &BudgetView) -> String {
    match view.scope {
        BudgetScopeView::Tenant => "all tasks".to_owned(),
        BudgetScopeView::Agent { agent } => format!("agent {agent}"),
        BudgetScopeView::User { user } => format!("user {user}"),
        BudgetScopeView::Task { task } => format!("task {task}"),
    }
}

fn tokens(view: &BudgetView) -> String {
    match view.max_tokens {
        Some(max) => format!("{} of {max}", view.spent.tokens),
        None => view.spent.tokens.to_string(),
    }
}

fn cost(view: &BudgetView) -> String {
    match view.max_cost_usd {
        Some(max) => format!("${:.4} of ${max:.2}", view.spent.cost_usd),
        None => format!("${:.4}", view.spent.cost_usd),
    }
}

async fn delete(context: &Context, client: &Client, which: &str) -> Result {
    client.tell(Method::DELETE, Path::to(&["api", "v1", "budgets", which]), None::<&()>).await?;
    if context.global.json {
        context.print_json(&json!({ "deleted": which }))?;
    } else {
        note(&format!("{which} is deleted; it binds nobody any more"));
    }
    Ok(Exit::Ok)
}
