//! UpdateHostKeys: what becomes of the host keys that a server tells of once the user is in.

use crate::config::Resolved;
use crate::driver::KeyUpdates;

/// Who decides about them. Nobody is asked in BatchMode, and then nothing is kept.
pub(super) fn of(resolved: &Resolved) -> KeyUpdates {
    match resolved.text("UpdateHostKeys") {
        Some("yes") => KeyUpdates::Always,
        Some("ask") if !resolved.is_yes("BatchMode") => KeyUpdates::Ask,
        _ => KeyUpdates::Never,
    }
}
