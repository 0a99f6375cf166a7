//! What happens, in generated order.

use std::time::Duration;

use logger_core::FlushMode;
use proptest::prelude::*;
use proptest::sample::Index;

/// One run.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// How many requests the host has under way at a time.
    pub concurrency: usize,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub enum Step {
    /// A call of this kind with a text of this many bytes.
    Log(Kind, usize),
    /// A chunk of one of a few streams, or its end.
    Stream { stream: u8, ends: bool },
    /// Feedback on a call that was logged.
    Feedback(Index),
    /// Sends what the mode has due.
    Flush(FlushMode),
    /// One of the requests under way is answered, or comes to grief.
    Answer(Index, Option<Fault>),
    /// Time passes.
    Advance(Duration),
    /// The clock is set back.
    SetBack(Duration),
    /// One of a few sets of settings.
    Configure(Index),
}

/// What the server thinks of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Good,
    /// It refuses every batch that holds it.
    Poison,
    /// It refuses every request that is so large.
    Oversized,
}

/// What a request meets instead of the server's own answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Another answer, and nothing is stored.
    Status(u16, Option<u64>),
    /// It refuses the batch if there is more than one span in it.
    TooMany(u16),
    /// No connection.
    Connect,
    /// No answer in time, or half of one; the server may have done its part all the same.
    Lost { timeout: bool, served: bool },
}

pub fn schedule() -> impl Strategy<Value = Schedule> {
    (1..4_usize, prop::collection::vec(step(), 1..60))
        .prop_map(|(concurrency, steps)| Schedule { concurrency, steps })
}

fn step() -> impl Strategy<Value = Step> {
    let mode = prop_oneof![3 => Just(FlushMode::Due), 2 => Just(FlushMode::All)];
    let short = (0..3000_u64).prop_map(Duration::from_millis);
    let long = (0..400_u64).prop_map(Duration::from_secs);
    prop_oneof![
        8 => (kind(), 0..3000_usize).prop_map(|(kind, size)| Step::Log(kind, size)),
        2 => (0..3_u8, prop::bool::weighted(0.3)).prop_map(|(stream, ends)| Step::Stream { stream, ends }),
        1 => any::<Index>().prop_map(Step::Feedback),
        6 => mode.prop_map(Step::Flush),
        10 => (any::<Index>(), prop::option::of(fault())).prop_map(|(which, fault)| Step::Answer(which, fault)),
        4 => short.clone().prop_map(Step::Advance),
        2 => long.clone().prop_map(Step::Advance),
        1 => prop_oneof![short, long].prop_map(Step::SetBack),
        1 => any::<Index>().prop_map(Step::Configure),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![10 => Just(Kind::Good), 2 => Just(Kind::Poison), 1 => Just(Kind::Oversized)]
}

fn fault() -> impl Strategy<Value = Fault> {
    let seconds = prop::option::of(prop_oneof![Just(0_u64), 1..40_u64, Just(100_000)]);
    let status = vec![
        429_u16, 429, 500, 502, 503, 503, 504, 408, 401, 403, 404, 501, 302,
    ];
    prop_oneof![
        5 => (prop::sample::select(status), seconds).prop_map(|(status, after)| Fault::Status(status, after)),
        2 => prop::sample::select(vec![400_u16, 413, 422]).prop_map(Fault::TooMany),
        2 => Just(Fault::Connect),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(timeout, served)| Fault::Lost { timeout, served }),
    ]
}
