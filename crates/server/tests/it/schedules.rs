//! Schedules over HTTP.

use agenticai_domain::task::End;
use agenticai_domain::usage::Spend;
use agenticai_store::{EndOutcome, Tasks};
use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Answer, Server, answer};

const SCHEDULES: &str = "/api/v1/schedules";

fn nightly() -> Value {
    json!({"name": "nightly", "agent": "job", "input": {"to": "a"}, "cron": "30 2 * * *", "timezone": "Europe/Berlin"})
}

fn with(more: Value) -> Value {
    let mut body = nightly();
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn put(server: &Server, which: &str, body: Value) -> Answer {
    answer(server.request(Method::PUT, &format!("{SCHEDULES}/{which}")).json(&body)).await
}

async fn start() -> Server {
    let server = Server::start().await;
    server.job("job", json!({})).await;
    server
}

#[tokio::test]
async fn a_schedule_is_created_changed_and_removed() {
    let server = start().await;
    let created = server.post(SCHEDULES, nightly()).await;
    let location = created.headers["location"].to_str().unwrap().to_owned();
    let created = created.ok(201);
    assert_eq!((&created["overlap"], &created["catch_up"]), (&json!("skip"), &json!("one")));
    assert_eq!((&created["priority"], &created["catch_up_window_seconds"]), (&json!(5), &json!(86400)));
    assert_eq!((&created["paused"], &created["last_task"]), (&json!(false), &Value::Null));
    assert!(created["next_fire_at"].as_str().is_some_and(|at| at.contains(":30:00.000Z")), "{created}");
    assert_eq!(server.get(&location).await.ok(200), created);
    assert_eq!(server.get(&format!("{SCHEDULES}/nightly")).await.ok(200), created);
    assert_eq!(server.get(SCHEDULES).await.ok(200)["items"], json!([created]));

    let change =
        json!({"name": "hourly", "cron": "@hourly", "timezone": null, "overlap": "queue", "priority": 9});
    let changed = put(&server, "nightly", with(change)).await.ok(200);
    assert_eq!((&changed["id"], &changed["name"]), (&created["id"], &json!("hourly")));
    assert_eq!((&changed["timezone"], &changed["priority"]), (&json!("UTC"), &json!(9)));
    server.get(&format!("{SCHEDULES}/nightly")).await.problem(404, "unknown-schedule");

    server.post(SCHEDULES, nightly()).await.ok(201);
    let detail = server.post(SCHEDULES, nightly()).await.problem(409, "schedule-exists");
    assert!(detail.contains("PUT /api/v1/schedules/nightly"), "{detail}");
    put(&server, "hourly", nightly()).await.problem(409, "schedule-exists");
    put(&server, "nobody", nightly()).await.problem(404, "unknown-schedule");
    assert_eq!(answer(server.request(Method::DELETE, &location)).await.status, 204);
    answer(server.request(Method::DELETE, &location)).await.problem(404, "unknown-schedule");
    let page = server.get(&format!("{SCHEDULES}?limit=1")).await.ok(200);
    assert_eq!((&page["items"][0]["name"], &page["next_cursor"]), (&json!("nightly"), &Value::Null));
}

#[tokio::test]
async fn a_key_makes_creating_a_schedule_repeatable() {
    let server = start().await;
    let send = |body: Value| {
        answer(server.request(Method::POST, SCHEDULES).header("idempotency-key", "one").json(&body))
    };
    let first = send(nightly()).await.ok(201);
    assert_eq!(send(nightly()).await.ok(201), first);
    send(with(json!({"priority": 9}))).await.problem(409, "idempotency-conflict");
    server.post(&format!("{SCHEDULES}/nightly/pause"), Value::Null).await.ok(200);
    assert_eq!(send(nightly()).await.ok(201)["paused"], true);
    assert_eq!(server.get(SCHEDULES).await.ok(200)["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn mistakes_are_told_with_a_way_out() {
    let server = start().await;
    for (more, kind, says) in [
        (json!({"cron": "61 * * * *"}), "invalid-schedule", "for example `0 9 * * MON-FRI`"),
        (json!({"cron": "0 0 30 2 *"}), "invalid-schedule", "no occurrence"),
        (json!({"timezone": "Berlin"}), "invalid-schedule", "`Europe/Berlin`"),
        (json!({"name": "Not Good"}), "invalid-schedule", "a-z"),
        (json!({"catch_up_window_seconds": 0}), "invalid-schedule", "a year"),
        (json!({"overlap": "stack"}), "invalid-request", "`skip`, `queue`, `replace`"),
        (json!({"priority": 11}), "invalid-request", "priority"),
        (json!({"input": "text"}), "invalid-request", "object"),
        (json!({"input": {"to": 7}}), "invalid-request", "to"),
        (json!({"crom": "* * * * *"}), "invalid-request", "crom"),
    ] {
        let detail = server.post(SCHEDULES, with(more.clone())).await.problem(422, kind);
        assert!(detail.contains(says), "{more}: {detail}");
    }
    let bad = with(json!({"cron": "x", "timezone": "y", "name": "Z"}));
    let found = server.post(SCHEDULES, bad).await;
    found.problem(422, "invalid-schedule");
    let places: Vec<_> = found.body["errors"].as_array().unwrap().iter().map(|e| e["path"].clone()).collect();
    assert_eq!(places, ["name", "cron", "timezone"]);
    server.post(SCHEDULES, with(json!({"agent": "nobody"}))).await.problem(404, "unknown-agent");
    server.post(SCHEDULES, with(json!({"agent_version": 2}))).await.problem(404, "unknown-agent");
    assert_eq!(server.get(SCHEDULES).await.ok(200)["items"], json!([]));
}

#[tokio::test]
async fn a_pause_takes_the_next_time_away_and_resuming_brings_it_back() {
    let server = start().await;
    let created = server.post(SCHEDULES, nightly()).await.ok(201);
    let at = format!("{SCHEDULES}/nightly");
    for _ in 0..2 {
        let paused = server.post(&format!("{at}/pause"), Value::Null).await.ok(200);
        assert_eq!((&paused["paused"], &paused["next_fire_at"]), (&json!(true), &Value::Null));
    }
    let changed = put(&server, "nightly", with(json!({"priority": 6}))).await.ok(200);
    assert_eq!((&changed["paused"], &changed["next_fire_at"]), (&json!(true), &Value::Null));
    for _ in 0..2 {
        let resumed = server.post(&format!("{at}/resume"), Value::Null).await.ok(200);
        assert_eq!(resumed["paused"], false);
        assert_eq!(resumed["next_fire_at"], created["next_fire_at"]);
    }
    let paused = with(json!({"name": "later", "paused": true}));
    assert_eq!(server.post(SCHEDULES, paused).await.ok(201)["next_fire_at"], Value::Null);
    for act in ["pause", "resume", "trigger"] {
        server.post(&format!("{SCHEDULES}/nobody/{act}"), Value::Null).await.problem(404, "unknown-schedule");
    }
}

#[tokio::test]
async fn a_trigger_obeys_overlap_and_repeats_harmlessly() {
    let server = start().await;
    server.post(SCHEDULES, with(json!({"paused": true, "metadata": {"team": "red"}}))).await.ok(201);
    let at = format!("{SCHEDULES}/nightly");
    let trigger = |key: &str| {
        answer(server.request(Method::POST, &format!("{at}/trigger")).header("idempotency-key", key))
    };
    let first = trigger("one").await.ok(202);
    assert_eq!((&first["state"], &first["triggered"]), (&json!("created"), &json!(true)));
    assert_eq!(trigger("one").await.ok(202), first);
    let id = first["task"].as_str().unwrap();
    let task = server.get(&format!("/api/v1/tasks/{id}")).await.ok(200);
    assert_eq!(task["metadata"], json!({"team": "red", "schedule": "nightly"}));
    assert_eq!((&task["input"], &task["agent"]), (&json!({"to": "a"}), &json!("job")));
    let found = server.get("/api/v1/tasks/count?metadata.schedule=nightly").await.ok(200);
    assert_eq!(found, json!({"count": 1}));

    let skipped = server.post(&format!("{at}/trigger"), Value::Null).await.ok(202);
    assert_eq!((&skipped["state"], &skipped["task"]), (&json!("skipped"), &Value::Null));
    assert!(skipped["why"].as_str().is_some_and(|why| why.contains(id)), "{skipped}");
    let end = End::Completed { output: json!("done") };
    let ended = server.store.end_task(server.owner.tenant, id.parse().unwrap(), 1, end, Spend::default());
    assert_eq!(ended.await.unwrap(), EndOutcome::Ended);
    let third = server.post(&format!("{at}/trigger"), Value::Null).await.ok(202);
    assert_eq!(third["state"], "created");

    let firings = server.get(&format!("{at}/firings")).await.ok(200);
    assert_eq!(firings["items"], json!([third, skipped, first]));
    let view = server.get(&at).await.ok(200);
    assert_eq!((&view["last_task"], &view["last_fire_at"]), (&third["task"], &third["due_at"]));
    answer(server.request(Method::DELETE, "/api/v1/agents/job")).await.ok(204);
    server.post(&format!("{at}/trigger"), Value::Null).await.problem(404, "unknown-agent");
}

#[tokio::test]
async fn the_next_times_are_shown_as_clocks_show_them() {
    let server = start().await;
    server.post(SCHEDULES, nightly()).await.ok(201);
    let at = format!("{SCHEDULES}/nightly/occurrences");
    let view = server.get(&format!("{at}?n=100")).await.ok(200);
    let items = view["items"].as_array().unwrap();
    assert_eq!(items.len(), 100);
    for item in items {
        let local = item["local"].as_str().unwrap();
        assert!(local.ends_with("[Europe/Berlin]"), "{local}");
        let time = &local[10..16];
        assert!(time == "T02:30" || time == "T03:00", "{local}");
        let (one, other): (jiff::Timestamp, jiff::Timestamp) = (
            item["at"].as_str().unwrap().parse().unwrap(),
            local.split('[').next().unwrap().parse().unwrap(),
        );
        assert_eq!(one, other);
    }
    assert_eq!(server.get(&at).await.ok(200)["items"], json!(items[..5]));
    for bad in ["n=0", "n=101", "n=x", "count=3"] {
        server.get(&format!("{at}?{bad}")).await.problem(400, "bad-query");
    }
}
