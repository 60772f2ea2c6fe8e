//! RevokedHostKeys: host keys that are accepted by nothing and nobody.

use std::path::Path;
use std::sync::Arc;

use super::identity::shown;
use crate::config::Resolved;
use crate::driver::sys::file::read_regular;
use crate::error::Error;
use crate::keys::revocation::MAX_REVOCATIONS;
use crate::keys::RevocationList;

/// The lists that are named. As for ssh, nothing is trusted where one of them cannot be read, or is not understood.
///
/// # Errors
/// Where it is named, and what is wrong with it.
pub(super) fn load(resolved: &Resolved) -> Result<Vec<Arc<RevocationList>>, Error> {
    let mut lists = Vec::new();
    for value in resolved.values("RevokedHostKeys").unwrap_or_default() {
        let read = match read_regular(Path::new(&value.text), MAX_REVOCATIONS) {
            Ok(Some(bytes)) => RevocationList::load(&bytes).map_err(|error| error.to_string()),
            Ok(None) => Err(String::from("not a regular file")),
            Err(error) => Err(error.to_string()),
        };
        let list = read.map_err(|why| {
            let file = shown(&value.text);
            value.fault(format!(
                "no host key is trusted, because {file} cannot tell what is revoked: {why}"
            ))
        })?;
        lists.push(Arc::new(list));
    }
    Ok(lists)
}
