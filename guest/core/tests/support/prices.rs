//! What the tests of prices share.
#![allow(dead_code, reason = "each test binary uses a part")]

use logger_core::call::Usage;
use logger_core::prices::{Amount, Price, Prices};

/// A built-in price.
pub fn price(provider: &str, model: &str) -> Option<Price> {
    let provider = Some(provider).filter(|provider| !provider.is_empty());
    Prices::default().price(provider, [model].into_iter())
}

/// Asserts what a million calls cost for input and output, so that the figures stay readable.
#[track_caller]
pub fn million(provider: &str, model: &str, usage: Usage, input: f64, output: f64) {
    let price = price(provider, model).unwrap_or_else(|| panic!("{provider} {model}: no price"));
    let amount = Amount {
        usage,
        images: 0,
        requests: 1,
    };
    let (found_in, found_out) = price.of(&amount).unwrap();
    assert!(
        near(found_in * 1e6, input),
        "{model} input: {} for {input}",
        found_in * 1e6
    );
    assert!(
        near(found_out * 1e6, output),
        "{model} output: {} for {output}",
        found_out * 1e6
    );
}

pub fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-9)
}

pub fn tokens(input: i64, output: i64) -> Usage {
    Usage {
        input,
        output,
        total: input + output,
        ..Usage::default()
    }
}
