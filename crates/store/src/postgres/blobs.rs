//! Large payloads of a cluster: in a table, in chunks, so that nothing beside the database has to be set up and a backup
//! of it is whole; or in a directory that all processes share. How those that nobody refers to any more are removed is
//! told in the migration `0012_blobs`.

use async_trait::async_trait;
use bytes::Bytes;
use tokio_postgres::types::Type;
use uuid::Uuid;

use agenticai_domain::ids::{TaskId, TenantId};

use super::pool::Pool;
use super::rows::{get, small};
use super::{ConnectError, PostgresStore};
use crate::blobs::{BlobRef, Blobs, SharedDir};
use crate::{Result, StoreError};

/// Bytes of a chunk: what the server holds in memory several times while it writes a row.
const CHUNK: usize = 1 << 20;
/// Payloads and references that one statement looks at.
const PORTION: i32 = 200;
/// How long a reference waits for its task to come into being, in milliseconds.
const GRACE_MS: i64 = 24 * 60 * 60 * 1000;

/// Blobs in the table `blobs`, or in a directory.
#[derive(Clone)]
pub(super) struct ClusterBlobs {
    pool: Pool,
    directory: Option<SharedDir>,
}

impl ClusterBlobs {
    pub(super) fn new(pool: Pool, directory: Option<SharedDir>) -> Self {
        Self { pool, directory }
    }

    /// Whether blobs lie where this process would look for them. `known` is the mark of the cluster's directory; a cluster
    /// that has none yet takes this one.
    pub(super) async fn agree(&self, known: Option<Uuid>) -> std::result::Result<(), ConnectError> {
        let Some(directory) = &self.directory else {
            return match known {
                None => Ok(()),
                Some(_) => Err(ConnectError::Blobs(
                    "this cluster keeps large payloads in a directory: set blobs.directory as its other processes do"
                        .to_owned(),
                )),
            };
        };
        let mark = directory.check(known.is_none()).await.map_err(ConnectError::Blobs)?;
        let known = match known {
            Some(known) => Some(known),
            None => {
                let sql = "UPDATE installation SET blob_directory = coalesce(blob_directory, $1) RETURNING blob_directory";
                let connection =
                    self.pool.get().await.map_err(|error| ConnectError::Unreachable(error.to_string()))?;
                let rows = connection.rows(sql, &[(&mark, Type::UUID)]).await?;
                rows.first().map(|row| row.try_get(0)).transpose()?
            }
        };
        match known == Some(mark) {
            true => Ok(()),
            false => Err(ConnectError::Blobs(
                "blobs.directory is the directory of another cluster: set it as the other processes of this one do"
                    .to_owned(),
            )),
        }
    }

    async fn write_chunks(&self, tenant: TenantId, blob: BlobRef, content: &Bytes) -> Result<()> {
        // The last chunk goes last: a blob that is there to its end is whole. The first one is touched where it is there
        // already, which waits for whoever is about to remove it.
        let connection = self.pool.get().await?;
        for (chunk, data) in (0_i32..).zip(content.chunks(CHUNK)) {
            let sql = match chunk {
                0 => {
                    "INSERT INTO blobs (tenant, sha256, chunk, at, data)
                     SELECT num, $2, $3, clock_ms(0), $4 FROM tenants WHERE id = $1
                     ON CONFLICT (tenant, sha256, chunk) DO UPDATE SET at = excluded.at"
                }
                _ => {
                    "INSERT INTO blobs (tenant, sha256, chunk, at, data)
                     SELECT num, $2, $3, clock_ms(0), $4 FROM tenants WHERE id = $1 ON CONFLICT DO NOTHING"
                }
            };
            let params = [
                (&tenant.0 as _, Type::UUID),
                (&&blob.sha256[..] as _, Type::BYTEA),
                (&chunk as _, Type::INT4),
                (&data as _, Type::BYTEA),
            ];
            connection.rows(sql, &params).await?;
        }
        Ok(())
    }

    async fn read_chunks(&self, tenant: TenantId, blob: BlobRef) -> Result<Bytes> {
        let rows = self
            .pool
            .rows(
                "SELECT b.data FROM blobs b JOIN tenants n ON n.num = b.tenant
                 WHERE n.id = $1 AND b.sha256 = $2 ORDER BY b.chunk",
                &[(&tenant.0, Type::UUID), (&&blob.sha256[..], Type::BYTEA)],
            )
            .await?;
        let mut content = Vec::with_capacity(usize::try_from(blob.size).unwrap_or(0));
        for row in &rows {
            content.extend_from_slice(get(row, 0)?);
        }
        if BlobRef::of(&content) != blob {
            let name = hex::encode(blob.sha256);
            return Err(StoreError::Unreadable(format!("the blob {name} is missing or damaged")));
        }
        Ok(Bytes::from(content))
    }

