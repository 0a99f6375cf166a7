//! Which price a model has: by its names, and by the setting.

#[path = "support/prices.rs"]
mod support;

use logger_core::prices::{Prices, Rates};
use logger_core::settings::Settings;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::price;

fn prices(own: Value) -> Prices {
    let all = json!({"tracking_uri": "http://mlflow:5000", "prices": own});
    Settings::parse(&all.to_string()).unwrap().prices
}

#[test]
fn a_family_is_not_another() {
    for (provider, model) in [
        ("openai", "gpt-4o-nano"),
        ("openai", "gpt-4o-2024-05-13-preview"),
        ("openai", "gpt"),
        ("openai", "o3-mini-high"),
        ("openai", "gpt-5-mini-x"),
        ("openai", "claude-opus-4-5"),
        ("anthropic", "gpt-4o"),
        ("anthropic", "claude-opus-4-99"),
        ("openrouter", "openai/gpt-4o:free"),
        ("ollama", "mistral-large"),
        ("hosted_vllm", "openai/gpt-4o"),
        ("", "ollama/deepseek-chat"),
        ("together_ai", "deepseek-chat"),
        ("together_ai", "openai/gpt-oss-120b"),
        ("fireworks_ai", "accounts/fireworks/models/deepseek-v3"),
        ("bedrock", "us.gpt-4o"),
        ("bedrock", "xx.anthropic.claude-opus-5"),
        ("", ""),
        ("", "/"),
    ] {
        assert_eq!(price(provider, model), None, "{provider} {model}");
    }
    let (base, omni) = (price("openai", "gpt-4"), price("openai", "gpt-4o"));
    assert!(base.is_some() && omni.is_some() && base != omni);
}

#[test]
fn one_model_by_many_names() {
    let plain = price("openai", "gpt-4o");
    assert!(plain.is_some());
    for (provider, model) in [
        ("", "gpt-4o"),
        ("openai", "gpt-4o-2024-11-20"),
        ("openai", "openai/gpt-4o"),
        ("azure", "gpt-4o"),
        ("azure", "azure/global/gpt-4o-2024-08-06"),
        ("openrouter", "openai/gpt-4o"),
        ("litellm_proxy", "gpt-4o"),
        ("AZURE", "gpt-4o"),
        ("text-completion-openai", "gpt-4o"),
        ("some-gateway", "azure/gpt-4o"),
    ] {
        assert_eq!(price(provider, model), plain, "{provider} {model}");
    }
}

#[test]
fn own_prices_go_before() {
    let prices = prices(json!({
        "my-model": {"input": 1, "output": 2, "cache_read": 0.5, "image": 0.1, "request": 0.01,
            "above": {"tokens": 1000, "input": 3, "output": 4}},
        "gpt-4o": {"input": 7},
        "azure/gpt-4o": {"input": 8},
        "ollama/llama3:8b": {"input": 0.1},
        "gpt-4": null,
        "o1": false,
    }));
    let find = |provider, models: &[&str]| prices.price(Some(provider), models.iter().copied());
    let input = |provider, model| find(provider, &[model]).map(|price| price.rates.input);
    let own = find("whoever", &["my-model"]).unwrap();
    let above = Rates {
        input: 3.0,
        output: 4.0,
        ..Rates::default()
    };
    assert_eq!(own.above, Some((1000, above)));
    assert_eq!((own.image, own.request), (Some(0.1), Some(0.01)));
    assert_eq!(own.rates.cache_read, Some(0.5));
    assert_eq!(input("openai", "gpt-4o-2024-05-13"), Some(7.0));
    assert_eq!(input("openai", "openai/gpt-4o"), Some(7.0));
    assert_eq!(input("azure", "gpt-4o"), Some(8.0));
    assert_eq!(input("openai", "azure/gpt-4o-latest"), Some(8.0));
    assert_eq!(input("ollama", "llama3:8b"), Some(0.1));
    assert_eq!(input("openai", "gpt-4o-mini"), Some(0.15));
    // A price taken away stays away, whatever else the call's model is called.
    assert_eq!(find("openai", &["gpt-4-0613", "gpt-4o-mini"]), None);
    assert_eq!(input("openai", "o1-2024-12-17"), None);
    assert_eq!(input("openai", "o1-pro"), Some(150.0));
    // The deployment's name has a price of its own, though the model that answered is well known.
    assert_eq!(
        find("azure", &["gpt-5", "my-model"]).unwrap().rates.input,
        1.0
    );
}

#[test]
fn refusals_name_model_and_member() {
    for (own, expected) in [
        (json!({"m": {"inputs": 1}}), "`m`: unknown price \"inputs\""),
        (
            json!({"m": {"input": -1}}),
            "`m`: `input`: US dollars from 0 to 1000000 expected, found -1",
        ),
        (
            json!({"m": {"input": "1"}}),
            "`m`: `input`: a number of US dollars expected, found a string",
        ),
        (json!({"m": {"image": 1e7}}), "`m`: `image`: US dollars"),
        (
            json!({"m": {"above": {"input": 1}}}),
            "`m`: `above`: `tokens` is missing",
        ),
        (
            json!({"m": {"above": {"tokens": 0}}}),
            "`m`: `above`: `tokens`: a whole number",
        ),
        (
            json!({"m": {"above": {"tokens": 1, "request": 1}}}),
            "`m`: `above`: unknown price",
        ),
        (json!({"m": {"above": 5}}), "`m`: `above`: an object"),
        (json!({"m": {}}), "`m`: it has no prices"),
        (json!({"m": 5}), "`m`: an object of prices"),
        (json!({"m": true}), "`m`: an object of prices"),
        (json!({" ": null}), "` `: the name of a model"),
        (json!([1]), "an object of models"),
    ] {
        let all = json!({"tracking_uri": "http://mlflow:5000", "prices": own});
        let error = Settings::parse(&all.to_string()).unwrap_err();
        assert_eq!(error.key, "prices");
        assert!(
            error.reason.starts_with(expected),
            "{own}: {}",
            error.reason
        );
    }
    // JSON has no NaN, but Python writes it.
    let nan = r#"{"tracking_uri":"http://mlflow:5000","prices":{"m":{"input":NaN}}}"#;
    assert!(Settings::parse(nan).unwrap_err().reason.contains("`input`"));
}

proptest! {
    #[test]
    fn any_name_is_looked_up(provider in ".{0,12}", model in "[a-z0-9:@./v-]{0,24}|.{0,24}") {
        let _ = price(&provider, &model);
        let _ = prices(json!({"x": {"input": 1}})).price(Some(&provider), [model.as_str()].into_iter());
    }
}
