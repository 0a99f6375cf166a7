//! One model's price, and what a call comes to by it.

use crate::call::Usage;

const MILLION: f64 = 1e6;

/// US dollars per million tokens. A kind of token without a price of its own costs what `input` or
/// `output` does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Tokens of the prompt.
    pub input: f64,
    /// Tokens of the answer.
    pub output: f64,
    /// Input read from a cache.
    pub cache_read: Option<f64>,
    /// Input written to a cache.
    pub cache_write: Option<f64>,
    /// Output spent on reasoning.
    pub reasoning: Option<f64>,
    /// Input of audio.
    pub audio_input: Option<f64>,
    /// Output of audio.
    pub audio_output: Option<f64>,
    /// Input of images, in tokens.
    pub image_input: Option<f64>,
    /// Output of images, in tokens.
    pub image_output: Option<f64>,
}

/// What a model's calls cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Price {
    /// Per million tokens.
    pub rates: Rates,
    /// The rates of a call, the whole of it, whose input is above so many tokens.
    pub above: Option<(i64, Rates)>,
    /// Per image made.
    pub image: Option<f64>,
    /// Per request.
    pub request: Option<f64>,
}

/// What a call used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Amount {
    /// Tokens.
    pub usage: Usage,
    /// Images made.
    pub images: u32,
    /// Requests, as the provider counts them.
    pub requests: u32,
}

impl Price {
    /// What an amount costs for input and for output; none where nothing of it has a price.
    pub fn of(&self, amount: &Amount) -> Option<(f64, f64)> {
        let Amount {
            usage,
            images,
            requests,
        } = *amount;
        let rates = match self.above {
            Some((tokens, above)) if usage.input > tokens => above,
            _ => self.rates,
        };
        let units = |count: u32, price: Option<f64>| {
            price
                .filter(|_| count > 0)
                .map(|price| f64::from(count) * price)
        };
        let (request, image) = (units(requests, self.request), units(images, self.image));
        let (input, output) = (rates.input(&usage), rates.output(&usage));
        let by_token = usage.input > 0 || usage.output > 0;
        // Of a model that is paid by the piece, tokens alone do not tell the price.
        let by_piece = self.request.is_some() || self.image.is_some();
        let counted = request.is_some() || image.is_some();
        if !counted && (!by_token || (by_piece && input + output == 0.0)) {
            return None;
        }
        let input = input + request.unwrap_or(0.0);
        let output = output + image.unwrap_or(0.0);
        (input.is_finite() && output.is_finite()).then_some((input, output))
    }

    /// The price times a factor.
    pub(super) fn times(self, factor: f64) -> Self {
        Self {
            rates: self.rates.times(factor),
            above: self
                .above
                .map(|(tokens, rates)| (tokens, rates.times(factor))),
            image: self.image.map(|price| price * factor),
            request: self.request.map(|price| price * factor),
        }
    }
}

impl Rates {
    fn input(&self, usage: &Usage) -> f64 {
        let parts = [
            (usage.cache_read, self.cache_read),
            (usage.cache_creation, self.cache_write),
            (usage.input_audio, self.audio_input),
            (usage.input_image, self.image_input),
        ];
        dollars(usage.input, &parts, self.input)
    }

    fn output(&self, usage: &Usage) -> f64 {
        let parts = [
            (usage.reasoning, self.reasoning),
            (usage.output_audio, self.audio_output),
            (usage.output_image, self.image_output),
        ];
        dollars(usage.output, &parts, self.output)
    }

    fn times(self, factor: f64) -> Self {
        let times = |rate: Option<f64>| rate.map(|rate| rate * factor);
        Self {
            input: self.input * factor,
            output: self.output * factor,
            cache_read: times(self.cache_read),
            cache_write: times(self.cache_write),
            reasoning: times(self.reasoning),
            audio_input: times(self.audio_input),
            audio_output: times(self.audio_output),
            image_input: times(self.image_input),
            image_output: times(self.image_output),
        }
    }
}

/// The price of `all` tokens, parts of which have rates of their own. A token is paid once: where the
/// parts overlap, such as cached audio, the first that claims it has it.
fn dollars(all: i64, parts: &[(Option<i64>, Option<f64>)], plain: f64) -> f64 {
    let mut rest = all.max(0);
    let mut millionths = 0.0;
    for (count, rate) in parts {
        let count = count.unwrap_or(0).max(0).min(rest);
        rest -= count;
        millionths += count as f64 * rate.unwrap_or(plain);
    }
    (millionths + rest as f64 * plain) / MILLION
}
