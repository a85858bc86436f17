//! Agents and their versions.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use agenticai_domain::ids::{AgentId, TenantId};
use agenticai_domain::spec::{AgentSpec, AgentVersion, ToolDef};

use super::PostgresStore;
use super::connection::Param;
use super::rows::{get, small};
use crate::payload::Payloads;
use crate::{AgentSelector, Agents, CreateAgent, NewAgentVersion, Page, PutAgent, Result, StoreError};

/// What is sealed of a version.
#[derive(Serialize, Deserialize)]
struct Body {
    spec: AgentSpec,
    tools: Vec<ToolDef>,
}

const SELECT: &str = "SELECT a.id, n.id, v.version, v.created_at, v.body FROM agents a
     JOIN tenants n ON n.num = a.tenant JOIN agent_versions v ON v.agent = a.num";

impl PostgresStore {
    /// The version that was put, and whether it is new; `None` where the name is taken.
    async fn put(&self, new: NewAgentVersion, only_new: bool) -> Result<Option<(AgentVersion, bool)>> {
        let body = Body { spec: new.spec.clone(), tools: new.tools.clone() };
        let column = self.inner.payloads.keep(new.tenant, None, &body).await?;
        let created_by = new.created_by.map(|user| user.0);
        let put = self
            .inner
            .write
            .row(
                "SELECT id, version, created_at, stored FROM put_agent($1, $2, $3, $4, $5, $6)",
                &[
                    (&new.tenant.0, Type::UUID),
                    (&Uuid::now_v7(), Type::UUID),
                    (&new.spec.name, Type::TEXT),
                    (&column, Type::BYTEA),
                    (&created_by, Type::UUID),
                    (&only_new, Type::BOOL),
                ],
            )
            .await?;
        let Some(row) = put else { return Ok(None) };
        let version = AgentVersion {
            id: AgentId(get(&row, 0)?),
            tenant: new.tenant,
            version: small(&row, 1)?,
            spec: new.spec,
            tools: new.tools,
            created_at: get(&row, 2)?,
        };
        Ok(Some((version, get(&row, 3)?)))
    }

    async fn versions(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<AgentVersion>> {
        let rows = self.inner.read.rows(sql, params).await?;
        let mut versions = Vec::with_capacity(rows.len());
        for row in &rows {
            versions.push(load(row, &self.inner.payloads).await?);
        }
        Ok(versions)
    }
}

/// A page of `limit` items, of which one more was read if there are more.
fn page(
    mut items: Vec<AgentVersion>,
    limit: u32,
    cursor: impl Fn(&AgentVersion) -> String,
) -> Page<AgentVersion> {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next_cursor = if more { items.last().map(cursor) } else { None };
    Page { items, next_cursor }
}

#[async_trait]
impl Agents for PostgresStore {
    async fn create_agent(&self, new: NewAgentVersion) -> Result<CreateAgent> {
        Ok(match self.put(new, true).await? {
            Some((version, _)) => CreateAgent::Created(version),
            None => CreateAgent::Exists,
        })
    }

    async fn put_agent(&self, new: NewAgentVersion) -> Result<PutAgent> {
        match self.put(new, false).await? {
            Some((version, true)) => Ok(PutAgent::Stored(version)),
            Some((version, false)) => Ok(PutAgent::Unchanged(version)),
            None => Err(StoreError::Unavailable("the agent was not stored".to_owned())),
        }
    }

    async fn agent(
        &self,
        tenant: TenantId,
        which: AgentSelector,
        version: Option<u32>,
    ) -> Result<Option<AgentVersion>> {
        let (id, name) = match which {
            AgentSelector::Id(id) => (Some(id.0), None),
            AgentSelector::Name(name) => (None, Some(name)),
        };
        // A number that no column holds is no version.
        let Ok(version) = version.map(i32::try_from).transpose() else { return Ok(None) };
        let found = self
            .versions(
                &format!(
                    "{SELECT} WHERE n.id = $1 AND (a.id = $2 OR a.name = $3) AND a.deleted_at IS NULL
                     AND v.version = coalesce($4, a.newest)"
                ),
                &[(&tenant.0, Type::UUID), (&id, Type::UUID), (&name, Type::TEXT), (&version, Type::INT4)],
            )
            .await?;
        Ok(found.into_iter().next())
    }

    async fn agent_of_task(
        &self,
        tenant: TenantId,
        id: AgentId,
        version: u32,
    ) -> Result<Option<AgentVersion>> {
        let Ok(version) = i32::try_from(version) else { return Ok(None) };
        let found = self
            .versions(
                &format!("{SELECT} WHERE n.id = $1 AND a.id = $2 AND v.version = $3"),
                &[(&tenant.0, Type::UUID), (&id.0, Type::UUID), (&version, Type::INT4)],
            )
            .await?;
        Ok(found.into_iter().next())
    }

    async fn list_agents(
        &self,
        tenant: TenantId,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<AgentVersion>> {
        let limit = limit.max(1);
        let found = self
            .versions(
                &format!(
                    "{SELECT} AND v.version = a.newest
                     WHERE n.id = $1 AND a.deleted_at IS NULL AND ($2::text IS NULL OR a.name COLLATE \"C\" > $2)
                     ORDER BY a.name COLLATE \"C\" LIMIT $3"
                ),
                &[(&tenant.0, Type::UUID), (&cursor, Type::TEXT), (&(i64::from(limit) + 1), Type::INT8)],
            )
            .await?;
        Ok(page(found, limit, |version| version.spec.name.clone()))
    }

    async fn list_agent_versions(
        &self,
        tenant: TenantId,
        id: AgentId,
        cursor: Option<u32>,
        limit: u32,
    ) -> Result<Page<AgentVersion>> {
        let limit = limit.max(1);
        let found = self
            .versions(
                &format!(
                    "{SELECT} WHERE n.id = $1 AND a.id = $2 AND a.deleted_at IS NULL AND v.version > $3
                     ORDER BY v.version LIMIT $4"
                ),
                &[
                    (&tenant.0, Type::UUID),
                    (&id.0, Type::UUID),
                    (&i32::try_from(cursor.unwrap_or(0)).unwrap_or(i32::MAX), Type::INT4),
                    (&(i64::from(limit) + 1), Type::INT8),
                ],
            )
            .await?;
        Ok(page(found, limit, |version| version.version.to_string()))
    }

    async fn delete_agent(&self, tenant: TenantId, which: AgentSelector) -> Result<bool> {
        let (id, name) = match which {
            AgentSelector::Id(id) => (Some(id.0), None),
            AgentSelector::Name(name) => (None, Some(name)),
        };
        let hidden = self
            .inner
            .write
            .row(
                "UPDATE agents SET deleted_at = clock_ms(0)
                 WHERE tenant = (SELECT num FROM tenants WHERE id = $1) AND (id = $2 OR name = $3) AND deleted_at IS NULL
                 RETURNING num",
                &[(&tenant.0, Type::UUID), (&id, Type::UUID), (&name, Type::TEXT)],
            )
            .await?;
        Ok(hidden.is_some())
    }
}

async fn load(row: &Row, payloads: &Payloads) -> Result<AgentVersion> {
    let tenant = TenantId(get(row, 1)?);
    let Body { spec, tools } = payloads.load(tenant, get(row, 4)?).await?;
    Ok(AgentVersion {
        id: AgentId(get(row, 0)?),
        tenant,
        version: small(row, 2)?,
        spec,
        tools,
        created_at: get(row, 3)?,
    })
}
