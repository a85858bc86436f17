//! How roles begin, what they show, and how they end.

use std::time::{Duration, Instant};

use agenticai_testkit::servers::postgres;
use agenticai_testkit::servers::proxy::Proxy;

use super::{Cluster, get};
use crate::home::free_port;

const ROLES: [&str; 3] = ["api", "worker", "scheduler"];

#[tokio::test]
async fn roles_wait_for_the_schema_and_become_ready() {
    let cluster = Cluster::empty().await;
    let roles = ROLES.map(|role| cluster.start(&[role], &[]));
    for running in &roles {
        cluster.home.wait_for("the reason", || {
            running
                .get("/health/ready")
                .is_some_and(|(status, body)| status == 503 && body.contains("agenticai migrate up"))
        });
        assert_eq!(running.get("/health/live").unwrap().0, 200);
        assert_eq!(running.get("/metrics").unwrap().0, 200);
    }
    assert_eq!(cluster.run(&["migrate", "up"]).code, 0);
    for mut running in roles {
        cluster.wait_ready(&running);
        assert!(running.log().contains("waiting for the database"), "{}", running.log());
        running.process.signal("TERM");
        let (code, log) = running.end();
        assert_eq!(code, 0, "{log}");
    }
}

// The proxy needs a thread while the test waits for processes.
#[tokio::test(flavor = "multi_thread")]
async fn roles_wait_for_a_database_that_is_down() {
    let mut cluster = Cluster::migrated().await;
    let port = postgres::shared().await.unwrap().port();
    let proxy = Proxy::start(port).await.unwrap();
    proxy.refuse();
    cluster.url = cluster.url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port()));
    let worker = cluster.start(&["worker"], &[]);
    cluster.home.wait_for("the reason", || worker.log().contains("is the server running"));
    assert_eq!(worker.get("/health/live").unwrap().0, 200);
    assert_eq!(worker.get("/health/ready").unwrap().0, 503);
    proxy.resume();
    cluster.wait_ready(&worker);
}

#[tokio::test]
async fn a_role_gives_up_after_its_time() {
    let mut cluster = Cluster::empty().await;
    let setting = [("AGENTICAI_CLUSTER_STARTUP_TIMEOUT_SECONDS", "1")];
    let (code, log) = cluster.start(&["worker"], &setting).end();
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("gave up after 1 s") && log.contains("agenticai migrate up"), "{log}");
    cluster.url = "mysql://x".to_owned();
    let (code, log) = cluster.start(&["worker"], &[]).end();
    assert_eq!(code, 2, "{log}");
}

/// A start does not wait for the database to say what no database would mend.
#[tokio::test]
async fn a_mistake_about_passwords_ends_a_role_at_once() {
    let cluster = Cluster::empty().await;
    let file = cluster.home.file("password", "planted\n");
    let missing = cluster.home.path().join("missing").display().to_string();
    let mistakes: [(&[(&str, &str)], &str); 4] = [
        (
            &[("RABBITMQ_URL", "amqp://a:planted@mq"), ("AGENTICAI_RABBITMQ_PASSWORD_FILE", &file)],
            "[rabbitmq]: there is a password in the address of RabbitMQ and in the file",
        ),
        (
            &[("RABBITMQ_URL", "amqp://a@mq"), ("AGENTICAI_RABBITMQ_PASSWORD_FILE", &missing)],
            "[rabbitmq]: the password file",
        ),
        (
            &[("REDIS_URL", "redis://a:planted@cache"), ("AGENTICAI_REDIS_PASSWORD_FILE", &file)],
            "[redis]: there is a password in the address of Redis and in the file",
        ),
        (
            &[("REDIS_URL", "redis://cache"), ("AGENTICAI_REDIS_SENTINEL_PASSWORD_FILE", &file)],
            "redis.sentinel_group",
        ),
    ];
    for (role, (settings, part)) in ["api", "worker", "scheduler", "worker"].into_iter().zip(mistakes) {
        let (code, log) = cluster.start(&[role], settings).end();
        assert_eq!(code, 2, "{log}");
        assert!(log.contains(part) && !log.contains("planted"), "{log}");
    }
}

