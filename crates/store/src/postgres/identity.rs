//! Tenants, users and keys.

use async_trait::async_trait;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use agenticai_domain::ids::{TenantId, UserId};

use super::PostgresStore;
use super::rows::get;
use crate::{Bootstrap, Identity, KeyHash, Principal, Result, StoreError, UserRole};

const OWNER: &str = "owner";

fn days(new: &Bootstrap) -> i32 {
    i32::try_from(new.retention_days).unwrap_or(i32::MAX)
}

#[async_trait]
impl Identity for PostgresStore {
    async fn bootstrap(&self, first: Bootstrap) -> Result<Option<Principal>> {
        let (tenant, user) = (TenantId(Uuid::now_v7()), UserId(Uuid::now_v7()));
        // The lock makes one of those who try at once the first.
        let made = self
            .inner
            .write
            .row(
                "SELECT bootstrap($1, $2, $3, $4, $5, $6, $7)",
                &[
                    (&tenant.0, Type::UUID),
                    (&first.tenant, Type::TEXT),
                    (&user.0, Type::UUID),
                    (&first.user, Type::TEXT),
                    (&OWNER, Type::TEXT),
                    (&&first.key[..], Type::BYTEA),
                    (&days(&first), Type::INT4),
                ],
            )
            .await?;
        let made = made.map_or(Ok(false), |row| get::<bool>(&row, 0))?;
        Ok(made.then_some(Principal { tenant, user, role: UserRole::Owner }))
    }

    async fn create_tenant(&self, new: Bootstrap) -> Result<Option<Principal>> {
        let (tenant, user) = (TenantId(Uuid::now_v7()), UserId(Uuid::now_v7()));
        let made = self
            .inner
            .write
            .row(
                "WITH tenant AS (
                     INSERT INTO tenants (id, name, created_at, retention_days) VALUES ($1, $2, clock_ms(0), $7)
                     ON CONFLICT (name) DO NOTHING RETURNING num
                 ), owner AS (
                     INSERT INTO users (tenant, id, name, role, created_at)
                     SELECT num, $3, $4, $5, clock_ms(0) FROM tenant RETURNING tenant, num
                 )
                 INSERT INTO api_keys (sha256, tenant, \"user\", created_at)
                 SELECT $6, tenant, num, clock_ms(0) FROM owner RETURNING tenant",
                &[
                    (&tenant.0, Type::UUID),
                    (&new.tenant, Type::TEXT),
                    (&user.0, Type::UUID),
                    (&new.user, Type::TEXT),
                    (&OWNER, Type::TEXT),
                    (&&new.key[..], Type::BYTEA),
                    (&days(&new), Type::INT4),
                ],
            )
            .await?;
        Ok(made.map(|_| Principal { tenant, user, role: UserRole::Owner }))
    }

    async fn add_owner_key(&self, key: KeyHash) -> Result<Option<Principal>> {
        let found = self
            .inner
            .write
            .row(
                "WITH first AS (
                     SELECT n.id AS tenant, u.id AS owner, u.role, n.num AS tenant_num, u.num
                     FROM tenants n JOIN users u ON u.tenant = n.num
                     WHERE u.role = $2 ORDER BY n.num, u.num LIMIT 1
                 ), kept AS (
                     INSERT INTO api_keys (sha256, tenant, \"user\", created_at)
                     SELECT $1, tenant_num, num, clock_ms(0) FROM first ON CONFLICT DO NOTHING
                 )
                 SELECT tenant, owner, role FROM first",
                &[(&&key[..], Type::BYTEA), (&OWNER, Type::TEXT)],
            )
            .await?;
        found.as_ref().map(principal).transpose()
    }

    async fn authenticate(&self, key: KeyHash) -> Result<Option<Principal>> {
        let found = self
            .inner
            .read
            .row(
                "SELECT n.id, u.id, u.role FROM api_keys k
                 JOIN tenants n ON n.num = k.tenant JOIN users u ON u.num = k.\"user\" WHERE k.sha256 = $1",
                &[(&&key[..], Type::BYTEA)],
            )
            .await?;
        found.as_ref().map(principal).transpose()
    }
}

fn principal(row: &Row) -> Result<Principal> {
    match get::<&str>(row, 2)? {
        OWNER => Ok(Principal {
            tenant: TenantId(get(row, 0)?),
            user: UserId(get(row, 1)?),
            role: UserRole::Owner,
        }),
        // A role that this program does not know gives no rights.
        role => Err(StoreError::Unreadable(format!("the role `{role}` is not known to this program"))),
    }
}
