//! `admin`: the first tenant and more of them; what is done after a restore.

mod restore;
mod stuck;

use std::io::IsTerminal;
use std::path::Path;

use serde_json::json;

use agenticai_store::postgres::PostgresStore;
use agenticai_store::{Bootstrap, Identity, Principal};

use super::Context;
use crate::cli::{Admin, NewOwner, Tenant};
use crate::cluster::database::{Purpose, options};
use crate::exit::{Exit, Failure, Result};
use crate::keys;
use crate::render::print;

/// Does what was asked.
pub async fn perform(context: &Context, admin: Admin) -> Result {
    match admin {
        Admin::Bootstrap(new) => {
            let store = connect(context).await?;
            let taken = "there is a tenant already: more are made by `agenticai admin tenant create NAME`";
            make(context, &new.tenant, &new.owner, taken, async |first| store.bootstrap(first).await).await
        }
        Admin::Tenant(Tenant::Create(new)) => {
            let store = connect(context).await?;
            let taken = format!("there is a tenant `{}` already: choose another name", new.tenant);
            let create = async |tenant| store.create_tenant(tenant).await;
            make(context, &new.tenant, &new.owner, &taken, create).await
        }
        Admin::Tenant(Tenant::Retention { tenant, days }) => {
            let set = connect(context).await?.set_retention(&tenant, days).await;
            match set
                .map_err(|error| Failure::failed(format!("it cannot be stored: {error}; run it again")))?
            {
                true => Ok(Exit::Ok),
                false => Err(Failure::failed(format!("there is no tenant `{tenant}`"))),
            }
        }
        Admin::Restored { complete, local } => restore::declare(context, complete, local).await,
        Admin::Stuck { after } => stuck::list(context, after).await,
        Admin::Release(which) => restore::release(context, which).await,
    }
}

async fn connect(context: &Context) -> Result<PostgresStore> {
    let options = options(context, Purpose::Admin)?;
    PostgresStore::connect_to_administer(options).await.map_err(|error| Failure::failed(error.to_string()))
}

/// Makes a key, keeps it, and then the tenant.
///
/// The key file is written before the hash is stored: a crash in between leaves a key that nobody knows yet, and which
/// the next run takes. The other way round it would leave an owner whom nobody can be.
async fn make(
    context: &Context,
    tenant: &str,
    owner: &NewOwner,
    taken: &str,
    store: impl AsyncFn(Bootstrap) -> agenticai_store::Result<Option<Principal>>,
) -> Result {
    let file = owner.key_file.as_deref();
    if file.is_none() && !std::io::stdout().is_terminal() {
        return Err(Failure::usage(
            "no terminal reads this, and the key would be lost or end up in a log: say with --key-file where it goes",
        ));
    }
    let (key, fresh) = match file {
        Some(path) => kept_or_new(path)?,
        None => (keys::new_key(), true),
    };
    let bootstrap = Bootstrap {
        tenant: tenant.to_owned(),
        user: owner.user.clone(),
        key: keys::hash(&key),
        retention_days: context.loaded.settings.cluster.retention_days,
    };
    let made = store(bootstrap)
        .await
        .map_err(|error| Failure::failed(format!("the tenant cannot be stored: {error}; run it again")))?;
    let Some(principal) = made else {
        if let (Some(path), true) = (file, fresh) {
            // A key that opens nothing only confuses. One that stays behind does no harm.
            let _ = std::fs::remove_file(path);
        }
        return Err(Failure::new(Exit::Conflict, taken));
    };
    say(context, tenant, owner, &principal, &key)
}

/// The key that an earlier run left in the file, or a new one; and whether it is new.
fn kept_or_new(path: &Path) -> Result<(String, bool)> {
    let at_file = |error: std::io::Error| {
        Failure::failed(format!("the key file {} cannot be used: {error}", path.display()))
    };
    if let Some(key) = keys::read(path).map_err(at_file)? {
        return Ok((key, false));
    }
    let key = keys::new_key();
    keys::keep(path, &key).map_err(at_file)?;
    Ok((key, true))
}

fn say(context: &Context, tenant: &str, owner: &NewOwner, principal: &Principal, key: &str) -> Result {
    let NewOwner { user, key_file } = owner;
    if context.global.json {
        let mut document = json!({
            "tenant": { "id": principal.tenant, "name": tenant },
            "user": { "id": principal.user, "name": user },
        });
        match key_file {
            Some(path) => document["api_key_file"] = json!(path),
            None => document["api_key"] = json!(key),
        }
        context.print_json(&document)?;
        return Ok(Exit::Ok);
    }
    print(&format!("The tenant `{tenant}` and its owner `{user}` were made."));
    match key_file {
        Some(path) => print(&format!("The owner's API key lies in {}.", path.display())),
        None => print(&format!("The owner's API key, which is shown only this once: {key}")),
    }
    Ok(Exit::Ok)
}
