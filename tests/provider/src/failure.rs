//! Models that fail, by their names: the same in every API, each with its own error body.

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// `fail-401`: the key is wrong.
    Unauthorized,
    /// `fail-429`: too many requests, with `retry-after`.
    RateLimited,
    /// `fail-500`: the provider's own fault.
    Broken,
    /// `fail-overloaded`: overloaded, with each provider's own status for it.
    Overloaded,
    /// `fail-midway`: a stream that breaks off after its first parts.
    Midway,
}

impl Failure {
    /// That of a model, if it is one that fails.
    pub fn of(model: &str) -> Option<Self> {
        match model {
            "fail-401" => Some(Self::Unauthorized),
            "fail-429" => Some(Self::RateLimited),
            "fail-500" => Some(Self::Broken),
            "fail-overloaded" => Some(Self::Overloaded),
            "fail-midway" => Some(Self::Midway),
            _ => None,
        }
    }
}
