//! Large payloads in a table, in chunks: nothing beside the database has to be set up, and a backup of it is whole.

use async_trait::async_trait;
use bytes::Bytes;
use tokio_postgres::types::Type;

use agenticai_domain::ids::TenantId;

use super::pool::Pool;
use super::rows::get;
use crate::blobs::{BlobRef, Blobs};
use crate::{Result, StoreError};

/// Bytes of a chunk: what the server holds in memory several times while it writes a row.
const CHUNK: usize = 1 << 20;

/// Blobs in the table `blobs`.
pub(super) struct TableBlobs(Pool);

impl TableBlobs {
    pub(super) fn new(pool: Pool) -> Self {
        Self(pool)
    }
}

#[async_trait]
impl Blobs for TableBlobs {
    async fn put(&self, tenant: TenantId, content: Bytes) -> Result<BlobRef> {
        let blob = BlobRef::of(&content);
        // The last chunk goes last: a blob that is there to its end is whole. One that is there already is left alone.
        let connection = self.0.get().await?;
        for (chunk, data) in (0_i32..).zip(content.chunks(CHUNK)) {
            connection
                .rows(
                    "INSERT INTO blobs (tenant, sha256, chunk, at, data)
                     SELECT num, $2, $3, clock_ms(0), $4 FROM tenants WHERE id = $1 ON CONFLICT DO NOTHING",
                    &[
                        (&tenant.0, Type::UUID),
                        (&&blob.sha256[..], Type::BYTEA),
                        (&chunk, Type::INT4),
                        (&data, Type::BYTEA),
                    ],
                )
                .await?;
        }
        Ok(blob)
    }

    async fn get(&self, tenant: TenantId, blob: BlobRef) -> Result<Bytes> {
        let rows = self
            .0
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
}
