//! Real servers as fixtures: started by the test on free ports in directories of their own, and stopped with it.
//!
//! - [`haproxy`]: a balancer with health checks.
//! - [`pgbouncer`]: a pooler in transaction mode in front of a PostgreSQL.
//! - [`postgres`]: one shared server for a test process with a database for each test, or a private server.
//! - [`rabbitmq`]: a node of RabbitMQ.
//! - [`redis`]: a single Redis, a master and replica under Sentinel, a cluster of six nodes.
//! - [`tls`]: a private authority, for servers that speak TLS.
//! - [`proxy`]: stands between two parts and cuts, refuses or stalls what passes.
//!
//! Each server can be killed without warning, frozen, continued, and started again on its data and its port. None
//! outlives the test process, however that ends: see [`process`] and [`directory`].

pub mod directory;
pub mod haproxy;
pub mod pgbouncer;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod rabbitmq;
pub mod redis;
pub mod tls;
