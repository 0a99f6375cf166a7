//! What the proxy tells: the time, randomness, its environment; and its log.

use std::time::{Duration, UNIX_EPOCH};

use logger_core::event::Timestamp;
use proxy_wasm::hostcalls;
use proxy_wasm::types::LogLevel;

/// Nanoseconds since the epoch.
pub fn time() -> Timestamp {
    let now = hostcalls::get_current_time().unwrap_or(UNIX_EPOCH);
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The time as the core wants it. It is the wall clock's: a proxy has no other.
pub fn now() -> Duration {
    Duration::from_nanos(time())
}

/// A number that differs between workers.
pub fn seed() -> u64 {
    wasi::random().unwrap_or_else(time)
}

/// A line in the proxy's log.
pub fn say(level: LogLevel, line: &str) {
    // There is nobody to tell that nobody can be told.
    let _ = hostcalls::log(level, &format!("mlflow-logger: {line}"));
}

/// Of WASI what proxies link and the standard library does not use on this target: WASI preview 1,
/// `random_get`.
#[allow(unsafe_code)]
mod wasi {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        /// Fills a buffer; 0 is success.
        fn random_get(buffer: *mut u8, length: usize) -> i32;
    }

    /// Eight random bytes.
    pub fn random() -> Option<u64> {
        let mut bytes = [0; 8];
        // SAFETY: the buffer is as long as said, and lives as long as the call.
        let errno = unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) };
        (errno == 0).then(|| u64::from_le_bytes(bytes))
    }
}
