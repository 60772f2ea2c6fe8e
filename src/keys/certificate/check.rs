//! Whether a certificate counts: for whom, when, from where, and with which restrictions.

use std::net::IpAddr;
use std::time::Duration;

use super::address;
use super::{Certificate, CertificateKind, CertificateOption};
use crate::codec::{matches_pattern, printable};
use crate::crypto::algorithms;
use crate::error::CertificateFault;
use crate::keys::{Permissions, PublicKey};

/// How much of a name gets into a message.
const MAX_SHOWN: usize = 128;

/// What a certificate must say.
#[derive(Debug, Clone, Copy)]
pub struct CertificateCheck<'a> {
    /// Whom it must speak of.
    pub kind: CertificateKind,
    /// It must name one of these. For hosts the names in the certificate may be patterns.
    pub principals: &'a [&'a str],
    /// Seconds since 1970.
    pub now: u64,
    /// Where the connection comes from, if that is known. Without it a certificate that is bound to addresses is
    /// refused. Not looked at for hosts.
    pub address: Option<IpAddr>,
}

impl Certificate {
    /// Whether the certificate counts, and what it permits then. The authority must have been found to be one that is
    /// trusted, or the result means nothing.
    ///
    /// # Errors
    /// The first reason why not; that the signature is bad comes last, for it is the costliest to find out.
    pub fn check(&self, wanted: &CertificateCheck<'_>) -> Result<Permissions, CertificateFault> {
        if self.kind() != wanted.kind {
            return Err(CertificateFault::Kind {
                wanted: wanted.kind.word(),
                found: self.kind().word(),
            });
        }
        self.check_time(wanted.now)?;
        self.check_principals(wanted)?;
        let permissions = match wanted.kind {
            CertificateKind::User => self.user_permissions(wanted.address)?,
            CertificateKind::Host => self.host_permissions()?,
        };
        self.check_signature()?;
        Ok(permissions)
    }

    fn check_time(&self, now: u64) -> Result<(), CertificateFault> {
        if now < self.valid_after() {
            return Err(CertificateFault::NotYetValid(date(self.valid_after())));
        }
        if now >= self.valid_before() {
            return Err(CertificateFault::Expired(date(self.valid_before())));
        }
        Ok(())
    }

    /// No principals would mean all of them, which nobody who signs can want. A comma in a name is how one name gets to
    /// be taken for two.
    fn check_principals(&self, wanted: &CertificateCheck<'_>) -> Result<(), CertificateFault> {
        let principals = self.principals();
        if principals.is_empty() {
            return Err(CertificateFault::NoPrincipals);
        }
        let odd = |name: &&String| {
            name.is_empty() || name.contains(',') || name.contains(char::is_control)
        };
        if let Some(name) = principals.iter().find(odd) {
            let name = printable(name.as_bytes(), MAX_SHOWN);
            return Err(CertificateFault::BadPrincipal(name));
        }
        let fits = |name: &String| match wanted.kind {
            CertificateKind::User => wanted.principals.contains(&name.as_str()),
            CertificateKind::Host => wanted
                .principals
                .iter()
                .any(|host| matches_pattern(name.as_bytes(), host.as_bytes())),
        };
        if principals.iter().any(fits) {
            return Ok(());
        }
        Err(CertificateFault::Principal {
            wanted: printable(wanted.principals.join(" or ").as_bytes(), MAX_SHOWN),
            found: printable(principals.join(", ").as_bytes(), MAX_SHOWN),
        })
    }

    /// Hosts have no options that are known.
    fn host_permissions(&self) -> Result<Permissions, CertificateFault> {
        match self.critical_options().first() {
            Some(option) => Err(unknown(option)),
            None => Ok(Permissions::ALL),
        }
    }

