#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

//! Nothing here is written for a prompt that the model knows: tools, parameters and numbers are generated.

use serde_json::{Value, json};

use agenticai_domain::schema::Schema;

use super::*;

fn ask(messages: &Value, tools: &[Value], schema: Option<&Value>) -> ModelAnswer {
    let tools: Vec<Value> = tools.iter().map(|tool| json!({"type": "function", "function": tool})).collect();
    let mut body = json!({"model": "practice", "messages": messages, "tools": tools});
    if let Some(schema) = schema {
        body["response_format"] =
            json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}});
    }
    answer(body.to_string().as_bytes(), 1).unwrap()
}

fn first_call(prompt: &str, tools: &[Value]) -> (String, Value) {
    let answer = ask(&json!([{"role": "user", "content": prompt}]), tools, None);
    let call = answer.calls.first().unwrap_or_else(|| panic!("no call for {prompt}: {}", answer.text));
    (call.name.clone(), serde_json::from_str(&call.arguments).unwrap())
}

fn tool(name: &str, description: &str, properties: Value, required: &[&str]) -> Value {
    json!({"name": name, "description": description,
        "parameters": {"type": "object", "properties": properties, "required": required}})
}

fn word(rng: &mut fastrand::Rng) -> String {
    (0..rng.usize(5..9))
        .map(|i| if i % 2 == 0 { rng.choice(*b"bdfgklmnprst") } else { rng.choice(*b"aeiou") })
        .map(|letter| char::from(letter.unwrap()))
        .collect()
}

#[test]
fn the_question_of_the_issue_calls_a_calculator() {
    let calculator = tool(
        "calculator",
        "Evaluates an arithmetic expression.",
        json!({"expression": {"type": "string", "description": "For example `2 * (3 + 4)`."}}),
        &["expression"],
    );
    let clock = tool("now", "Tells the date and time.", json!({"timezone": {"type": "string"}}), &[]);
    for prompt in [
        "What is 17% of 2,340? Use the calculator.",
        "What is 17% of 2,340?",
        "calculate 17 percent of 2340 please",
    ] {
        let (name, arguments) = first_call(prompt, &[clock.clone(), calculator.clone()]);
        assert_eq!(name, "calculator");
        assert_eq!(arguments, json!({"expression": "(17 / 100) * 2340"}), "{prompt}");
    }
}

#[test]
fn generated_tools_are_called_by_name_with_valid_arguments() {
    let mut rng = fastrand::Rng::with_seed(42);
    for _ in 0..200 {
        let mut tools = Vec::new();
        for _ in 0..4 {
            let mut properties = serde_json::Map::new();
            for _ in 0..rng.usize(1..5) {
                let low = rng.i64(-20..20);
                let schema = match rng.u32(0..8) {
                    0 => json!({"type": "string"}),
                    1 => json!({"type": "integer", "minimum": low, "maximum": low + 50}),
                    2 => json!({"type": "number"}),
                    3 => json!({"type": "boolean"}),
                    4 => json!({"enum": [word(&mut rng), word(&mut rng)]}),
                    5 => json!({"type": "array", "items": {"type": "integer"}, "minItems": 1}),
                    6 => json!({"type": "string", "minLength": 3, "maxLength": 12}),
                    _ => {
                        json!({"type": "object", "properties": {"x": {"type": ["number", "null"]}}, "required": ["x"],
                        "additionalProperties": false})
                    }
                };
                properties.insert(word(&mut rng), schema);
            }
            let required: Vec<String> = properties.keys().cloned().collect();
            let names: Vec<&str> = required.iter().map(String::as_str).collect();
            let (name, about) = (format!("{}_{}", word(&mut rng), word(&mut rng)), word(&mut rng));
            tools.push(tool(&name, &about, Value::Object(properties), &names));
        }
        let wanted = &tools[rng.usize(0..tools.len())];
        let wanted_name = wanted["name"].as_str().unwrap();
        let prompt =
            format!("Please use {wanted_name} on {} with 7 and 12.5 for \"some text\".", word(&mut rng));
        let (name, arguments) = first_call(&prompt, &tools);
        assert_eq!(name, wanted_name);
        Schema::compile(&wanted["parameters"]).unwrap().check(&arguments).unwrap();
    }
}

