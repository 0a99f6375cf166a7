//! Opens what is on disk, and tells what is there.

use super::Options;
use crate::gateway::StartError;
use crate::gateway::letters::Letters;
use crate::gateway::metrics::Metrics;
use crate::spool::Spool;

/// The file of dead letters in the spool's directory.
const LETTERS: &str = "dead-letters.jsonl";

/// The spool, with what it holds told.
pub(super) fn spool(options: &Options, metrics: &Metrics) -> Result<Option<Spool>, StartError> {
    let Some(settings) = &options.spool else {
        return Ok(None);
    };
    let (spool, found) = Spool::open(&settings.dir, settings.max_bytes)?;
    metrics.delivery().recovered(found.entries);
    let dir = settings.dir.display();
    if found.entries > 0 {
        tracing::info!(
            calls = found.entries,
            "the spool {dir} holds calls to deliver"
        );
    }
    if found.torn > 0 {
        let bytes = found.torn;
        tracing::info!(
            bytes,
            "the spool {dir} ended with a call that was not written whole"
        );
    }
    if found.damaged > 0 {
        let bytes = found.damaged;
        tracing::error!(
            bytes,
            "the spool {dir} is damaged: what is whole is delivered, and the files stay there as *.damaged"
        );
    }
    Ok(Some(spool))
}

/// The file of dead letters: the one that is named, else beside the spool's.
pub(super) fn letters(options: &Options) -> Result<Option<Letters>, StartError> {
    let letters = &options.dead_letter;
    let spool = options.spool.as_ref();
    let Some(path) = letters
        .file
        .clone()
        .or_else(|| spool.map(|spool| spool.dir.join(LETTERS)))
    else {
        return Ok(None);
    };
    match Letters::open(&path, letters.max_bytes) {
        Ok(letters) => Ok(Some(letters)),
        Err(reason) => Err(StartError::Letters { path, reason }),
    }
}
