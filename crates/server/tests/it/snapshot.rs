//! The OpenAPI document as it stands in `docs/`.

#[test]
fn the_document_is_the_one_in_docs() {
    // Tests run in the directory of their package.
    let path = "../../docs/openapi.json";
    let document = agenticai_server::openapi().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == document,
        "docs/openapi.json is not what the server serves: look at what changed, then run\n  \
         UPDATE=1 cargo test -p agenticai-server --test it snapshot"
    );
}

#[test]
fn every_reference_in_the_documents_leads_somewhere() {
    for document in [agenticai_server::openapi(), agenticai_server::public_openapi()] {
        let document = serde_json::to_value(document).unwrap();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 50);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}

/// Where operators have a port of their own, the other has no metrics and tells no reasons.
#[test]
fn the_document_of_a_public_port_has_what_the_port_has() {
    let paths = |document| {
        let mut document = serde_json::to_value(document).unwrap();
        let serde_json::Value::Object(paths) = document["paths"].take() else { panic!("no paths") };
        (paths, document)
    };
    let (mut whole, _) = paths(agenticai_server::openapi());
    let (mut public, document) = paths(agenticai_server::public_openapi());
    assert!(whole.remove("/metrics").is_some());
    for path in ["/health", "/health/live", "/health/ready"] {
        let (whole, public) = (whole.remove(path).unwrap(), public.remove(path).unwrap());
        assert_eq!(whole["get"]["operationId"], public["get"]["operationId"]);
        assert_eq!(whole["get"]["security"], public["get"]["security"]);
        for answer in public["get"]["responses"].as_object().unwrap().values() {
            let answer = answer.to_string();
            assert!(answer.contains("/BareHealthView") || answer.contains("/Problem"), "{path}: {answer}");
        }
    }
    assert_eq!(whole, public);
    assert!(document["components"]["schemas"].get("HealthView").is_none());
}

fn references(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(|r| r.as_str()).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}
