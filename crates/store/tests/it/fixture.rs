//! A store in a directory of its own.

use std::path::PathBuf;
use std::sync::Arc;

use agenticai_domain::ids::{TenantId, UserId};
use agenticai_store::Store;
use agenticai_store::sqlite::{SqliteOptions, SqliteStore};
use agenticai_testkit::conformance::{Fixture, Lab};
use async_trait::async_trait;
use tempfile::TempDir;
use uuid::Uuid;

pub struct SqliteFixture {
    pub store: SqliteStore,
    pub dir: TempDir,
}

impl SqliteFixture {
    pub fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { store: SqliteStore::open(SqliteOptions::new(dir.path())).unwrap(), dir }
    }

    pub fn database(&self) -> PathBuf {
        self.dir.path().join("agenticai.db")
    }
}

#[async_trait]
impl Fixture for SqliteFixture {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn add_tenant(&self) -> TenantId {
        let (tenant, user) = (TenantId(Uuid::now_v7()), UserId(Uuid::now_v7()));
        let conn = rusqlite::Connection::open(self.database()).unwrap();
        conn.execute(
            "INSERT INTO tenants (id, name, created_at) VALUES (?1, 'other', 1)",
            [tenant.0.as_bytes()],
        )
        .unwrap();
        conn.execute(
            "INSERT INTO users (tenant, id, name, role, created_at) VALUES (last_insert_rowid(), ?1, 'u', 'owner', 1)",
            [user.0.as_bytes()],
        )
        .unwrap();
        tenant
    }
}

/// A lab on a new store, with its parts at hand.
pub async fn lab() -> (Lab, SqliteStore, PathBuf) {
    let fixture = SqliteFixture::open();
    let (store, dir) = (fixture.store.clone(), fixture.dir.path().to_owned());
    (Lab::new(Box::new(fixture)).await, store, dir)
}
