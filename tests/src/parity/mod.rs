//! The recorded cases of litellm's own `MlflowLogger`, and what MLflow then held.

mod cases;

pub use cases::{Case, cases};
