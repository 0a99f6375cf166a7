//! How calls into a plugin fail.

use std::time::Duration;

use crate::bindings::llm_gateway::hooks::types::Error;

/// A call into a plugin failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoggerError {
    /// The plugin did not take what it was given. It stays usable.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The plugin trapped. The instance is lost with all it held.
    #[error("the plugin trapped in `{hook}`: {reason}")]
    Trap {
        /// The hook that was called.
        hook: &'static str,
        /// The trap.
        reason: String,
    },
    /// The plugin was stopped because a call used too much CPU time. The instance is lost with all
    /// it held.
    #[error("the plugin was stopped in `{hook}`: the call used more than {} ms of CPU time", .limit.as_millis())]
    CpuExceeded {
        /// The hook that was called.
        hook: &'static str,
        /// What a call may use.
        limit: Duration,
    },
    /// An earlier call trapped, or its future was dropped before it had ended. A fresh instance
    /// has to be made.
    #[error("this instance is no longer usable since a call into it did not come back")]
    Unusable,
}

impl LoggerError {
    /// Whether the instance is lost.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

/// Why a plugin did not take what it was given: the WIT variant `error`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A key of the settings is unknown or its value does not fit.
    #[error("the setting `{key}` was refused: {reason}")]
    InvalidSetting {
        /// The setting's name.
        key: String,
        /// What is wrong and how to mend it.
        reason: String,
    },
    /// `configure` has not succeeded yet.
    #[error("the plugin has no settings yet: call `configure` first")]
    NotConfigured,
    /// The payload is not what the hook documents.
    #[error("{0}")]
    InvalidPayload(String),
    /// The plugin holds as many bytes as it may.
    #[error("the plugin's queue is full (see `queue_max_bytes`)")]
    QueueFull,
    /// The call was already ended.
    #[error("the call has already ended")]
    CallEnded,
    /// Anything else.
    #[error("{}", .0.as_deref().unwrap_or("the plugin gave no reason"))]
    Other(Option<String>),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidSetting(setting) => Self::InvalidSetting {
                key: setting.key,
                reason: setting.reason,
            },
            Error::NotConfigured => Self::NotConfigured,
            Error::InvalidPayload(reason) => Self::InvalidPayload(reason),
            Error::QueueFull => Self::QueueFull,
            Error::CallEnded => Self::CallEnded,
            Error::Other(words) => Self::Other(words),
        }
    }
}
