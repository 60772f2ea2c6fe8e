//! Strict key exchange (OpenSSH PROTOCOL §1.10), the remedy for prefix truncation (CVE-2023-48795).

use crate::codec::NameList;
use crate::crypto::algorithms::name;
use crate::messages::Role;

/// The marker that says "I do strict key exchange" for a role.
pub fn strict_marker(role: Role) -> &'static str {
    match role {
        Role::Client => name::KEX_STRICT_C,
        Role::Server => name::KEX_STRICT_S,
    }
}

/// Whether the first key exchange is strict: each side has sent the marker of its own role. The answer
/// holds for the whole connection; markers in later KEXINITs mean nothing.
pub fn is_strict(local: Role, local_kex: &NameList<'_>, peer_kex: &NameList<'_>) -> bool {
    local_kex.contains(strict_marker(local)) && peer_kex.contains(strict_marker(local.peer()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_only_the_marker_of_the_right_role_counts() {
        let list = |names: &'static str| NameList::parse(names.as_bytes()).unwrap();
        let client = list("a,kex-strict-c-v00@openssh.com");
        let server = list("a,kex-strict-s-v00@openssh.com");
        let none = list("a");
        assert!(is_strict(Role::Client, &client, &server));
        assert!(is_strict(Role::Server, &server, &client));
        assert!(!is_strict(Role::Client, &client, &client));
        assert!(!is_strict(Role::Server, &server, &server));
        assert!(!is_strict(Role::Client, &client, &none));
        assert!(!is_strict(Role::Client, &none, &server));
    }
}