    fn user_permissions(&self, address: Option<IpAddr>) -> Result<Permissions, CertificateFault> {
        let mut permissions = Permissions::NONE;
        for option in self.critical_options() {
            match option.name.as_str() {
                "force-command" => permissions.forced_command = Some(forced(option)?.to_owned()),
                "source-address" => check_address(option, address)?,
                "verify-required" => {
                    flag(option, "verify-required")?;
                    permissions.verify_required = true;
                }
                _ => return Err(unknown(option)),
            }
        }
        for option in self.extensions() {
            let (granted, name) = match option.name.as_str() {
                "permit-pty" => (&mut permissions.pty, "permit-pty"),
                "permit-port-forwarding" => {
                    (&mut permissions.port_forwarding, "permit-port-forwarding")
                }
                "permit-agent-forwarding" => {
                    (&mut permissions.agent_forwarding, "permit-agent-forwarding")
                }
                "permit-X11-forwarding" => {
                    (&mut permissions.x11_forwarding, "permit-X11-forwarding")
                }
                "permit-user-rc" => (&mut permissions.user_rc, "permit-user-rc"),
                "no-touch-required" => {
                    flag(option, "no-touch-required")?;
                    permissions.touch_required = false;
                    continue;
                }
                // Extensions may be passed over.
                _ => continue,
            };
            flag(option, name)?;
            *granted = true;
        }
        Ok(permissions)
    }

    /// Whether its authority has used one of these algorithms. Says nothing about whether the signature is good.
    pub(crate) fn check_algorithm(&self, accepted: &[&str]) -> Result<(), CertificateFault> {
        let algorithm = self.signature_algorithm();
        if accepted.contains(&algorithm) {
            return Ok(());
        }
        let algorithm = printable(algorithm.as_bytes(), MAX_SHOWN);
        Err(CertificateFault::Algorithm(algorithm))
    }

    fn check_signature(&self) -> Result<(), CertificateFault> {
        self.check_algorithm(&algorithms::user_signatures())?;
        if self.is_signed() {
            Ok(())
        } else {
            Err(CertificateFault::Signature)
        }
    }
}

/// The keys of authorities that somebody trusts, and what is revoked.
#[derive(Debug, Clone, Default)]
pub struct Authorities {
    keys: Vec<PublicKey>,
}

impl Authorities {
    /// Trusts one more.
    pub fn add(&mut self, key: PublicKey) {
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }

    /// Whether this one is trusted.
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.keys.contains(key)
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// As [`Certificate::check`], once the authority was found to be trusted.
    ///
    /// # Errors
    /// The first reason why the certificate does not count.
    pub fn check(
        &self,
        certificate: &Certificate,
        wanted: &CertificateCheck<'_>,
    ) -> Result<Permissions, CertificateFault> {
        // Before anything that takes time, so that certificates of strangers cost nothing.
        if !self.contains(certificate.authority()) {
            let found = certificate.authority().fingerprint();
            return Err(CertificateFault::Authority(found));
        }
        certificate.check(wanted)
    }
}

fn unknown(option: &CertificateOption) -> CertificateFault {
    CertificateFault::UnknownOption(printable(option.name.as_bytes(), MAX_SHOWN))
}

/// Refuses a value where there must be none: who wrote it meant something by it.
fn flag(option: &CertificateOption, name: &'static str) -> Result<(), CertificateFault> {
    if option.is_flag() {
        Ok(())
    } else {
        Err(CertificateFault::BadOption(name))
    }
}

fn forced(option: &CertificateOption) -> Result<&str, CertificateFault> {
    option
        .value()
        .ok_or(CertificateFault::BadOption("force-command"))
}

fn check_address(
    option: &CertificateOption,
    address: Option<IpAddr>,
) -> Result<(), CertificateFault> {
    const BAD: CertificateFault = CertificateFault::BadOption("source-address");
    let allowed = option.value().ok_or(BAD)?;
    let networks = address::parse_list(allowed).ok_or(BAD)?;
    let within = |address| networks.iter().any(|network| network.contains(address));
    if address.is_some_and(within) {
        return Ok(());
    }
    Err(CertificateFault::SourceAddress {
        allowed: printable(allowed.as_bytes(), MAX_SHOWN),
        found: address.map_or_else(
            || "an unknown address".to_owned(),
            |address| address.to_string(),
        ),
    })
}

/// A time as people write it, in UTC.
fn date(seconds: u64) -> String {
    der::DateTime::from_unix_duration(Duration::from_secs(seconds)).map_or_else(
        |_| format!("{seconds} s since 1970"),
        |date| date.to_string(),
    )
}
