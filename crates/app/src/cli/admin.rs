//! `admin`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use agenticai_domain::ids::TaskId;

/// `admin`
#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Make the first tenant, its owner and the owner's API key; refused where there is a tenant
    Bootstrap(FirstTenant),
    /// Make tenants
    #[command(subcommand)]
    Tenant(Tenant),
    /// Declare that the database was restored to an earlier point: every task that has not ended is paused
    Restored {
        /// It is a copy that holds everything, made while every process was stopped: nothing is paused
        #[arg(long, conflicts_with = "local")]
        complete: bool,
        /// The store of `up` in the data directory instead of a cluster's; `up` must be stopped
        #[arg(long)]
        local: bool,
    },
    /// Let paused tasks go on
    Release(Paused),
    /// List tasks that no worker has taken, or that a worker holds in silence, for too long
    Stuck {
        /// Seconds that count as too long [default: scheduler.stuck_after_seconds]
        #[arg(long, value_name = "SECONDS")]
        after: Option<u64>,
    },
}

/// `admin release`
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct Paused {
    /// All of them
    #[arg(long, group = "which")]
    pub all: bool,
    /// Those of this tenant
    #[arg(long, group = "which", value_name = "NAME")]
    pub tenant: Option<String>,
    /// This one
    #[arg(long, group = "which", value_name = "ID")]
    pub task: Option<TaskId>,
    /// In the store of `up` in the data directory instead of a cluster's; `up` must be stopped
    #[arg(long)]
    pub local: bool,
}

/// `admin tenant`
#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Make a tenant, its owner and the owner's API key
    Create(NamedTenant),
    /// Set how long a tenant's tasks are kept after their end; for tasks that are created from now on
    Retention {
        /// Name of the tenant
        #[arg(value_name = "NAME")]
        tenant: String,
        /// Days
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36500))]
        days: u32,
    },
}

/// `admin bootstrap`
#[derive(Debug, Clone, Args)]
pub struct FirstTenant {
    /// Name of the tenant
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub tenant: String,
    /// The rest of it.
    #[command(flatten)]
    pub owner: NewOwner,
}

/// `admin tenant create`
#[derive(Debug, Clone, Args)]
pub struct NamedTenant {
    /// Name of the tenant
    #[arg(value_name = "NAME")]
    pub tenant: String,
    /// The rest of it.
    #[command(flatten)]
    pub owner: NewOwner,
}

/// The owner of a new tenant.
#[derive(Debug, Clone, Args)]
pub struct NewOwner {
    /// Name of its owner
    #[arg(long, default_value = "owner", value_name = "NAME")]
    pub user: String,
    /// File for the owner's API key [default: the key is printed, where a terminal reads]
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}
