//! The acts, and where each is performed.

/// Introduces an act in a payload.
const CUE: &[u8] = b"misbehave:";

/// A hook that acts can be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Any that logs.
    Log,
    /// `flush`.
    Flush,
    /// `next-wake`.
    Wake,
    /// `configure`.
    Configure,
    /// The end of a `call`.
    Drop,
}

/// What does harm wherever it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Traps.
    Trap,
    /// Computes for ever.
    Loop,
    /// Takes memory until there is no more.
    Hog,
    /// Calls itself until the stack is used up.
    Recurse,
}

/// What an event can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// `trap@flush`, `loop@log`, `hog@wake` and so on.
    Harm(Harm, Place),
    /// Its event is held for ever.
    ReportNever,
    /// Its event is reported in every way at once.
    ReportTwice,
    /// Keys that nobody gave are reported, a great many.
    ReportStrangers,
    /// `flush` answers an error, once.
    FlushError,
    /// `fetch=URL`: asks for a page of whichever server, and reports its event as refused, the reason
    /// being what came of that.
    Fetch(String),
}

impl Act {
    /// Does harm if this is the place for it.
    pub fn perform(&self, here: Place) {
        if let Self::Harm(harm, place) = self
            && *place == here
        {
            harm.done();
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "report-never" => Self::ReportNever,
            "report-twice" => Self::ReportTwice,
            "report-strangers" => Self::ReportStrangers,
            "flush-error" => Self::FlushError,
            _ => match text.split_once('=') {
                Some(("fetch", url)) => Self::Fetch(url.to_owned()),
                _ => {
                    let (harm, place) = text.split_once('@')?;
                    Self::Harm(Harm::parse(harm)?, Place::parse(place)?)
                }
            },
        })
    }
}

impl Harm {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "trap" => Self::Trap,
            "loop" => Self::Loop,
            "hog" => Self::Hog,
            "recurse" => Self::Recurse,
            _ => return None,
        })
    }

    fn done(self) {
        match self {
            Self::Trap => std::process::abort(),
            Self::Loop => loop {
                std::hint::black_box(());
            },
            Self::Hog => hog(),
            Self::Recurse => {
                std::hint::black_box(recurse(1));
            }
        }
    }
}

impl Place {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "log" => Self::Log,
            "flush" => Self::Flush,
            "wake" => Self::Wake,
            "configure" => Self::Configure,
            "drop" => Self::Drop,
            _ => return None,
        })
    }
}

/// The act that a payload asks for: what follows the cue, up to a quote or a space.
pub fn act_of(payload: &[u8]) -> Option<Act> {
    let at = payload
        .windows(CUE.len())
        .position(|window| window == CUE)?;
    let rest = payload.get(at + CUE.len()..)?;
    let end = rest.iter().position(|byte| b"\"\\ \n".contains(byte));
    let text = rest.get(..end.unwrap_or(rest.len()))?;
    Act::parse(std::str::from_utf8(text).ok()?)
}

fn hog() {
    let mut held = Vec::new();
    loop {
        held.push(vec![1_u8; 1 << 20]);
        std::hint::black_box(&held);
    }
}

#[expect(unconditional_recursion, reason = "that is the harm")]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    recurse(depth + 1) + frame[0]
}
