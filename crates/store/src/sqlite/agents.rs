//! Agents and their versions.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use agenticai_domain::ids::{AgentId, TenantId};
use agenticai_domain::spec::{AgentSpec, AgentVersion, ToolDef};

use super::SqliteStore;
use super::rows;
use super::transaction::Tx;
use super::writer::Lane;
use crate::payload::Payloads;
use crate::{AgentSelector, Agents, CreateAgent, NewAgentVersion, Page, PutAgent, Result, StoreError};

/// What is sealed of a version.
#[derive(Serialize, Deserialize)]
struct Body {
    spec: AgentSpec,
    tools: Vec<ToolDef>,
}

/// What a write needs of a version.
struct Prepared {
    tenant: TenantId,
    name: String,
    body: Vec<u8>,
    created_by: Option<Uuid>,
}

/// A version as it lies in the database.
struct Raw {
    id: AgentId,
    tenant: TenantId,
    version: u32,
    created_at: i64,
    body: Vec<u8>,
}

/// Where a version was put: its agent, its number, its time, and whether it is new.
struct Put {
    id: AgentId,
    version: u32,
    created_at: i64,
    stored: bool,
}

const SELECT: &str = "SELECT a.id, n.id, v.version, v.created_at, v.body FROM agents a
     JOIN tenants n ON n.num = a.tenant JOIN agent_versions v ON v.agent = a.num";

impl SqliteStore {
    async fn prepare(&self, new: &NewAgentVersion) -> Result<Prepared> {
        let body = Body { spec: new.spec.clone(), tools: new.tools.clone() };
        Ok(Prepared {
            tenant: new.tenant,
            name: new.spec.name.clone(),
            body: self.inner.payloads.keep(new.tenant, None, &body).await?,
            created_by: new.created_by.map(|user| user.0),
        })
    }

    async fn one_version(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<Raw> + Send + 'static,
    ) -> Result<Option<AgentVersion>> {
        let raw = self.inner.readers.call(move |conn| Ok(read(conn).optional()?)).await?;
        match raw {
            None => Ok(None),
            Some(raw) => Ok(Some(raw.load(&self.inner.payloads).await?)),
        }
    }

    /// A page of what `read` finds when it is asked for one row more than `limit`.
    async fn versions<C: ToString>(
        &self,
        limit: u32,
        cursor: fn(&AgentVersion) -> C,
        read: impl FnOnce(&Connection, i64) -> rusqlite::Result<Vec<Raw>> + Send + 'static,
    ) -> Result<Page<AgentVersion>> {
        let limit = limit.max(1);
        let mut raw = self.inner.readers.call(move |conn| Ok(read(conn, i64::from(limit) + 1)?)).await?;
        let more = raw.len() > limit as usize;
        raw.truncate(limit as usize);
        let mut items = Vec::with_capacity(raw.len());
        for raw in raw {
            items.push(raw.load(&self.inner.payloads).await?);
        }
        let next_cursor = if more { items.last().map(|version| cursor(version).to_string()) } else { None };
        Ok(Page { items, next_cursor })
    }
}

#[async_trait]
impl Agents for SqliteStore {
    async fn create_agent(&self, new: NewAgentVersion) -> Result<CreateAgent> {
        let prepared = self.prepare(&new).await?;
        let put = self
            .inner
            .writer
            .call(Lane::Work, prepared.body.len(), move |tx| {
                Ok(if newest(tx, &prepared)?.is_some() { None } else { Some(insert_agent(tx, &prepared)?) })
            })
            .await?;
        Ok(put.map_or(CreateAgent::Exists, |put| CreateAgent::Created(put.version(new))))
    }

    async fn put_agent(&self, new: NewAgentVersion) -> Result<PutAgent> {
        let prepared = self.prepare(&new).await?;
        let put = self
            .inner
            .writer
            .call(Lane::Work, prepared.body.len(), move |tx| put_agent(tx, &prepared))
            .await?;
        let stored = put.stored;
        let version = put.version(new);
        Ok(if stored { PutAgent::Stored(version) } else { PutAgent::Unchanged(version) })
    }

    async fn agent(
        &self,
        tenant: TenantId,
        which: AgentSelector,
        version: Option<u32>,
    ) -> Result<Option<AgentVersion>> {
        self.one_version(move |conn| {
            let version_is = "AND v.version = coalesce(?3, a.newest) AND a.deleted_at IS NULL";
            match which {
                AgentSelector::Id(id) => conn
                    .prepare_cached(&format!("{SELECT} WHERE n.id = ?1 AND a.id = ?2 {version_is}"))?
                    .query_row(params![tenant.0.as_bytes(), id.0.as_bytes(), version], Raw::read),
                AgentSelector::Name(name) => conn
                    .prepare_cached(&format!("{SELECT} WHERE n.id = ?1 AND a.name = ?2 {version_is}"))?
                    .query_row(params![tenant.0.as_bytes(), name, version], Raw::read),
            }
        })
        .await
    }

    async fn agent_of_task(
        &self,
        tenant: TenantId,
        id: AgentId,
        version: u32,
    ) -> Result<Option<AgentVersion>> {
        self.one_version(move |conn| {
            conn.prepare_cached(&format!("{SELECT} WHERE n.id = ?1 AND a.id = ?2 AND v.version = ?3"))?
                .query_row(params![tenant.0.as_bytes(), id.0.as_bytes(), version], Raw::read)
        })
        .await
    }

