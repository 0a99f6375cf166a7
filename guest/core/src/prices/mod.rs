//! What a call cost, where nobody said: from the tokens it used and what its model's tokens cost.
//!
//! MLflow computes a cost of its own for a span that brings none, from fewer kinds of tokens than a
//! provider bills. So the logger sends what it knows, in this order: what the payload says the call
//! cost; the same, divided into input and output as the price divides it; the price. A total whose
//! division nobody knows is sent alone. Prices come from the setting `prices`, and else from `table.txt`.

mod names;
mod price;
mod providers;
mod table;

use crate::call::{Call, Cost, Operation, Outcome, Usage};
use crate::json::{Kind, Raw};
pub use price::{Amount, Price, Rates};

/// The prices in force: the settings' over the built-in ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prices {
    /// Sorted by model.
    own: Vec<(String, Option<Price>)>,
}

impl Prices {
    /// Sets a model's price; with none, the model has no price. The name may have its provider before
    /// it: `azure/gpt-4o`.
    pub fn set(&mut self, model: String, price: Option<Price>) {
        match self.find(&model) {
            Ok(at) => {
                self.own.remove(at);
                self.own.insert(at, (model, price));
            }
            Err(at) => self.own.insert(at, (model, price)),
        }
    }

    /// The price of the first of these models that has one. The settings' prices go before the built-in
    /// ones, and a longer name before a shorter one.
    pub fn price<'m>(
        &self,
        provider: Option<&str>,
        models: impl Iterator<Item = &'m str> + Clone,
    ) -> Option<Price> {
        let own = models.clone().find_map(|model| self.own(provider, model));
        own.unwrap_or_else(|| {
            models
                .into_iter()
                .find_map(|model| built_in(provider, model))
        })
    }

    /// What a call cost: as its payload says, completed.
    pub fn cost(&self, call: &Call<'_>) -> Option<Cost> {
        let said = call.cost.filter(is_sound);
        match said {
            Some(Cost {
                input: Some(_),
                output: Some(_),
                ..
            }) => said,
            Some(cost) => Some(divide(cost.total, call.usage, self.estimate(call))),
            None => self
                .estimate(call)
                .map(|(input, output)| Cost::parts(input, output)),
        }
    }

    /// What the call's model asks for input and output.
    fn estimate(&self, call: &Call<'_>) -> Option<(f64, f64)> {
        let models = [&call.response_model, &call.request_model];
        let models = models.into_iter().flatten().map(|model| model.as_ref());
        let price = self.price(call.provider.as_deref(), models)?;
        price.of(&amount(call))
    }

    fn own(&self, provider: Option<&str>, model: &str) -> Option<Option<Price>> {
        if self.own.is_empty() {
            return None;
        }
        let get = |name: &str| self.find(name).ok().and_then(|at| self.own.get(at));
        let find = |name: &str| {
            let full = provider.and_then(|provider| get(&format!("{provider}/{name}")));
            full.or_else(|| get(name)).map(|(_, price)| *price)
        };
        names::candidates(provider, model)
            .flat_map(|candidate| names::without_versions(candidate.name))
            .find_map(find)
    }

    fn find(&self, model: &str) -> Result<usize, usize> {
        self.own
            .binary_search_by(|(name, _)| name.as_str().cmp(model))
    }
}

fn built_in(provider: Option<&str>, model: &str) -> Option<Price> {
    names::candidates(provider, model).find_map(|candidate| {
        names::without_versions(candidate.name)
            .find_map(|name| table::price(names::Candidate { name, ..candidate }))
    })
}

/// MLflow refuses the whole batch where a cost is not a number.
fn is_sound(cost: &Cost) -> bool {
    let sound = |cost: f64| cost.is_finite() && cost >= 0.0;
    sound(cost.total) && cost.input.is_none_or(sound) && cost.output.is_none_or(sound)
}

/// A total, divided as an estimate is, or wholly where only input or only output was used.
fn divide(total: f64, usage: Option<Usage>, estimate: Option<(f64, f64)>) -> Cost {
    let usage = usage.unwrap_or_default();
    let share = match estimate {
        Some((input, output)) if input + output > 0.0 => Some(input / (input + output)),
        _ if total == 0.0 => Some(0.0),
        _ if usage.input > 0 && usage.output <= 0 => Some(1.0),
        _ if usage.output > 0 && usage.input <= 0 => Some(0.0),
        _ => None,
    };
    let Some(share) = share else {
        return Cost::of_total(total);
    };
    let input = (total * share).min(total);
    Cost {
        total,
        ..Cost::parts(input, total - input)
    }
}

/// What is billed of a call. One that failed is billed for the tokens it used, if any.
fn amount(call: &Call<'_>) -> Amount {
    let usage = call.usage.unwrap_or_default();
    if call.outcome != Outcome::Success {
        return Amount {
            usage,
            ..Amount::default()
        };
    }
    let images = match call.operation {
        Operation::Other => call.outputs.map_or(0, images),
        _ => 0,
    };
    Amount {
        usage,
        images,
        requests: call.outputs.and_then(search_units).unwrap_or(1),
    }
}

/// The images in a response of OpenAI's image API, which litellm follows.
fn images(response: Raw<'_>) -> u32 {
    let data = response
        .get("data")
        .filter(|data| data.kind() == Kind::Array);
    let made = |item: &Raw<'_>| {
        let either = item.fields(["url", "b64_json"]);
        either.into_iter().flatten().any(Raw::is_truthy)
    };
    let count = data.into_iter().flat_map(Raw::items).filter(made).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A reranking of many documents counts as several searches: Cohere says how many.
fn search_units(response: Raw<'_>) -> Option<u32> {
    let billed = response.get("meta")?.get("billed_units")?;
    let units = billed.get("search_units")?.as_i64()?;
    u32::try_from(units).ok().filter(|units| *units > 0)
}
