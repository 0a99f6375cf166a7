//! The bytes that records may take, all together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A bound that everybody who keeps bytes of calls shares.
#[derive(Debug)]
pub(super) struct Budget {
    most: AtomicUsize,
    held: AtomicUsize,
}

/// A part of the budget; given back when dropped.
#[derive(Debug)]
pub(super) struct Weight {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// A budget of that many bytes.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most: AtomicUsize::new(most),
            held: AtomicUsize::new(0),
        })
    }

    /// Changes the bound; what is held stays held.
    pub fn set(&self, most: usize) {
        self.most.store(most, Relaxed);
    }

    /// The bound.
    pub fn most(&self) -> usize {
        self.most.load(Relaxed)
    }

    /// The bytes that are held.
    pub fn held(&self) -> usize {
        self.held.load(Relaxed)
    }
}

impl Weight {
    /// Nothing yet.
    pub fn none(budget: &Arc<Budget>) -> Self {
        Self {
            budget: budget.clone(),
            bytes: 0,
        }
    }

    /// Takes more, if there is more.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let most = self.budget.most();
        let more = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= most);
        let taken = self
            .budget
            .held
            .fetch_update(Relaxed, Relaxed, more)
            .is_ok();
        if taken {
            self.bytes += bytes;
        }
        taken
    }

    /// Takes more, past the bound where that must be.
    pub fn force(&mut self, bytes: usize) {
        self.budget.held.fetch_add(bytes, Relaxed);
        self.bytes += bytes;
    }

    /// Gives all of it back, and answers how much it was.
    pub fn release(&mut self) -> usize {
        let bytes = std::mem::take(&mut self.bytes);
        self.budget.held.fetch_sub(bytes, Relaxed);
        bytes
    }

    /// What it is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_given_back() {
        let budget = Budget::new(10);
        let mut one = Weight::none(&budget);
        let mut other = Weight::none(&budget);
        assert!(one.grow(6) && one.grow(2));
        assert!(!other.grow(3) && other.grow(2));
        assert_eq!(budget.held(), 10);
        drop(one);
        assert!(other.grow(8));
        drop(other);
        assert_eq!(budget.held(), 0);
    }
}
