//! Users' keys and certificates (server): what is revoked, who may sign, and whom certificates let in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::wait::unix_time;
use crate::auth::KeyJudge;
use crate::error::CertificateFault;
use crate::keys::certificate::{Authorities, CertificateCheck, CertificateKind};
use crate::keys::{Permissions, RevocationList, ShownKey};

/// What a server goes by when a user shows a certificate.
#[derive(Debug, Clone, Default)]
pub struct UserKeys {
    /// Who may sign.
    pub authorities: Authorities,
    /// The names of which a certificate must have one, for users for whom it is not their own.
    pub principals: HashMap<String, Vec<String>>,
    /// Whether a certificate of another authority is for the application to judge, and does not let anybody in by itself.
    pub asks_about_others: bool,
    /// What is revoked.
    pub revocations: Option<Arc<RevocationList>>,
}

/// The same for one connection.
pub(crate) struct Judge {
    settings: Arc<UserKeys>,
    address: Option<IpAddr>,
}

impl Judge {
    /// For a connection from an address, as far as that is known.
    pub(crate) fn new(settings: Arc<UserKeys>, peer: Option<&str>) -> Self {
        // Of an address with a zone ("fe80::1%eth0") the networks of a certificate know the first part.
        let address = peer
            .and_then(|peer| peer.split('%').next())
            .and_then(|address| address.parse().ok());
        Judge { settings, address }
    }
}

impl KeyJudge for Judge {
    fn judge(&self, user: &str, shown: &ShownKey) -> Result<Option<Permissions>, CertificateFault> {
        if let Some(revocations) = &self.settings.revocations {
            revocations.check(shown)?;
        }
        let Some(certificate) = &shown.certificate else {
            return Ok(None);
        };
        let authorities = &self.settings.authorities;
        if self.settings.asks_about_others && !authorities.contains(certificate.authority()) {
            return Ok(None);
        }
        let own = [user];
        let listed: Vec<&str>;
        let principals: &[&str] = match self.settings.principals.get(user) {
            Some(names) => {
                listed = names.iter().map(String::as_str).collect();
                &listed
            }
            None => &own,
        };
        let wanted = CertificateCheck {
            kind: CertificateKind::User,
            principals,
            now: unix_time(),
            address: self.address,
        };
        authorities.check(certificate, &wanted).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::certificate::CertificateDraft;
    use crate::keys::test_support::TestRandom;
    use crate::keys::{Certificate, KeyKind, PrivateKey};

    #[test]
    fn principals_and_addresses() {
        let authority = PrivateKey::generate(KeyKind::Ed25519, 0, &mut TestRandom).unwrap();
        let mut draft = CertificateDraft::new(CertificateKind::User, authority.public().clone());
        draft.add_principal("admin").unwrap();
        let anywhere = draft.sign(&authority, None, &mut TestRandom).unwrap();
        draft
            .set_critical_option("source-address", Some("fe80::/10"))
            .unwrap();
        let bound = draft.sign(&authority, None, &mut TestRandom).unwrap();

        let mut settings = UserKeys::default();
        settings.authorities.add(authority.public().clone());
        let listed = vec!["other".to_owned(), "admin".to_owned()];
        settings.principals.insert("root".to_owned(), listed);
        settings.principals.insert("admin".to_owned(), Vec::new());
        let settings = Arc::new(settings);
        let judge = |peer, user, certificate| {
            let shown = ShownKey {
                key: authority.public().clone(),
                certificate: Some(Certificate::clone(certificate)),
            };
            Judge::new(Arc::clone(&settings), peer).judge(user, &shown)
        };
        assert!(judge(None, "root", &anywhere).is_ok());
        assert!(judge(None, "alice", &anywhere).is_err());
        // A list that is empty lets nobody in, the user's own name included.
        assert!(judge(None, "admin", &anywhere).is_err());
        assert!(judge(Some("fe80::1%eth0"), "root", &bound).is_ok());
        assert!(judge(Some("192.0.2.1"), "root", &bound).is_err());
        assert!(judge(Some("nonsense"), "root", &bound).is_err());
        assert!(judge(None, "root", &bound).is_err());
        // Certificates of others are for the application where it wants them, and those of ours stay ours.
        let stranger = PrivateKey::generate(KeyKind::Ed25519, 0, &mut TestRandom).unwrap();
        let draft = CertificateDraft::new(CertificateKind::User, stranger.public().clone());
        let other = draft.sign(&stranger, None, &mut TestRandom).unwrap();
        assert!(judge(None, "root", &other).is_err());
        let asking = Arc::new(UserKeys {
            asks_about_others: true,
            ..UserKeys::clone(&settings)
        });
        let judge = |certificate: &Certificate| {
            let shown = ShownKey {
                key: certificate.key().clone(),
                certificate: Some(certificate.clone()),
            };
            Judge::new(Arc::clone(&asking), None).judge("root", &shown)
        };
        assert_eq!(judge(&other), Ok(None));
        assert!(judge(&anywhere).unwrap().is_some());
        assert!(judge(&bound).is_err());
        let revoked = RevocationList::load(authority.public().to_line("").as_bytes()).unwrap();
        let settings = Arc::new(UserKeys {
            revocations: Some(Arc::new(revoked)),
            ..UserKeys::default()
        });
        let plain = authority.public().clone().into();
        let judged = Judge::new(settings, None).judge("root", &plain);
        assert_eq!(judged, Err(CertificateFault::Revoked("the key")));
    }
}
