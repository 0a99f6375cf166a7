//! What a server has made of batches so far: the measure for those that fail.
//!
//! That a batch fails says little where half of them do, and much where all others pass. So a batch is held against what
//! became of others between one of its attempts and the next.

use super::batch::Batch;

/// One attempt tells no more than this, however many others passed meanwhile: they may all have passed before or after some
/// trouble of the server's.
const LEAST_CHANCE: f64 = 0.1;

/// How many batches a server has judged, and how many not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Judged {
    /// Taken, or refused for what is in them.
    passed: u64,
    /// Those among them, and among the failed, that were sent for the first time: others are not what is usual.
    first_passed: u64,
    first_failed: u64,
    /// How many have failed since one passed, and passed since one failed.
    pub failed_in_a_row: u32,
    passed_in_a_row: u32,
    /// It has lately taken some while it failed over others.
    is_mixed: bool,
}

/// After so many in a row nothing passes any more, whatever passed before.
const NONE_PASSES: u32 = 64;
/// After so many in a row all pass, whatever failed before.
const ALL_PASS: u32 = 16;

impl Judged {
    pub fn passed(&mut self, batch: &Batch) {
        self.passed += 1;
        self.first_passed += u64::from(batch.attempts == 0);
        self.is_mixed |= self.failed_in_a_row > 0;
        self.failed_in_a_row = 0;
        self.passed_in_a_row += 1;
        self.is_mixed &= self.passed_in_a_row < ALL_PASS;
    }

    /// A batch has failed, before that is noted in it.
    pub fn failed(&mut self, batch: &Batch) {
        self.first_failed += u64::from(batch.attempts == 0);
    }

    /// The same, and the reason may be in it.
    pub fn suspected(&mut self, batch: &Batch) {
        self.failed(batch);
        // That a suspect fails again tells nothing new of the server.
        let known = batch.suspect && batch.attempts > 0;
        self.failed_in_a_row += u32::from(!known);
        self.passed_in_a_row = 0;
        self.is_mixed &= self.failed_in_a_row <= NONE_PASSES;
    }

    /// Whether others pass than a batch that failed, when some have passed since it first did.
    pub fn others_pass(&self, since: bool) -> bool {
        (since || self.is_mixed) && self.failed_in_a_row <= NONE_PASSES
    }

    /// Whether the last one passed.
    pub fn all_pass(&self) -> bool {
        self.passed_in_a_row > 0
    }

    /// Whether any passed since then.
    pub fn passed_since(&self, before: Self) -> bool {
        self.passed > before.passed
    }

    /// How likely it was to fail since then; one, where nothing passed.
    pub fn chance_since(&self, before: Self) -> f64 {
        let passed = self.first_passed - before.first_passed;
        let failed = self.first_failed - before.first_failed;
        let chance = (failed + 1) as f64 / (passed + failed + 1) as f64;
        chance.max(LEAST_CHANCE)
    }
}
