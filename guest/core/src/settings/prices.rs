//! Prices of the user's own: what a contract says, or what a model of one's own costs.

use super::{Setting, read};
use crate::json::{Kind, Raw};
use crate::prices::{Price, Rates};

/// No price is anywhere near it; what is above was meant for another unit.
const HIGHEST: f64 = 1e6;

pub(super) const TABLE: &[Setting] = &[Setting::new(
    "prices",
    "What models cost, in US dollars, over the built-in prices: an object of model names, with or without \
     the provider before them, such as `{\"my-model\": {\"input\": 0.5, \"output\": 1.5, \"cache_read\": \
     0.05, \"above\": {\"tokens\": 200000, \"input\": 1, \"output\": 3}}, \"azure/gpt-4o\": {\"input\": 2, \
     \"output\": 8}, \"gpt-4\": null}`. Per million tokens: `input`, `output`, and what differs from these: \
     `cache_read`, `cache_write`, `reasoning`, `audio_input`, `audio_output`, `image_input`, \
     `image_output`. Besides: `image` for each image made, `request` for each request, and `above`, the \
     prices per token of the whole of a call with more than so many input `tokens`. A price holds for the \
     model's dated versions too. `null` or `false` takes a model's price away (MLflow may then compute one \
     of its own); prices of 0 say that it costs nothing. A cost that comes with the call goes before.",
    |settings, value| {
        for (model, value) in read::members(value, "an object of models and their prices")? {
            let named = |reason: &str| format!("`{}`: {reason}", model.escape_default());
            if model.trim().is_empty() {
                return Err(named("the name of a model expected"));
            }
            let price = price(value).map_err(|reason| named(&reason))?;
            settings.prices.set(model, price);
        }
        Ok(())
    },
)];

fn price(value: Raw<'_>) -> Result<Option<Price>, String> {
    if value.is_null() || value.as_bool() == Some(false) {
        return Ok(None);
    }
    let members = read::members(value, "an object of prices, or null for no price")?;
    if members.is_empty() {
        return Err("it has no prices; `input` and `output` are the usual ones".to_owned());
    }
    let mut price = Price::default();
    for (member, value) in members {
        let named = |reason| format!("`{member}`: {reason}");
        match member.as_str() {
            "image" => price.image = Some(dollars(value).map_err(named)?),
            "request" => price.request = Some(dollars(value).map_err(named)?),
            "above" => price.above = Some(above(value).map_err(named)?),
            rate => set_rate(&mut price.rates, rate, value, "image, request, above")?,
        }
    }
    Ok(Some(price))
}

/// The prices of calls with much input.
fn above(value: Raw<'_>) -> Result<(i64, Rates), String> {
    let mut tokens = None;
    let mut rates = Rates::default();
    for (member, value) in read::members(value, "an object with `tokens` and prices")? {
        if member == "tokens" {
            let count = read::count(value, 1).map_err(|reason| format!("`tokens`: {reason}"))?;
            tokens = Some(i64::try_from(count).unwrap_or(i64::MAX));
        } else {
            set_rate(&mut rates, &member, value, "tokens")?;
        }
    }
    let tokens = tokens.ok_or("`tokens` is missing: above how many input tokens it holds")?;
    Ok((tokens, rates))
}

/// Sets a price per million tokens. `others` are the names that are none but may stand there too.
fn set_rate(rates: &mut Rates, name: &str, value: Raw<'_>, others: &str) -> Result<(), String> {
    let read = || dollars(value).map_err(|reason| format!("`{name}`: {reason}"));
    match name {
        "input" => rates.input = read()?,
        "output" => rates.output = read()?,
        "cache_read" => rates.cache_read = Some(read()?),
        "cache_write" => rates.cache_write = Some(read()?),
        "reasoning" => rates.reasoning = Some(read()?),
        "audio_input" => rates.audio_input = Some(read()?),
        "audio_output" => rates.audio_output = Some(read()?),
        "image_input" => rates.image_input = Some(read()?),
        "image_output" => rates.image_output = Some(read()?),
        other => {
            return Err(format!(
                "unknown price \"{}\"; the prices are input, output, cache_read, cache_write, reasoning, \
                 audio_input, audio_output, image_input, image_output, {others}",
                other.escape_default()
            ));
        }
    }
    Ok(())
}

fn dollars(value: Raw<'_>) -> Result<f64, String> {
    let dollars = value
        .as_f64()
        .filter(|dollars| (0.0..=HIGHEST).contains(dollars));
    dollars.ok_or_else(|| match value.kind() {
        Kind::String => {
            "a number of US dollars expected, found a string: leave the quotes out".to_owned()
        }
        _ => read::expected("US dollars from 0 to 1000000", value),
    })
}
