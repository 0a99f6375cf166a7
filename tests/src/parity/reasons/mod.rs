//! Why a field may hold something else than the original left there.
//!
//! Each reason names a defect of the original, as its source (`litellm/integrations/mlflow.py`, litellm
//! 1.81.16) and the recordings show it, and says in which situation it explains a field. Where it can,
//! it says what has to be held instead: a value that is merely different stays unexplained.

mod accounting;
mod content;
mod lost;
mod transport;

use super::compare::Difference;

/// Why a field is better, or not yet as good.
pub struct Reason {
    /// Its name: an anchor in the document.
    pub id: &'static str,
    /// Why in short; it comes after "better, because".
    pub because: &'static str,
    /// What the original does, what MLflow then holds, and what is held here.
    pub detail: &'static str,
    /// Whether it explains a field.
    pub explains: fn(&Difference<'_>) -> bool,
}

impl std::fmt::Debug for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

/// Why fields are better. The first one that explains a field counts.
const BETTER: [&[Reason]; 4] = [
    lost::REASONS,
    content::REASONS,
    accounting::REASONS,
    transport::REASONS,
];

/// Where fields are not as good as they were, though they could be.
pub const NOT_YET: &[Reason] = &[];

/// All reasons, in the order of the document.
pub fn all() -> impl Iterator<Item = &'static Reason> {
    BETTER.into_iter().flatten().chain(NOT_YET)
}

impl Reason {
    /// Whether the field is not as good as it was.
    pub fn is_not_yet(&self) -> bool {
        NOT_YET.iter().any(|reason| reason.id == self.id)
    }
}
