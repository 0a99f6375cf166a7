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

/// A variable of the environment that the proxy's configuration gives the filter.
pub fn variable(name: &str) -> Option<String> {
    let environment = wasi::environment()?;
    let entries = environment.split(|byte| *byte == 0);
    let mut values = entries.filter_map(|entry| {
        let rest = entry.strip_prefix(name.as_bytes())?;
        rest.strip_prefix(b"=")
    });
    let value = values.next()?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// What of WASI preview 1 proxies link, and the standard library does not use on this target.
#[allow(unsafe_code)]
mod wasi {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        /// Fills a buffer; 0 is success.
        fn random_get(buffer: *mut u8, length: usize) -> i32;
        /// How many variables there are, and how many bytes they take.
        fn environ_sizes_get(count: *mut usize, bytes: *mut usize) -> i32;
        /// Fills a table of pointers, and the buffer that they point into.
        fn environ_get(table: *mut *mut u8, buffer: *mut u8) -> i32;
    }

    /// Eight random bytes.
    pub fn random() -> Option<u64> {
        let mut bytes = [0; 8];
        // SAFETY: the buffer is as long as said, and lives as long as the call.
        let errno = unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) };
        (errno == 0).then(|| u64::from_le_bytes(bytes))
    }

    /// The environment: `name=value`, each ended by a zero byte.
    pub fn environment() -> Option<Vec<u8>> {
        let (mut count, mut size) = (0, 0);
        // SAFETY: both live as long as the call.
        let errno = unsafe { environ_sizes_get(&raw mut count, &raw mut size) };
        if errno != 0 || count == 0 {
            return None;
        }
        let mut table = vec![std::ptr::null_mut(); count];
        let mut buffer = vec![0; size];
        // SAFETY: both are as long as the host has just said, and live as long as the call.
        let errno = unsafe { environ_get(table.as_mut_ptr(), buffer.as_mut_ptr()) };
        (errno == 0).then_some(buffer)
    }
}
