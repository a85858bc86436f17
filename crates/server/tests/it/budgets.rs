//! Budgets over HTTP.

use agenticai_store::{BudgetSelector, Budgets, Tasks};
use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Server, answer};

const BUDGETS: &str = "/api/v1/budgets";

async fn start() -> Server {
    let server = Server::start().await;
    server.react("a").await;
    server
}

#[tokio::test]
async fn a_budget_is_created_shown_changed_and_removed() {
    let server = start().await;
    let created = server.post(BUDGETS, json!({"name": "all", "max_tokens": 1000})).await;
    let location = created.headers["location"].to_str().unwrap().to_owned();
    let created = created.ok(201);
    assert_eq!(created["scope"], json!({"kind": "tenant"}));
    assert_eq!((&created["max_tokens"], &created["max_cost_usd"]), (&json!(1000), &Value::Null));
    assert_eq!(created["spent"], json!({"tokens": 0, "cost_usd": 0.0}));
    assert_eq!((&created["period"], &created["resets_at"]), (&json!("total"), &Value::Null));
    for at in [location.as_str(), "/api/v1/budgets/all"] {
        assert_eq!(server.get(at).await.ok(200), created);
    }
    let body = json!({"name": "a-day", "agent": "a", "period": "day", "max_cost_usd": 2.5});
    let daily = server.post(BUDGETS, body).await.ok(201);
    assert_eq!(daily["scope"]["kind"], "agent");
    assert!(daily["resets_at"].as_str().unwrap().ends_with("T00:00:00.000Z"), "{daily}");
    assert_eq!(server.get(BUDGETS).await.ok(200)["items"], json!([daily, created]));

    let put = answer(server.request(Method::PUT, &location).json(&json!({"max_cost_usd": 1}))).await.ok(200);
    assert_eq!((&put["max_tokens"], &put["max_cost_usd"]), (&Value::Null, &json!(1.0)));
    server.post(BUDGETS, json!({"name": "all", "max_tokens": 1})).await.problem(409, "budget-exists");
    assert_eq!(answer(server.request(Method::DELETE, &location)).await.status, 204);
    answer(server.request(Method::DELETE, &location)).await.problem(404, "unknown-budget");
    server.get("/api/v1/budgets/all").await.problem(404, "unknown-budget");
    let put = server.request(Method::PUT, "/api/v1/budgets/all").json(&json!({"max_tokens": 1}));
    answer(put).await.problem(404, "unknown-budget");
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let server = start().await;
    for (rest, place) in [
        (json!({}), "max_tokens"),
        (json!({"max_cost_usd": -1}), "max_cost_usd"),
        (json!({"max_cost_usd": 1e12}), "max_cost_usd"),
        (json!({"max_tokens": u64::MAX}), "max_tokens"),
        (json!({"max_tokens": 1, "agent": "nobody"}), "agent"),
        (json!({"max_tokens": 1, "user": "0190a1b2-0000-7000-8000-000000000000"}), "user"),
        (json!({"max_tokens": 1, "agent": "a", "user": "0190a1b2-0000-7000-8000-000000000000"}), "user"),
        (json!({"max_tokens": 1, "name": "A b"}), "name"),
    ] {
        let mut body = json!({"name": "n"});
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let detail = server.post(BUDGETS, body).await.problem(422, "invalid-request");
        assert!(detail.starts_with(place), "{detail}");
    }
    assert_eq!(server.get(BUDGETS).await.ok(200)["items"], json!([]));
}

#[tokio::test]
async fn a_repeated_request_finds_its_budget() {
    let server = start().await;
    let send = async |body: Value| {
        answer(server.request(Method::POST, BUDGETS).header("Idempotency-Key", "k").json(&body)).await
    };
    let first = send(json!({"name": "all", "max_tokens": 1})).await.ok(201);
    assert_eq!(send(json!({"name": "all", "max_tokens": 1})).await.ok(201), first);
    send(json!({"name": "all", "max_tokens": 2})).await.problem(409, "idempotency-conflict");
}

#[tokio::test]
async fn a_task_can_have_a_budget_of_its_own() {
    let server = start().await;
    let body = json!({"agent": "a", "input": "x", "budget": {"max_tokens": 500}});
    let send = async |body: &Value| {
        answer(server.request(Method::POST, "/api/v1/tasks").header("Idempotency-Key", "k").json(body)).await
    };
    let task = send(&body).await.ok(201)["id"].as_str().unwrap().to_owned();
    let budget = server.get(&format!("{BUDGETS}/{task}")).await.ok(200);
    assert_eq!(budget["scope"], json!({"kind": "task", "task": task}));
    assert_eq!((&budget["id"], &budget["max_tokens"]), (&json!(task), &json!(500)));
    // A repetition leaves nothing behind, and neither does a request that is refused.
    assert_eq!(send(&body).await.ok(200)["id"], json!(task));
    let other = json!({"agent": "a", "input": "y", "budget": {"max_tokens": 500}});
    send(&other).await.problem(409, "idempotency-conflict");
    let tenant = server.owner.tenant;
    let payers = server.store.payers(tenant, task.parse().unwrap()).await.unwrap();
    assert_eq!(payers.len(), 1);
    assert!(server.store.delete_budget(tenant, BudgetSelector::Id(payers[0].id)).await.unwrap());
    assert_eq!(server.store.budgeted_tenants().await.unwrap(), [], "no other budget is there");
    let empty = json!({"agent": "a", "input": "x", "budget": {}});
    server.post("/api/v1/tasks", empty).await.problem(422, "invalid-request");
    let count = server.store.count_tasks(tenant, Default::default()).await.unwrap();
    assert_eq!(count, 1);
}
