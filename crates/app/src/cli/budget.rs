//! `budget` and its options.

use clap::{Args, Subcommand};

use agenticai_domain::budget::BudgetPeriod;
use agenticai_domain::ids::UserId;

use super::schedule::one_of;

/// `budget`
#[derive(Debug, Subcommand)]
pub enum Budget {
    /// Create a budget; it binds model calls that begin a second later
    Create(CreateBudget),
    /// List budgets, with what is spent
    List,
    /// Show a budget; that of a task has the task's id
    Show {
        /// Name or id
        budget: String,
    },
    /// Set both bounds anew; one that is left out is none
    Set {
        /// Name or id
        budget: String,
        /// Its bounds.
        #[command(flatten)]
        bounds: Bounds,
    },
    /// Remove a budget: it binds nobody any more
    Delete {
        /// Name or id
        budget: String,
    },
}

/// `budget create`
#[derive(Debug, Clone, Args)]
pub struct CreateBudget {
    /// Its name
    pub name: String,
    /// Of this agent's tasks, by name or id [default: of all tasks]
    #[arg(long, value_name = "NAME", conflicts_with = "user")]
    pub agent: Option<String>,
    /// Of this user's tasks
    #[arg(long, value_name = "ID")]
    pub user: Option<UserId>,
    /// How often it begins anew: total (never), day or month, UTC
    #[arg(long, value_name = "HOW", default_value = "total", value_parser = one_of::<BudgetPeriod>)]
    pub period: BudgetPeriod,
    /// Its bounds.
    #[command(flatten)]
    pub bounds: Bounds,
}

/// Bounds of a budget.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
pub struct Bounds {
    /// Input and output tokens at most
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<u64>,
    /// Their cost at most, in US dollars
    #[arg(long, value_name = "USD")]
    pub max_cost: Option<f64>,
}
