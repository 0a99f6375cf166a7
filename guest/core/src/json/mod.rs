//! JSON as it comes, looked at without being copied.
//!
//! A payload is validated once, iteratively, and then walked as text: no tree is built, nesting costs
//! no stack, and what is passed on is copied in long runs. Of a [`Document`] the way from one member to the next is noted
//! meanwhile. `serde_json` serves as the oracle in
//! `tests/json_oracle.rs`; it is not used itself because it refuses what has to be logged all the
//! same: lone surrogates, Python's NaN and Infinity, nesting beyond 128.

mod clean;
mod marks;
mod names;
mod node;
mod place;
mod raw;
mod scan;
mod strings;

pub use clean::{Cleaned, Filter, KeepAll, write_clean};
pub use marks::Document;
pub(crate) use node::Node;
pub use place::{Place, Step};
pub use raw::{Kind, Raw};
pub use scan::ParseError;
pub use strings::{quoted, unescape, write_str};
