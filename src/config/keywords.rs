//! The keywords of ssh_config(5): how each is read, what holds without it, and whether this library acts on it.

/// How the arguments of a keyword are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Host,
    Match,
    Include,
    /// One of some words, in any case: what may be written, and what it is called.
    Choice(&'static [(&'static str, &'static str)]),
    /// One argument.
    Text,
    /// One argument, which adds to those that there are.
    File,
    /// Any number of arguments, all of them from the first line that has some; `none` stands alone.
    Files,
    /// The rest of the line.
    Command,
    ProxyCommand,
    ProxyJump,
    Port,
    Number,
    /// Bits of an RSA key.
    RsaBits,
    /// Seconds. `none` sets nothing.
    Seconds,
    Rekey,
    Algorithms(Family),
    Forward(super::ForwardKind),
    /// Places, or one of `any` and `none`.
    Permit,
    Escape,
    SendEnv,
    SetEnv,
    /// The socket of an agent, or a variable that holds it.
    Agent,
    /// yes, no, or the socket of an agent.
    ForwardAgent,
    /// `yes`, `no` or seconds.
    Persist,
    /// An octal number.
    Mask,
    /// `yes`, `no`, `ask`, or `confirm` and seconds, either of which may be left out.
    AddKeys,
    Refuse,
    /// Kept as it is, for nothing here acts on it.
    Anything,
}

/// What a list of algorithms is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// KexAlgorithms.
    Kex,
    /// Ciphers.
    Cipher,
    /// MACs.
    Mac,
    /// HostKeyAlgorithms and other lists of signature algorithms.
    Signature,
    /// PubkeyAcceptedAlgorithms, where security keys count too.
    UserSignature,
    /// CASignatureAlgorithms: those that a certificate is signed with, which is no certificate's own.
    AuthoritySignature,
}

/// Whether a keyword does what it says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Support {
    /// By this library, or by the program that asks for its value.
    Full,
    /// Not at all, unless it has one of these values, which ask for nothing.
    None(&'static [&'static str]),
    /// It has no meaning any more, for ssh neither.
    Obsolete,
}

/// One keyword.
#[derive(Debug)]
pub(super) struct Keyword {
    /// As the manual writes it.
    pub name: &'static str,
    pub kind: Kind,
    /// Set when no file says anything.
    pub default: Option<&'static str>,
    pub support: Support,
}

const FLAG: Kind = Kind::Choice(&[
    ("yes", "yes"),
    ("true", "yes"),
    ("no", "no"),
    ("false", "no"),
]);
const ASK: Kind = Kind::Choice(&[
    ("yes", "yes"),
    ("true", "yes"),
    ("no", "no"),
    ("false", "no"),
    ("ask", "ask"),
]);

const fn of(name: &'static str, kind: Kind, default: &'static str) -> Keyword {
    Keyword {
        name,
        kind,
        default: Some(default),
        support: Support::Full,
    }
}

const fn unset(name: &'static str, kind: Kind) -> Keyword {
    Keyword {
        name,
        kind,
        default: None,
        support: Support::Full,
    }
}