#[test]
fn values_go_where_they_belong() {
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..100 {
        let (text, item, other) = (word(&mut rng), word(&mut rng), word(&mut rng));
        let (count, price) = (rng.u32(1..5000), f64::from(rng.u32(1..9999)) + 0.5);
        let order = tool(
            "place_order",
            "",
            json!({
                "item": {"type": "string"}, "count": {"type": "integer"}, "price": {"type": "number"},
                "speed": {"enum": [other, item.clone() + "ish", "express"]},
                "callback_url": {"type": "string", "format": "uri"},
                "gift": {"type": "boolean"}
            }),
            &["item", "count", "price", "speed", "callback_url"],
        );
        let prompt = format!(
            "Call place_order: \"{text} {item}\", express please, count {count} and price {price}, as a gift, and tell \
             https://{text}.example/{item}?n=77 about it."
        );
        let (_, arguments) = first_call(&prompt, &[order]);
        let expected = json!({"item": format!("{text} {item}"), "count": count, "price": price, "speed": "express",
            "callback_url": format!("https://{text}.example/{item}?n=77"), "gift": true});
        assert_eq!(arguments, expected, "{prompt}");
    }
}

#[test]
fn descriptions_choose_where_no_name_is_said() {
    let tools = [
        tool("get_weather", "Current weather for a city.", json!({"city": {"type": "string"}}), &["city"]),
        tool("lookup", "Looks a term up in the glossary.", json!({"q": {"type": "string"}}), &["q"]),
        tool("fetch_page", "Downloads a web page.", json!({"url": {"type": "string"}}), &["url"]),
    ];
    assert_eq!(
        first_call("How is the weather in Oslo?", &tools),
        ("get_weather".into(), json!({"city": "Oslo"}))
    );
    assert_eq!(first_call("Look up \"entropy\" for me", &tools), ("lookup".into(), json!({"q": "entropy"})));
    let (name, arguments) = first_call("Summarise http://a.example/b", &tools);
    assert_eq!((name.as_str(), &arguments["url"]), ("fetch_page", &json!("http://a.example/b")));
    let answer = ask(&json!([{"role": "user", "content": "Write me a poem"}]), &tools, None);
    assert!(
        answer.calls.is_empty() && answer.text.contains("practice model") && answer.text.contains("poem")
    );
}

#[test]
fn tools_are_called_in_turn_and_their_results_told() {
    let tools = [
        tool("alpha", "", json!({"n": {"type": "integer"}}), &["n"]),
        tool("beta", "", json!({"n": {"type": "integer"}}), &["n"]),
    ];
    let mut messages = vec![json!({"role": "user", "content": "Use beta, then use alpha, with 5."})];
    for expected in ["beta", "alpha"] {
        let answer = ask(&json!(messages), &tools, None);
        assert_eq!(answer.calls.len(), 1);
        let call = &answer.calls[0];
        assert_eq!(call.name, expected);
        let id = format!("{expected}1");
        messages
            .push(json!({"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function",
            "function": {"name": call.name, "arguments": call.arguments}}]}));
        let content = if expected == "beta" { "Error: out of order" } else { "forty-two" };
        messages.push(json!({"role": "tool", "tool_call_id": id, "content": content}));
    }
    let answer = ask(&json!(messages), &tools, None);
    assert!(answer.calls.is_empty());
    assert_eq!(answer.text, "The tool `beta` failed: out of order. The answer of `alpha` is forty-two.");
}

#[test]
fn answers_of_a_demanded_shape_validate() {
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..100 {
        let number = rng.u32(1..100_000);
        let (a, b) = (word(&mut rng), word(&mut rng));
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": [a, "total", "kind", "rows"],
            "properties": {
                a: {"type": "string", "minLength": 1, "maxLength": rng.u32(4..40)},
                "total": {"type": "number"},
                "kind": {"enum": ["small", "large"]},
                "rows": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/row"}}
            },
            "$defs": {"row": {"type": "object", "required": ["label"], "properties": {"label": {"type": "string"},
                "size": {"type": "integer", "minimum": 3}}}}
        });
        let messages =
            json!([{"role": "user", "content": format!("What about {b}? It is large: {number}.")}]);
        let answer = ask(&messages, &[], Some(&schema));
        let value: Value = serde_json::from_str(&answer.text).unwrap();
        Schema::compile(&schema).unwrap().check(&value).unwrap();
        assert_eq!(value["total"], json!(number));
        assert_eq!(value["kind"], json!("large"));
    }
}
