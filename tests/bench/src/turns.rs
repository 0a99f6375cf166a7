//! Measuring in turns: whatever else runs on the machine meets all alike, and can make a round slower, never
//! faster. So the best round of each counts.

use std::time::Duration;

use anyhow::Result;

/// Something to be measured: what a round took.
pub type Contender<'c> = Box<dyn FnMut() -> Result<Duration> + 'c>;

/// The best round of each, in seconds, after one that does not count. Which of them is first changes from round to round.
pub fn best<const N: usize>(rounds: usize, mut contenders: [Contender<'_>; N]) -> Result<[f64; N]> {
    let mut best = [f64::INFINITY; N];
    for round in 0..=rounds {
        for turn in 0..N {
            let which = (round + turn) % N;
            let taken = contenders[which]()?.as_secs_f64();
            if round > 0 {
                best[which] = best[which].min(taken);
            }
        }
    }
    Ok(best)
}

/// The value below which this share of all lies.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let index = (last as f64 * share).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}
