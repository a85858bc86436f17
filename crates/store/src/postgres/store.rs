//! Opening and closing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::batch::Batcher;
use super::blobs::ClusterBlobs;
use super::claims::Marks;
use super::create::{self, Created, Creation};
use super::pool::Pool;
use super::positions::Positions;
use super::vitals::Vitals;
use super::{ConnectError, PoolStats, PostgresOptions, maintenance};
use crate::blobs::SharedDir;
use crate::payload::Payloads;

/// Creations in one statement at most: it bounds the latency of a commit.
const CREATIONS: usize = 256;

/// The store of a cluster. Cloning it is cheap; all clones are one store.
#[derive(Clone)]
pub struct PostgresStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) create: Pool,
    pub(super) append: Pool,
    pub(super) write: Pool,
    pub(super) read: Pool,
    pub(super) beat: Pool,
    pub(super) creations: Batcher<Creation, Created>,
    pub(super) payloads: Payloads,
    pub(super) blobs: ClusterBlobs,
    pub(super) marks: Marks,
    pub(super) positions: Positions,
    pub(super) vitals: Vitals,
    pub(super) clock: Arc<Floor>,
}

/// The newest time that this process knows of the database's clock: a clock that jumps back is held to it.
#[derive(Debug, Default)]
pub(super) struct Floor(AtomicI64);

impl Floor {
    pub(super) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes over what the database has said.
    pub(super) fn raise(&self, at: i64) -> i64 {
        self.0.fetch_max(at, Ordering::Relaxed).max(at)
    }
}

impl PostgresStore {
    /// Connects to a database whose schema is there already. Refused where the database was restored to an earlier point
    /// or is a copy, and nobody has declared it.
    pub async fn connect(options: PostgresOptions) -> Result<Self, ConnectError> {
        let store = Self::connect_to_administer(options).await?;
        match maintenance::enter(&store).await {
            Ok(()) => Ok(store),
            Err(error) => {
                store.close();
                Err(error)
            }
        }
    }

    /// Like [`Self::connect`], whatever has become of the database and wherever large payloads lie: for operators, who
    /// declare a restore and make tenants, and neither claim nor read tasks.
    pub async fn connect_to_administer(options: PostgresOptions) -> Result<Self, ConnectError> {
        let [creating, appending, writing, reading] = options.connections;
        let directory = options.blobs_directory.clone().map(SharedDir::new);
        let options = Arc::new(options);
        let pool = |size| Pool::new(options.clone(), size);
        let (create, append, write, read, beat) =
            (pool(creating), pool(appending), pool(writing), pool(reading), pool(1));
        let clock = Arc::new(Floor::default());
        // One connection is made now: a mistake in the settings, or a schema that does not fit, is heard of at once.
        read.check().await?;
        let creations = Batcher::start(creating, CREATIONS, create::commit(create.clone(), clock.clone()));
        let blobs = ClusterBlobs::new(write.clone(), directory);
        let payloads = Payloads::new(Arc::new(blobs.clone()));
        Ok(Self {
            inner: Arc::new(Inner {
                create,
                append,
                write,
                read,
                beat,
                creations,
                payloads,
                blobs,
                marks: Marks::default(),
                positions: Positions::default(),
                vitals: Vitals::default(),
                clock,
            }),
        })
    }

    /// How the pools stand, by purpose.
    pub fn pools(&self) -> [(&'static str, PoolStats); 5] {
        self.inner.pools().map(|(purpose, pool)| (purpose, pool.stats()))
    }

    /// Closes the connections. What was acknowledged is committed already.
    pub fn close(&self) {
        self.inner.pools().into_iter().for_each(|(_, pool)| pool.close());
    }
}

impl Inner {
    fn pools(&self) -> [(&'static str, &Pool); 5] {
        [
            ("create", &self.create),
            ("append", &self.append),
            ("write", &self.write),
            ("read", &self.read),
            ("beat", &self.beat),
        ]
    }
}
