//! Tenants, users and keys.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use agenticai_domain::ids::{TenantId, UserId};

use super::SqliteStore;
use super::rows;
use super::transaction::Tx;
use super::writer::Lane;
use crate::{Bootstrap, Identity, KeyHash, Principal, Result, UserRole};

const OWNER: &str = "owner";

#[async_trait]
impl Identity for SqliteStore {
    async fn bootstrap(&self, first: Bootstrap) -> Result<Option<Principal>> {
        self.inner.writer.call(Lane::Work, 0, move |tx| bootstrap(tx, &first)).await
    }

    async fn create_tenant(&self, new: Bootstrap) -> Result<Option<Principal>> {
        self.inner.writer.call(Lane::Work, 0, move |tx| create_tenant(tx, &new)).await
    }

    async fn add_owner_key(&self, key: KeyHash) -> Result<Option<Principal>> {
        self.inner.writer.call(Lane::Work, 0, move |tx| add_owner_key(tx, key)).await
    }

    async fn authenticate(&self, key: KeyHash) -> Result<Option<Principal>> {
        self.inner.readers.call(move |conn| authenticate(conn, key)).await
    }
}

fn bootstrap(tx: &Tx<'_>, first: &Bootstrap) -> Result<Option<Principal>> {
    if tx.row("SELECT 1 FROM tenants LIMIT 1", [], |_| Ok(()))?.is_some() {
        return Ok(None);
    }
    insert_tenant(tx, first).map(Some)
}

fn create_tenant(tx: &Tx<'_>, new: &Bootstrap) -> Result<Option<Principal>> {
    if tx.row("SELECT 1 FROM tenants WHERE name = ?1", [&new.tenant], |_| Ok(()))?.is_some() {
        return Ok(None);
    }
    insert_tenant(tx, new).map(Some)
}

fn insert_tenant(tx: &Tx<'_>, new: &Bootstrap) -> Result<Principal> {
    let (tenant, user) = (TenantId(Uuid::now_v7()), UserId(Uuid::now_v7()));
    tx.execute(
        "INSERT INTO tenants (id, name, created_at) VALUES (?1, ?2, ?3)",
        params![tenant.0.as_bytes(), new.tenant, tx.now],
    )?;
    let tenant_num = tx.inserted();
    tx.execute(
        "INSERT INTO users (tenant, id, name, role, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![tenant_num, user.0.as_bytes(), new.user, OWNER, tx.now],
    )?;
    insert_key(tx, new.key, tenant_num, tx.inserted())?;
    Ok(Principal { tenant, user, role: UserRole::Owner })
}

fn add_owner_key(tx: &Tx<'_>, key: KeyHash) -> Result<Option<Principal>> {
    let first = tx.row(
        "SELECT n.id, u.id, u.role, n.num, u.num FROM tenants n JOIN users u ON u.tenant = n.num
         WHERE u.role = ?1 ORDER BY n.num, u.num LIMIT 1",
        [OWNER],
        |row| Ok((principal(row)?, row.get(3)?, row.get(4)?)),
    )?;
    let Some((principal, tenant, user)) = first else { return Ok(None) };
    insert_key(tx, key, tenant, user)?;
    Ok(Some(principal))
}

fn insert_key(tx: &Tx<'_>, key: KeyHash, tenant: i64, user: i64) -> Result<()> {
    // The same key again is the same key.
    tx.execute(
        "INSERT INTO api_keys (sha256, tenant, user, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        params![key, tenant, user, tx.now],
    )?;
    Ok(())
}

fn authenticate(conn: &Connection, key: KeyHash) -> Result<Option<Principal>> {
    let found = conn
        .prepare_cached(
            "SELECT n.id, u.id, u.role FROM api_keys k
             JOIN tenants n ON n.num = k.tenant JOIN users u ON u.num = k.user WHERE k.sha256 = ?1",
        )?
        .query_row([key], principal)
        .optional()?;
    Ok(found)
}

fn principal(row: &Row<'_>) -> rusqlite::Result<Principal> {
    match row.get_ref(2)?.as_str() {
        Ok(OWNER) => Ok(Principal {
            tenant: TenantId(rows::id(row, 0)?),
            user: UserId(rows::id(row, 1)?),
            role: UserRole::Owner,
        }),
        // A role that this program does not know gives no rights.
        _ => Err(rusqlite::Error::InvalidColumnType(2, "role".to_owned(), rusqlite::types::Type::Text)),
    }
}