    /// Removes what nobody refers to any more; answers how many.
    pub(super) async fn collect(&self) -> Result<u64> {
        let Some(directory) = &self.directory else {
            let mut removed = 0;
            loop {
                let (looked, gone) = self.collect_chunks(None).await?;
                removed += gone;
                if looked < PORTION {
                    return Ok(removed);
                }
            }
        };
        let sql = "SELECT n.id, g.sha256, g.marks FROM blob_garbage g JOIN tenants n ON n.num = g.tenant";
        let mut removed = 0;
        for row in &self.pool.rows(sql, &[]).await? {
            let (tenant, sha256, marks) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
            removed += self.collect_file(directory, TenantId(tenant), sha256).await?;
            // Also what may lie in the table from before there was a directory.
            removed += self.collect_chunks(Some((tenant, sha256, marks))).await?.1;
        }
        Ok(removed)
    }

    /// Looks at a portion of what lost references, or at one blob of it; answers how many that were, and how many are gone.
    async fn collect_chunks(&self, one: Option<(Uuid, &[u8], i32)>) -> Result<(i32, u64)> {
        let params = [
            (&PORTION as _, Type::INT4),
            (&one.map(|one| one.0) as _, Type::UUID),
            (&one.map(|one| one.1) as _, Type::BYTEA),
            (&one.map(|one| one.2) as _, Type::INT4),
        ];
        let sql = "SELECT looked, gone FROM collect_blobs($1, $2, $3, $4)";
        let row = self.pool.row(sql, &params).await?;
        row.map_or(Ok((0, 0)), |row| Ok((get(&row, 0)?, small(&row, 1)?)))
    }

    async fn collect_file(&self, directory: &SharedDir, tenant: TenantId, sha256: &[u8]) -> Result<u64> {
        let name = sha256.try_into().map_err(|_| {
            StoreError::Unreadable("the name of a blob that is to be removed is damaged".to_owned())
        })?;
        let Some(aside) = directory.set_aside(tenant, name).await? else { return Ok(0) };
        // Only now: a reference that is committed later is that of somebody who finds no file and writes one.
        let referred = "SELECT EXISTS (SELECT FROM blob_refs r JOIN tenants n ON n.num = r.tenant
                                       WHERE n.id = $1 AND r.sha256 = $2)";
        let row = self.pool.row(referred, &[(&tenant.0, Type::UUID), (&sha256, Type::BYTEA)]).await?;
        match row.map_or(Ok(true), |row| get(&row, 0))? {
            true => aside.put_back().await.map(|()| 0),
            false => aside.remove().await.map(|()| 1),
        }
    }
}

impl PostgresStore {
    /// Drops references of tasks that never came into being, and removes the payloads that nobody refers to any more.
    pub(super) async fn collect_blobs(&self, time: i64) -> Result<u64> {
        let params = [(&time as _, Type::INT8), (&GRACE_MS as _, Type::INT8), (&PORTION as _, Type::INT4)];
        while self.int("SELECT check_blob_refs($1, $2, $3)", &params).await? > 0 {}
        self.inner.blobs.collect().await
    }
}

#[async_trait]
impl Blobs for ClusterBlobs {
    async fn put(&self, tenant: TenantId, task: Option<TaskId>, content: Bytes) -> Result<BlobRef> {
        let blob = BlobRef::of(&content);
        let params = [
            (&tenant.0 as _, Type::UUID),
            (&&blob.sha256[..] as _, Type::BYTEA),
            (&task.map(|task| task.0) as _, Type::UUID),
        ];
        self.pool.rows("SELECT refer_to_blob($1, $2, $3)", &params).await?;
        match &self.directory {
            Some(directory) => directory.keep(tenant, content).await,
            None => self.write_chunks(tenant, blob, &content).await.map(|()| blob),
        }
    }

    async fn get(&self, tenant: TenantId, blob: BlobRef) -> Result<Bytes> {
        // What was written before the cluster had a directory stays in the table.
        if let Some(directory) = &self.directory
            && let Some(content) = directory.find(tenant, blob).await?
        {
            return Ok(content);
        }
        self.read_chunks(tenant, blob).await
    }
}
