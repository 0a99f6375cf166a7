//! How the traces that the logger leaves in MLflow compare with those of litellm's own `MlflowLogger`.
//!
//! Cases of the original were recorded: what it was called with, and what MLflow then held. [`measure`]
//! replays the same calls into a real MLflow and compares field by field. A field is the same, or it
//! is better for one of the [`reasons`]; each reason says in which situation it holds and what has to
//! be there instead. [`table`] writes the outcome down for users.

mod cases;
mod compare;
mod fields;
mod ordered;
pub mod reasons;
mod run;
pub mod table;

pub use cases::{Case, cases};
pub use compare::{Compared, Difference, Verdict, unused_reasons};
pub use run::measure;
