//! Which calls are logged when not all can be: as many as there is room for, evenly spread.

/// Below this share of the room, every call is admitted.
const FREE: f64 = 0.5;

/// Decides call by call. A skipped call costs nothing: none of it is copied.
#[derive(Debug)]
pub struct Gate {
    /// Admissions that are due; from 1 on, the next call is admitted.
    credit: f64,
}

impl Default for Gate {
    fn default() -> Self {
        Self { credit: 1.0 }
    }
}

impl Gate {
    /// Whether the next call is admitted, this share of the room being in use. The share that is admitted
    /// falls from all to none as the room fills up, so that it settles where as much goes as comes.
    pub fn admit(&mut self, fill: f64) -> bool {
        let share = ((1.0 - fill) / (1.0 - FREE)).clamp(0.0, 1.0);
        self.credit = (self.credit + share).min(2.0);
        let admitted = self.credit >= 1.0 && share > 0.0;
        if admitted {
            self.credit -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(percent: u32) -> Vec<bool> {
        let mut gate = Gate::default();
        let fill = f64::from(percent) / 100.0;
        (0..100).map(|_| gate.admit(fill)).collect()
    }

    #[test]
    fn all_pass_where_there_is_room_and_none_where_there_is_none() {
        assert!(admitted(0).iter().all(|admitted| *admitted));
        assert!(admitted(50).iter().all(|admitted| *admitted));
        assert!(admitted(100).iter().all(|admitted| !*admitted));
        assert!(admitted(200).iter().all(|admitted| !*admitted));
    }

    #[test]
    fn what_is_skipped_is_spread() {
        for (fill, share) in [(75, 50), (90, 20), (55, 90)] {
            let admitted = admitted(fill);
            let count = admitted.iter().filter(|admitted| **admitted).count();
            assert!(count.abs_diff(share) <= 2, "{count} at {fill}");
            let longest = admitted.split(|admitted| *admitted).map(<[_]>::len).max();
            assert!(longest.unwrap() <= 100 / share + 1, "{longest:?} at {fill}");
        }
    }
}
