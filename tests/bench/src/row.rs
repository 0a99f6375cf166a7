//! A row of the table: one thing against another, measured in one run on the same work.

use serde::{Deserialize, Serialize};

/// What a row is about.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// This plugin against other ways to log the same calls, with a real MLflow behind
    Peers,
    /// The hooks in the sandbox against the same core natively
    Hooks,
    /// How costs grow with events, streams and instances
    Growth,
    /// What goes over the wire, and what compressing it takes
    Batches,
    /// A span's protobuf by hand against prost, both in the sandbox
    Encoding,
    /// From the file to the first event
    Start,
    /// What the gateway adds to a call
    Gateway,
    /// What the filter adds to stock Envoy
    Envoy,
}

/// One row.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What it is about.
    pub group: Group,
    /// What is measured, in words.
    pub what: String,
    /// The unit of both values.
    pub unit: &'static str,
    /// The one.
    pub one: Side,
    /// The other.
    pub other: Side,
    /// The one's value by the other's.
    pub ratio: f64,
    /// What is wanted, and whether it is so.
    pub goal: Option<Goal>,
}

/// One of the two that are compared.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// What it is.
    pub name: String,
    /// Its value.
    pub value: f64,
}

/// What is wanted of a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Goal {
    /// Of what.
    pub of: Measured,
    /// From which side the value is bounded.
    pub bound: Bound,
    /// The bound.
    pub value: f64,
    /// Whether it is so.
    pub met: bool,
}

/// What a goal bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measured {
    /// The ratio.
    Ratio,
    /// The one's value.
    One,
    /// The other's value.
    Other,
}

/// From which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// No more than that.
    AtMost,
    /// No less than that.
    AtLeast,
}

impl Row {
    /// A row without a goal.
    pub fn new(
        group: Group,
        what: impl Into<String>,
        unit: &'static str,
        one: (impl Into<String>, f64),
        other: (impl Into<String>, f64),
    ) -> Self {
        let [one, other] = [(one.0.into(), one.1), (other.0.into(), other.1)]
            .map(|(name, value): (String, f64)| Side { name, value });
        Self {
            group,
            what: what.into(),
            unit,
            ratio: one.value / other.value,
            one,
            other,
            goal: None,
        }
    }

    /// The same, with what is wanted.
    pub fn goal(mut self, of: Measured, bound: Bound, value: f64) -> Self {
        let measured = match of {
            Measured::Ratio => self.ratio,
            Measured::One => self.one.value,
            Measured::Other => self.other.value,
        };
        let met = match bound {
            Bound::AtMost => measured <= value,
            Bound::AtLeast => measured >= value,
        };
        self.goal = Some(Goal {
            of,
            bound,
            value,
            met,
        });
        self
    }

    /// The ratio is to be that at most.
    pub fn at_most(self, ratio: f64) -> Self {
        self.goal(Measured::Ratio, Bound::AtMost, ratio)
    }

    /// The ratio is to be that at least.
    pub fn at_least(self, ratio: f64) -> Self {
        self.goal(Measured::Ratio, Bound::AtLeast, ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_or_not_by_what_it_bounds() {
        let row = || Row::new(Group::Hooks, "", "µs", ("one", 3.0), ("other", 2.0));
        assert_eq!(row().ratio, 1.5);
        let met = |row: Row| row.goal.is_some_and(|goal| goal.met);
        assert!(met(row().at_most(1.5)));
        assert!(!met(row().at_least(1.6)));
        assert!(!met(row().goal(Measured::One, Bound::AtMost, 2.9)));
        assert!(met(row().goal(Measured::Other, Bound::AtLeast, 2.0)));
    }
}