    async fn list_agents(
        &self,
        tenant: TenantId,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<AgentVersion>> {
        self.versions(limit, |version| version.spec.name.clone(), move |conn, limit| {
            conn.prepare_cached(&format!(
                "{SELECT} AND v.version = a.newest
                 WHERE n.id = ?1 AND a.deleted_at IS NULL AND (?2 IS NULL OR a.name > ?2) ORDER BY a.name LIMIT ?3"
            ))?
            .query_map(params![tenant.0.as_bytes(), cursor, limit], Raw::read)?
            .collect()
        })
        .await
    }

    async fn list_agent_versions(
        &self,
        tenant: TenantId,
        id: AgentId,
        cursor: Option<u32>,
        limit: u32,
    ) -> Result<Page<AgentVersion>> {
        self.versions(
            limit,
            |version| version.version,
            move |conn, limit| {
                conn.prepare_cached(&format!(
                    "{SELECT} WHERE n.id = ?1 AND a.id = ?2 AND a.deleted_at IS NULL AND v.version > ?3
                 ORDER BY v.version LIMIT ?4"
                ))?
                .query_map(
                    params![tenant.0.as_bytes(), id.0.as_bytes(), cursor.unwrap_or(0), limit],
                    Raw::read,
                )?
                .collect()
            },
        )
        .await
    }

    async fn delete_agent(&self, tenant: TenantId, which: AgentSelector) -> Result<bool> {
        self.inner
            .writer
            .call(Lane::Work, 0, move |tx| {
                let hide = "UPDATE agents SET deleted_at = ?1 WHERE deleted_at IS NULL
                     AND tenant = (SELECT num FROM tenants WHERE id = ?2)";
                let hidden = match which {
                    AgentSelector::Id(id) => tx.execute(
                        &format!("{hide} AND id = ?3"),
                        params![tx.now, tenant.0.as_bytes(), id.0.as_bytes()],
                    )?,
                    AgentSelector::Name(name) => tx.execute(
                        &format!("{hide} AND name = ?3"),
                        params![tx.now, tenant.0.as_bytes(), name],
                    )?,
                };
                Ok(hidden > 0)
            })
            .await
    }
}

/// The agent that has the name now: its row, its id and the number of its newest version.
fn newest(tx: &Tx<'_>, new: &Prepared) -> Result<Option<(i64, AgentId, u32)>> {
    tx.row(
        "SELECT num, id, newest FROM agents
         WHERE tenant = (SELECT num FROM tenants WHERE id = ?1) AND name = ?2 AND deleted_at IS NULL",
        params![new.tenant.0.as_bytes(), new.name],
        |row| Ok((row.get(0)?, AgentId(rows::id(row, 1)?), row.get(2)?)),
    )
}

fn insert_agent(tx: &Tx<'_>, new: &Prepared) -> Result<Put> {
    let id = AgentId(Uuid::now_v7());
    let inserted = tx.execute(
        "INSERT INTO agents (tenant, id, name, newest) SELECT num, ?2, ?3, 1 FROM tenants WHERE id = ?1",
        params![new.tenant.0.as_bytes(), id.0.as_bytes(), new.name],
    )?;
    if inserted == 0 {
        return Err(StoreError::Refused(format!("there is no tenant {}", new.tenant)));
    }
    insert_version(tx, tx.inserted(), id, 1, new)
}

fn insert_version(tx: &Tx<'_>, agent: i64, id: AgentId, version: u32, new: &Prepared) -> Result<Put> {
    tx.execute(
        "INSERT INTO agent_versions (agent, version, tenant, created_at, created_by, body)
         SELECT ?1, ?2, tenant, ?3, ?4, ?5 FROM agents WHERE num = ?1",
        params![agent, version, tx.now, new.created_by.as_ref().map(Uuid::as_bytes), new.body],
    )?;
    Ok(Put { id, version, created_at: tx.now, stored: true })
}

fn put_agent(tx: &Tx<'_>, new: &Prepared) -> Result<Put> {
    let Some((agent, id, version)) = newest(tx, new)? else { return insert_agent(tx, new) };
    // Equal versions have equal columns: sealing depends on the content alone, and so do the names of blobs.
    let same = tx.row(
        "SELECT created_at FROM agent_versions WHERE agent = ?1 AND version = ?2 AND body = ?3",
        params![agent, version, new.body],
        |row| row.get(0),
    )?;
    if let Some(created_at) = same {
        return Ok(Put { id, version, created_at, stored: false });
    }
    tx.execute("UPDATE agents SET newest = ?2 WHERE num = ?1", params![agent, version + 1])?;
    insert_version(tx, agent, id, version + 1, new)
}

impl Put {
    fn version(self, new: NewAgentVersion) -> AgentVersion {
        AgentVersion {
            id: self.id,
            tenant: new.tenant,
            version: self.version,
            spec: new.spec,
            tools: new.tools,
            created_at: self.created_at,
        }
    }
}

impl Raw {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: AgentId(rows::id(row, 0)?),
            tenant: TenantId(rows::id(row, 1)?),
            version: row.get(2)?,
            created_at: row.get(3)?,
            body: row.get(4)?,
        })
    }

    async fn load(self, payloads: &Payloads) -> Result<AgentVersion> {
        let Body { spec, tools } = payloads.load(self.tenant, &self.body).await?;
        Ok(AgentVersion {
            id: self.id,
            tenant: self.tenant,
            version: self.version,
            spec,
            tools,
            created_at: self.created_at,
        })
    }
}