#[tokio::test]
async fn the_public_port_tells_nothing_but_whether_it_is_ready() {
    let cluster = Cluster::bootstrapped().await;
    let port = free_port();
    let api = cluster.ready(&["api", "--port", &port.to_string()]);
    for path in ["/health", "/health/ready", "/health/live"] {
        let (status, body) = get(port, path).unwrap();
        assert_eq!((status, body.as_str()), (200, r#"{"status":"ok","service":"agenticai"}"#), "{path}");
    }
    assert_eq!(get(port, "/metrics").unwrap().0, 404);
    let (status, body) = get(port, "/openapi.json").unwrap();
    let document: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &document["paths"]["/metrics"]), (200, &serde_json::Value::Null));
    assert!(!body.contains("\"HealthView\"") && body.contains("BareHealthView"), "{body}");
    assert_eq!(get(port, "/api/v1/tasks").unwrap().0, 401);
    let (status, body) = api.get("/health").unwrap();
    assert!(status == 200 && body.contains("version") && body.contains("database"), "{body}");
    let metrics = api.get("/metrics").unwrap().1;
    for name in [
        "agenticai_http_requests_total",
        "agenticai_tasks_ready{priority=\"5\"} 0",
        "agenticai_database_connections_open{pool=\"read\"}",
        "agenticai_broker_connected{server=\"postgres\"}",
    ] {
        assert!(metrics.contains(name), "{name} is missing in {metrics}");
    }
    assert_eq!(api.get("/api/v1/tasks").unwrap().0, 404, "the operators' port serves the API");
    #[cfg(target_os = "linux")]
    {
        let listening = std::fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
        if !listening.is_empty() {
            for port in [port, api.admin] {
                let all = format!("00000000000000000000000000000000:{port:04X} ");
                assert!(listening.contains(&all), "it does not listen on [::]:{port}");
            }
        }
    }
}

/// A database that does not answer in time is missing.
#[tokio::test(flavor = "multi_thread")]
async fn readiness_waits_as_long_as_the_operator_says() {
    let mut cluster = Cluster::migrated().await;
    let port = postgres::shared().await.unwrap().port();
    let proxy = Proxy::start(port).await.unwrap();
    cluster.url = cluster.url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port()));
    let settings = [("AGENTICAI_CLUSTER_HEALTH_TIMEOUT_SECONDS", "1")];
    let scheduler = cluster.start(&["scheduler"], &settings);
    cluster.wait_ready(&scheduler);
    proxy.stall();
    let (status, body) = scheduler.get("/health/ready").unwrap();
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("did not answer within 1 s"), "{body}");
    assert_eq!(scheduler.get("/health/live").unwrap().0, 200);
    proxy.resume();
    cluster.wait_ready(&scheduler);
}

/// Each line is an object, the last word of a process that fails included.
#[tokio::test]
async fn a_log_for_machines_is_one_object_a_line() {
    let cluster = Cluster::migrated().await;
    let json = ("AGENTICAI_LOG_FORMAT", "json");
    let mut worker = cluster.start(&["worker"], &[json, ("AGENTICAI_SERVR_PORT", "1")]);
    cluster.wait_ready(&worker);
    worker.process.signal("TERM");
    let (code, log) = worker.end();
    assert_eq!(code, 0, "{log}");
    let mut failing = cluster;
    failing.url = Cluster::empty().await.url;
    let (code, failure) =
        failing.start(&["worker"], &[json, ("AGENTICAI_CLUSTER_STARTUP_TIMEOUT_SECONDS", "1")]).end();
    assert_eq!(code, 1, "{failure}");
    for line in log.lines().chain(failure.lines()) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(line["level"].is_string() && line["fields"]["message"].is_string(), "{line}");
    }
    let last: serde_json::Value = serde_json::from_str(failure.lines().last().unwrap()).unwrap();
    assert!(last["fields"]["message"].as_str().unwrap().contains("gave up after 1 s"), "{last}");
    assert_eq!(last["fields"]["exit_code"], 1, "{last}");
}

#[tokio::test]
async fn at_sigterm_readiness_goes_first_and_requests_are_served_meanwhile() {
    let cluster = Cluster::bootstrapped().await;
    let port = free_port();
    let pause = [("AGENTICAI_CLUSTER_PRE_STOP_SECONDS", "3")];
    let mut api = cluster.start(&["api", "--port", &port.to_string()], &pause);
    cluster.wait_ready(&api);
    let began = Instant::now();
    api.process.signal("TERM");
    cluster
        .home
        .wait_for("unreadiness", || api.get("/health/ready").is_some_and(|(status, _)| status == 503));
    assert_eq!(get(port, "/health").unwrap().0, 503);
    assert_eq!(api.get("/health/live").unwrap().0, 200);
    assert_eq!(get(port, "/api/v1/tasks").unwrap().0, 401, "it serves no more");
    assert!(began.elapsed() < Duration::from_secs(3), "too slow to prove anything");
    let (code, log) = api.end();
    assert_eq!(code, 0, "{log}");
    assert!(began.elapsed() >= Duration::from_secs(3), "it did not pause: {log}");
}

#[tokio::test]
async fn a_second_sigterm_skips_the_pause() {
    let cluster = Cluster::migrated().await;
    let mut worker = cluster.start(&["worker"], &[("AGENTICAI_CLUSTER_PRE_STOP_SECONDS", "600")]);
    cluster.wait_ready(&worker);
    worker.process.signal("TERM");
    cluster
        .home
        .wait_for("unreadiness", || worker.get("/health/ready").is_some_and(|(status, _)| status == 503));
    worker.process.signal("TERM");
    let (code, log) = worker.end();
    assert_eq!(code, 0, "{log}");
}
