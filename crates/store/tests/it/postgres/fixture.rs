//! A store in a database of its own.

use std::sync::Arc;

use agenticai_domain::ids::{TenantId, UserId};
use agenticai_store::Store;
use agenticai_store::postgres::{Connection, PostgresOptions, PostgresStore, schema};
use agenticai_testkit::conformance::{Fixture, Lab};
use agenticai_testkit::servers::postgres::{TestDatabase, shared};
use async_trait::async_trait;
use tokio::sync::OnceCell;
use tokio_postgres::types::Type;
use uuid::Uuid;

pub struct PostgresFixture {
    pub store: PostgresStore,
    pub options: PostgresOptions,
}

/// A database with the schema in it and nobody connected to it, to be copied: migrating takes longer than that.
async fn template() -> &'static TestDatabase {
    static TEMPLATE: OnceCell<TestDatabase> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let database = shared().await.unwrap().create_database(None).await.unwrap();
            let connection = Connection::open(&PostgresOptions::new(&database.url)).await.unwrap();
            schema::migrate(&connection).await.unwrap();
            database
        })
        .await
}

impl PostgresFixture {
    pub async fn open() -> Self {
        let template = &template().await.name;
        let database = shared().await.unwrap().create_database(Some(template)).await.unwrap();
        let options = PostgresOptions { connections: [2, 2, 3, 2], ..PostgresOptions::new(&database.url) };
        Self { store: PostgresStore::connect(options.clone()).await.unwrap(), options }
    }

    /// One more connection, as of a person with `psql`.
    pub async fn connection(&self) -> Connection {
        Connection::open(&self.options).await.unwrap()
    }
}

#[async_trait]
impl Fixture for PostgresFixture {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn add_tenant(&self) -> TenantId {
        let (tenant, user) = (TenantId(Uuid::now_v7()), UserId(Uuid::now_v7()));
        let sql = "WITH made AS (
                       INSERT INTO tenants (id, name, created_at) VALUES ($1, 'other', 1) RETURNING num
                   )
                   INSERT INTO users (tenant, id, name, role, created_at) SELECT num, $2, 'u', 'owner', 1 FROM made";
        self.connection().await.rows(sql, &[(&tenant.0, Type::UUID), (&user.0, Type::UUID)]).await.unwrap();
        tenant
    }
}

/// A lab on a new store, with its parts at hand.
pub async fn lab() -> (Lab, PostgresStore, PostgresOptions) {
    let fixture = PostgresFixture::open().await;
    let (store, options) = (fixture.store.clone(), fixture.options.clone());
    (Lab::new(Box::new(fixture)).await, store, options)
}
