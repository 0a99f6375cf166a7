//! The event payload's JSON Schema says what real payloads look like, and refuses what the hooks do.

use anyhow::{Result, anyhow};
use e2e::parity;
use serde_json::{Value, json};

fn schema() -> Result<jsonschema::Validator> {
    let schema: Value = serde_json::from_str(include_str!("../../wit/event-payload.schema.json"))?;
    jsonschema::draft202012::meta::validate(&schema).map_err(|error| anyhow!("{error}"))?;
    jsonschema::validator_for(&schema).map_err(|error| anyhow!("{error}"))
}

#[test]
fn every_recorded_payload_is_valid() -> Result<()> {
    let schema = schema()?;
    let cases = parity::cases()?;
    assert!(cases.len() >= 48, "{} cases", cases.len());
    for case in cases {
        for (number, line) in case.lines.iter().enumerate() {
            let faults: Vec<_> = schema
                .iter_errors(line)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(
                faults.is_empty(),
                "{}, call {number}: {faults:?}",
                case.name
            );
        }
    }
    Ok(())
}

#[test]
fn what_is_no_payload_is_invalid() -> Result<()> {
    let schema = schema()?;
    for wrong in [
        json!([]),
        json!({}),
        json!({"kwargs": null}),
        json!({"kwargs": "text"}),
        json!({"kwargs": {"messages": [], "optional_params": 3}}),
        json!({"kwargs": {}, "response_obj": {"choices": "none"}}),
        json!({"kwargs": {"standard_logging_object": []}}),
    ] {
        assert!(!schema.is_valid(&wrong), "{wrong}");
    }
    assert!(schema.is_valid(&json!({"kwargs": {}})));
    Ok(())
}

#[test]
fn every_member_that_is_read_is_described() -> Result<()> {
    let schema: Value = serde_json::from_str(include_str!("../../wit/event-payload.schema.json"))?;
    let text = schema.to_string();
    let sources = [
        include_str!("../../guest/core/src/litellm/kwargs.rs"),
        include_str!("../../guest/core/src/litellm/proxy.rs"),
    ];
    let quoted = sources.iter().flat_map(|source| {
        let code = source
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        code.flat_map(|line| line.split('"').skip(1).step_by(2))
    });
    let undescribed: Vec<_> = quoted
        .filter(|name| {
            !name.contains([' ', '.', '{']) && name.contains('_') && !text.contains(name)
        })
        .collect();
    assert!(undescribed.is_empty(), "{undescribed:?}");
    Ok(())
}