const fn unsupported(name: &'static str, kind: Kind, harmless: &'static [&'static str]) -> Keyword {
    Keyword {
        name,
        kind,
        default: None,
        support: Support::None(harmless),
    }
}

const fn obsolete(name: &'static str) -> Keyword {
    Keyword {
        name,
        kind: Kind::Anything,
        default: None,
        support: Support::Obsolete,
    }
}

const NO: &[&str] = &["no"];
const NONE: &[&str] = &["none"];

/// All of them, in no order that matters.
static KEYWORDS: &[Keyword] = &[
    unset("Host", Kind::Host),
    unset("Match", Kind::Match),
    unset("Include", Kind::Include),
    unset("Tag", Kind::Text),
    unset("IgnoreUnknown", Kind::Text),
    unset("RefuseConnection", Kind::Refuse),
    // Where to, and how.
    unset("HostName", Kind::Text),
    of("Port", Kind::Port, "22"),
    unset("User", Kind::Text),
    of(
        "AddressFamily",
        Kind::Choice(&[("any", "any"), ("inet", "inet"), ("inet6", "inet6")]),
        "any",
    ),
    unset("BindAddress", Kind::Text),
    of("ConnectionAttempts", Kind::Number, "1"),
    unset("ConnectTimeout", Kind::Seconds),
    unset("ProxyCommand", Kind::ProxyCommand),
    unset("ProxyJump", Kind::ProxyJump),
    of("TCPKeepAlive", FLAG, "yes"),
    of("ServerAliveInterval", Kind::Seconds, "0"),
    of("ServerAliveCountMax", Kind::Number, "3"),
    of(
        "Compression",
        Kind::Choice(&[("yes", "yes"), ("no", "no")]),
        "no",
    ),
    of("RekeyLimit", Kind::Rekey, "0 0"),
    unset("Ciphers", Kind::Algorithms(Family::Cipher)),
    unset("MACs", Kind::Algorithms(Family::Mac)),
    unset("KexAlgorithms", Kind::Algorithms(Family::Kex)),
    unset("HostKeyAlgorithms", Kind::Algorithms(Family::Signature)),
    unset(
        "PubkeyAcceptedAlgorithms",
        Kind::Algorithms(Family::UserSignature),
    ),
    unset(
        "CASignatureAlgorithms",
        Kind::Algorithms(Family::AuthoritySignature),
    ),
    of("RequiredRSASize", Kind::RsaBits, "1024"),
    // The server's key.
    of(
        "UserKnownHostsFile",
        Kind::Files,
        "~/.ssh/known_hosts ~/.ssh/known_hosts2",
    ),
    of(
        "GlobalKnownHostsFile",
        Kind::Files,
        "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2",
    ),
    unset("RevokedHostKeys", Kind::Files),
    of(
        "StrictHostKeyChecking",
        Kind::Choice(&[
            ("yes", "yes"),
            ("true", "yes"),
            ("no", "no"),
            ("false", "no"),
            ("off", "no"),
            ("ask", "ask"),
            ("accept-new", "accept-new"),
        ]),
        "ask",
    ),
    unset("HostKeyAlias", Kind::Text),
    of("HashKnownHosts", FLAG, "no"),
    unset("UpdateHostKeys", ASK),
    of("NoHostAuthenticationForLocalhost", FLAG, "no"),
    of(
        "FingerprintHash",
        Kind::Choice(&[("md5", "md5"), ("sha256", "sha256")]),
        "sha256",
    ),
    of("VisualHostKey", FLAG, "no"),
    // Who one is.
    unset("IdentityFile", Kind::File),
    unset("CertificateFile", Kind::File),
    of("IdentitiesOnly", FLAG, "no"),
    unset("IdentityAgent", Kind::Agent),
    of("ForwardAgent", Kind::ForwardAgent, "no"),
    of("AddKeysToAgent", Kind::AddKeys, "no"),
    of("BatchMode", FLAG, "no"),
    of("NumberOfPasswordPrompts", Kind::Number, "3"),
    unset("PreferredAuthentications", Kind::Text),
    of("PasswordAuthentication", FLAG, "yes"),
    of("KbdInteractiveAuthentication", FLAG, "yes"),
    unset("KbdInteractiveDevices", Kind::Text),
    of(
        "PubkeyAuthentication",
        Kind::Choice(&[
            ("yes", "yes"),
            ("true", "yes"),
            ("no", "no"),
            ("false", "no"),
            ("unbound", "unbound"),
            ("host-bound", "host-bound"),
        ]),
        "yes",
    ),
    // What is done there, which is the program's matter.
    unset("RemoteCommand", Kind::Command),
    of(
        "RequestTTY",
        Kind::Choice(&[
            ("yes", "yes"),
            ("true", "yes"),
            ("no", "no"),
            ("false", "no"),
            ("force", "force"),
            ("auto", "auto"),
        ]),
        "auto",
    ),
    of(
        "SessionType",
        Kind::Choice(&[
            ("none", "none"),
            ("subsystem", "subsystem"),
            ("default", "default"),
        ]),
        "default",
    ),
    of("StdinNull", FLAG, "no"),
    of("ForkAfterAuthentication", FLAG, "no"),
    unset("SendEnv", Kind::SendEnv),
    unset("SetEnv", Kind::SetEnv),
    of("EscapeChar", Kind::Escape, "~"),
    of("EnableEscapeCommandline", FLAG, "no"),
    of("LogLevel", Kind::Choice(LOG_LEVELS), "INFO"),
    unset("LocalForward", Kind::Forward(super::ForwardKind::Local)),
    unset("RemoteForward", Kind::Forward(super::ForwardKind::Remote)),
    unset("DynamicForward", Kind::Forward(super::ForwardKind::Dynamic)),
    of("PermitRemoteOpen", Kind::Permit, "any"),
    of("ExitOnForwardFailure", FLAG, "no"),
    of("ClearAllForwardings", FLAG, "no"),
    of("GatewayPorts", FLAG, "no"),
    of("StreamLocalBindMask", Kind::Mask, "0177"),
    of("StreamLocalBindUnlink", FLAG, "no"),
    of("ForwardX11", FLAG, "no"),
    of("ForwardX11Trusted", FLAG, "no"),
    of("ForwardX11Timeout", Kind::Seconds, "1200"),
    of("XAuthLocation", Kind::Text, "/usr/bin/xauth"),
    unset("LocalCommand", Kind::Command),
    of("PermitLocalCommand", FLAG, "no"),
    // What nothing here does.
    unsupported("BindInterface", Kind::Text, &[]),
    unsupported("CanonicalDomains", Kind::Anything, NONE),
    unsupported("CanonicalizeFallbackLocal", FLAG, &["yes", "no"]),
    unsupported(
        "CanonicalizeHostname",
        Kind::Choice(&[
            ("yes", "yes"),
            ("true", "yes"),
            ("no", "no"),
            ("false", "no"),
            ("always", "always"),
        ]),
        NO,
    ),
    unsupported("CanonicalizeMaxDots", Kind::Number, &["1"]),
    unsupported("CanonicalizePermittedCNAMEs", Kind::Anything, NONE),
    unsupported("ChannelTimeout", Kind::Anything, NONE),
    unsupported("CheckHostIP", FLAG, NO),
    unsupported(
        "ControlMaster",
        Kind::Choice(&[
            ("yes", "yes"),
            ("true", "yes"),
            ("no", "no"),
            ("false", "no"),
            ("auto", "auto"),
            ("ask", "ask"),
            ("autoask", "autoask"),
        ]),
        NO,
    ),
    unsupported("ControlPath", Kind::Text, NONE),
    unsupported("ControlPersist", Kind::Persist, NO),
    unsupported("EnableSSHKeysign", FLAG, NO),
    unsupported("GSSAPIAuthentication", FLAG, NO),
    unsupported("GSSAPIDelegateCredentials", FLAG, NO),
    unsupported("GSSAPIClientIdentity", Kind::Anything, &[]),
    unsupported("GSSAPIKexAlgorithms", Kind::Anything, &[]),
    unsupported("GSSAPIKeyExchange", FLAG, NO),
    unsupported("GSSAPIRenewalForcesRekey", FLAG, NO),
    unsupported("GSSAPIServerIdentity", Kind::Anything, &[]),
    unsupported("GSSAPITrustDns", FLAG, NO),
    unsupported(
        "HostbasedAcceptedAlgorithms",
        Kind::Algorithms(Family::Signature),
        &[],
    ),
    unsupported("HostbasedAuthentication", FLAG, NO),
    unsupported("IPQoS", Kind::Anything, &[]),
    unsupported("KnownHostsCommand", Kind::Command, NONE),
    unsupported("LogVerbose", Kind::Anything, NONE),
    unsupported("ObscureKeystrokeTiming", Kind::Anything, NO),
    unsupported("PKCS11Provider", Kind::Text, NONE),
    unsupported("ProxyUseFdpass", FLAG, NO),
    unsupported("SecurityKeyProvider", Kind::Text, NONE),
    unsupported("SyslogFacility", Kind::Text, &["USER"]),
    unsupported(
        "Tunnel",
        Kind::Choice(&[
            ("yes", "point-to-point"),
            ("true", "point-to-point"),
            ("no", "no"),
            ("false", "no"),
            ("point-to-point", "point-to-point"),
            ("ethernet", "ethernet"),
        ]),
        NO,
    ),
    unsupported("TunnelDevice", Kind::Text, &["any", "any:any"]),
    unsupported("VerifyHostKeyDNS", ASK, NO),
    unsupported("VersionAddendum", Kind::Command, NONE),
    unsupported("WarnWeakCrypto", Kind::Anything, &[]),
    unsupported("AFSTokenPassing", Kind::Anything, NO),
    unsupported("CompressionLevel", Kind::Anything, &[]),
    unsupported("KerberosAuthentication", Kind::Anything, NO),
    unsupported("KerberosTGTPassing", Kind::Anything, NO),
    unsupported("RSAAuthentication", Kind::Anything, NO),
    unsupported("RhostsRSAAuthentication", Kind::Anything, NO),
    obsolete("Cipher"),
    obsolete("FallBackToRsh"),
    obsolete("GlobalKnownHostsFile2"),
    obsolete("Protocol"),
    obsolete("RhostsAuthentication"),
    obsolete("UsePrivilegedPort"),
    obsolete("UseRoaming"),
    obsolete("UserKnownHostsFile2"),
    obsolete("UseRsh"),
];

const LOG_LEVELS: &[(&str, &str)] = &[
    ("QUIET", "QUIET"),
    ("SILENT", "QUIET"),
    ("FATAL", "FATAL"),
    ("ERROR", "ERROR"),
    ("INFO", "INFO"),
    ("VERBOSE", "VERBOSE"),
    ("DEBUG", "DEBUG"),
    ("DEBUG1", "DEBUG"),
    ("DEBUG2", "DEBUG2"),
    ("DEBUG3", "DEBUG3"),
];

/// Other names of some of them.
static ALIASES: &[(&str, &str)] = &[
    (
        "ChallengeResponseAuthentication",
        "KbdInteractiveAuthentication",
    ),
    ("DSAAuthentication", "PubkeyAuthentication"),
    ("HostbasedKeyTypes", "HostbasedAcceptedAlgorithms"),
    ("IdentityFile2", "IdentityFile"),
    ("KeepAlive", "TCPKeepAlive"),
    ("PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms"),
    ("SkeyAuthentication", "KbdInteractiveAuthentication"),
    ("SmartcardDevice", "PKCS11Provider"),
    ("TISAuthentication", "KbdInteractiveAuthentication"),
];

/// The keyword of that name, or of another name of it, in any case.
pub(super) fn find(name: &str) -> Option<&'static Keyword> {
    let alias = ALIASES
        .iter()
        .find(|(alias, _)| alias.eq_ignore_ascii_case(name));
    let name = alias.map_or(name, |(_, name)| name);
    KEYWORDS
        .iter()
        .find(|keyword| keyword.name.eq_ignore_ascii_case(name))
}

