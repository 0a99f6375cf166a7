//! Calls that have begun and not ended, and the bytes they hold.

use std::collections::BTreeMap;

use super::WireCall;
use crate::event::EventError;

/// Open calls by number, which grows: the first is the oldest.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    open: BTreeMap<u64, WireCall>,
    bytes: usize,
}

impl Calls {
    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn insert(&mut self, number: u64, call: WireCall) {
        self.bytes += call.held();
        self.open.insert(number, call);
    }

    /// Changes a call.
    pub(super) fn update(
        &mut self,
        number: u64,
        change: impl FnOnce(&mut WireCall),
    ) -> Result<(), EventError> {
        let call = self.open.get_mut(&number).ok_or(EventError::CallEnded)?;
        self.bytes = self.bytes.saturating_sub(call.held());
        change(call);
        self.bytes += call.held();
        Ok(())
    }

    /// Closes a call.
    pub(super) fn take(&mut self, number: u64) -> Option<WireCall> {
        let call = self.open.remove(&number)?;
        self.bytes = self.bytes.saturating_sub(call.held());
        Some(call)
    }

    /// Closes the call that has been open for longest.
    pub(super) fn take_oldest(&mut self) -> Option<WireCall> {
        let number = *self.open.keys().next()?;
        self.take(number)
    }
}
