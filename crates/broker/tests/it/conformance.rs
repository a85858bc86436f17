//! The suite of every broker, on each server and on all together.

use agenticai_broker::redis::RedisServers;
use agenticai_testkit::broker_conformance::Pair;

use crate::fixture::{Two, config, database, on_postgres, on_rabbitmq, on_redis, on_single, rabbitmq, redis};

mod memory {
    use std::sync::Arc;

    use agenticai_broker::MemoryBroker;

    use super::*;

    async fn open() -> Pair {
        let broker = Arc::new(MemoryBroker::default());
        Pair::new(broker.clone(), broker, ())
    }
    agenticai_testkit::broker_conformance_tests!(open: local hints live pokes);
}

mod nothing {
    use super::*;

    async fn open() -> Pair {
        Two::start(config()).await.pair(())
    }
    agenticai_testkit::broker_conformance_tests!(open: local);
}

mod on_postgres {
    use super::*;

    async fn open() -> Pair {
        let mut config = config();
        config.postgres = on_postgres(database().await);
        Two::start(config).await.pair(())
    }
    agenticai_testkit::broker_conformance_tests!(open: local hints pokes);
}

mod on_rabbitmq {
    use super::*;

    async fn open() -> Pair {
        let mut config = config();
        config.rabbitmq = on_rabbitmq(rabbitmq().await.url());
        Two::start(config).await.pair(())
    }
    agenticai_testkit::broker_conformance_tests!(open: local hints);
}

mod on_redis {
    use super::*;

    async fn open() -> Pair {
        let mut config = config();
        config.redis = on_single(redis().await.url());
        Two::start(config).await.pair(())
    }
    agenticai_testkit::broker_conformance_tests!(open: local live pokes);
}

mod on_sentinel {
    use agenticai_testkit::servers::redis::RedisSentinel;
    use tokio::sync::OnceCell;

    use super::*;

    async fn open() -> Pair {
        static SHARED: OnceCell<RedisSentinel> = OnceCell::const_new();
        let group = SHARED.get_or_init(async || RedisSentinel::start(None).await.unwrap()).await;
        let mut config = config();
        config.redis = on_redis(RedisServers::Sentinel {
            sentinels: group.sentinel_urls(),
            password_file: None,
            group: group.name().to_owned(),
            master: "redis://master".to_owned(),
        });
        Two::start(config).await.pair(())
    }
    agenticai_testkit::broker_conformance_tests!(open: live pokes);
}

mod on_cluster {
    use agenticai_testkit::servers::redis::RedisCluster;
    use tokio::sync::OnceCell;

    use super::*;

    /// The two processes use different nodes, one of them a replica.
    async fn open() -> Pair {
        static SHARED: OnceCell<RedisCluster> = OnceCell::const_new();
        let cluster = SHARED.get_or_init(async || RedisCluster::start(None).await.unwrap()).await;
        let (urls, mut config, mut other) = (cluster.urls(), config(), config());
        other.namespace.clone_from(&config.namespace);
        config.redis = on_redis(RedisServers::Cluster { urls: urls.clone() });
        other.redis = on_redis(RedisServers::Cluster { urls: urls.into_iter().rev().collect() });
        let two = Two { one: Two::start(config).await.one, two: Two::start(other).await.two };
        two.pair(())
    }
    agenticai_testkit::broker_conformance_tests!(open: live pokes);
}

mod on_all {
    use super::*;

    async fn open() -> Pair {
        let mut config = config();
        config.rabbitmq = on_rabbitmq(rabbitmq().await.url());
        config.redis = on_single(redis().await.url());
        config.postgres = on_postgres(database().await);
        Two::start(config).await.pair(())
    }
    agenticai_testkit::broker_conformance_tests!(open: local hints live pokes);
}