/// All keywords.
pub(super) fn all() -> &'static [Keyword] {
    KEYWORDS
}

/// The files that keys are looked for in when none are named, in ssh's order.
pub(super) const IDENTITY_FILES: &[&str] = &[
    "~/.ssh/id_rsa",
    "~/.ssh/id_ecdsa",
    "~/.ssh/id_ecdsa_sk",
    "~/.ssh/id_ed25519",
    "~/.ssh/id_ed25519_sk",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_once() {
        assert_eq!(find("hostname").unwrap().name, "HostName");
        assert_eq!(find("KEEPALIVE").unwrap().name, "TCPKeepAlive");
        assert!(find("NoSuchThing").is_none());
        for (i, keyword) in KEYWORDS.iter().enumerate() {
            let twice = KEYWORDS
                .iter()
                .skip(i + 1)
                .any(|other| other.name.eq_ignore_ascii_case(keyword.name));
            assert!(!twice, "{}", keyword.name);
        }
        for (alias, name) in ALIASES {
            assert_eq!(find(alias).unwrap().name, *name);
            assert!(
                !KEYWORDS
                    .iter()
                    .any(|keyword| keyword.name.eq_ignore_ascii_case(alias)),
                "{alias}"
            );
        }
    }

    #[test]
    fn defaults_are_values() {
        for keyword in KEYWORDS {
            if let (Kind::Choice(choices), Some(default)) = (keyword.kind, keyword.default) {
                assert!(
                    choices.iter().any(|(_, value)| *value == default),
                    "{}",
                    keyword.name
                );
            }
            if let (Kind::Choice(choices), Support::None(harmless)) =
                (keyword.kind, keyword.support)
            {
                let known = |value: &&str| choices.iter().any(|(_, known)| known == value);
                assert!(harmless.iter().all(known), "{}", keyword.name);
            }
        }
    }
}
