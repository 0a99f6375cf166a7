//! What holds of any price: the parts add up, more never costs less, nothing is paid twice.

#[path = "support/prices.rs"]
mod support;

use logger_core::call::Usage;
use logger_core::prices::{Amount, Price, Rates};
use proptest::prelude::*;
use support::{near, tokens};

fn any_rate() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), 0.0..1000.0_f64]
}

fn any_rates() -> impl Strategy<Value = Rates> {
    let some = || prop::option::of(any_rate());
    (
        any_rate(),
        any_rate(),
        [some(), some(), some(), some()],
        [some(), some(), some()],
    )
        .prop_map(
            |(
                input,
                output,
                [read, write, audio_in, image_in],
                [reasoning, audio_out, image_out],
            )| Rates {
                input,
                output,
                cache_read: read,
                cache_write: write,
                reasoning,
                audio_input: audio_in,
                audio_output: audio_out,
                image_input: image_in,
                image_output: image_out,
            },
        )
}

/// Rates that are `factor` times as high and more.
fn raised(rates: Rates, factor: f64) -> Rates {
    let raise = |rate: Option<f64>| rate.map(|rate| rate * factor);
    Rates {
        input: rates.input * factor,
        output: rates.output * factor,
        cache_read: raise(rates.cache_read),
        cache_write: raise(rates.cache_write),
        reasoning: raise(rates.reasoning),
        audio_input: raise(rates.audio_input),
        audio_output: raise(rates.audio_output),
        image_input: raise(rates.image_input),
        image_output: raise(rates.image_output),
    }
}

fn any_price() -> impl Strategy<Value = Price> {
    let above = prop::option::of((1..1_000_000_i64, 1.0..3.0_f64));
    let piece = || prop::option::of(any_rate());
    (any_rates(), above, piece(), piece()).prop_map(|(rates, above, image, request)| Price {
        rates,
        above: above.map(|(tokens, factor)| (tokens, raised(rates, factor))),
        image,
        request,
    })
}

/// Counts of tokens that don't overlap: plain, read, written, audio, images; plain, reasoning, audio, images.
type Counts = [i64; 9];

fn any_counts() -> impl Strategy<Value = Counts> {
    prop::array::uniform9(prop_oneof![Just(0_i64), 0..1_000_000_i64])
}

fn usage(
    [
        plain,
        read,
        written,
        audio_in,
        image_in,
        said,
        reasoning,
        audio_out,
        image_out,
    ]: Counts,
) -> Usage {
    let input = plain + read + written + audio_in + image_in;
    let output = said + reasoning + audio_out + image_out;
    Usage {
        cache_read: Some(read),
        cache_creation: Some(written),
        reasoning: Some(reasoning),
        input_audio: Some(audio_in),
        output_audio: Some(audio_out),
        input_image: Some(image_in),
        output_image: Some(image_out),
        ..tokens(input, output)
    }
}

fn cost(price: &Price, counts: Counts, images: u32, requests: u32) -> Option<(f64, f64)> {
    price.of(&Amount {
        usage: usage(counts),
        images,
        requests,
    })
}

proptest! {
    #[test]
    fn a_cost_is_the_sum_of_its_parts(price in any_price(), counts in any_counts(), images in 0..9_u32, requests in 0..9_u32) {
        let price = Price { above: None, ..price };
        let mut sums = (0.0, 0.0);
        for part in 0..counts.len() {
            let mut alone = Counts::default();
            alone[part] = counts[part];
            let (input, output) = cost(&price, alone, 0, 0).unwrap_or_default();
            sums = (sums.0 + input, sums.1 + output);
        }
        sums.0 += f64::from(requests) * price.request.unwrap_or(0.0);
        sums.1 += f64::from(images) * price.image.unwrap_or(0.0);
        let (input, output) = cost(&price, counts, images, requests).unwrap_or_default();
        prop_assert!(near(input, sums.0) && near(output, sums.1), "{input} {output} {sums:?}");
    }

    #[test]
    fn more_never_costs_less(price in any_price(), counts in any_counts(), part in 0..9_usize, more in 0..1_000_000_i64) {
        let mut greater = counts;
        greater[part] += more;
        let (less, more) = (cost(&price, counts, 1, 1), cost(&price, greater, 1, 1));
        let (less, more) = (less.unwrap_or_default(), more.unwrap_or_default());
        let slack = 1e-9 * (1.0 + more.0 + more.1);
        prop_assert!(more.0 + slack >= less.0 && more.1 + slack >= less.1, "{less:?} {more:?}");
        let more = cost(&price, counts, 2, 2).unwrap_or_default();
        prop_assert!(more.0 >= less.0 && more.1 >= less.1);
    }

    #[test]
    fn equal_rates_make_kinds_equal(input in any_rate(), output in any_rate(), counts in any_counts()) {
        let rates = Rates {
            cache_read: Some(input),
            reasoning: Some(output),
            audio_input: Some(input),
            image_output: Some(output),
            input,
            output,
            ..Rates::default()
        };
        let price = Price { rates, ..Price::default() };
        let whole = usage(counts);
        let plain = price.of(&Amount { usage: tokens(whole.input, whole.output), ..Amount::default() });
        match (cost(&price, counts, 0, 0), plain) {
            (Some(split), Some(plain)) => prop_assert!(near(split.0, plain.0) && near(split.1, plain.1)),
            (split, plain) => prop_assert_eq!(split, plain),
        }
    }

    #[test]
    fn whatever_is_counted_the_cost_is_sound(
        price in any_price(),
        [input, output, read, written, reasoning, audio, image] in any::<[i64; 7]>(),
        images in any::<u32>(),
        requests in any::<u32>(),
    ) {
        let usage = Usage {
            input,
            output,
            cache_read: Some(read),
            cache_creation: Some(written),
            reasoning: Some(reasoning),
            input_audio: Some(audio),
            output_image: Some(image),
            ..Usage::default()
        };
        if let Some((input, output)) = price.of(&Amount { usage, images, requests }) {
            prop_assert!(input >= 0.0 && output >= 0.0 && (input + output).is_finite());
        }
    }
}
