//! Seeds of the targets that read files and keys. What `tests/fixtures/keys` has is not kept twice: `fuzz/seeds.sh`
//! puts it beside these.

use super::{piece, written, Seeds};
use crate::crypto::algorithms::Preferences;
use crate::crypto::random::SeededRandom;
use crate::keys::certificate::{CertificateDraft, CertificateKind};
use crate::keys::test_support::fixture;
use crate::keys::{Certificate, KeyKind, PrivateKey, PublicKey};
use crate::messages::Role;

const KINDS: [&str; 5] = ["ed25519", "p256", "p384", "p521", "rsa"];

fn line(kind: &str) -> String {
    let text = String::from_utf8(fixture(&format!("{kind}.pub"))).unwrap();
    text.trim_end().to_owned()
}

fn public(kind: &str) -> PublicKey {
    PublicKey::load(line(kind).as_bytes()).unwrap().0
}

fn authority() -> PrivateKey {
    PrivateKey::generate(KeyKind::Ed25519, 0, &mut SeededRandom::new(21)).unwrap()
}

fn certificate(kind: CertificateKind, key: PublicKey) -> Certificate {
    let mut draft = CertificateDraft::new(kind, key);
    draft.set_serial(7);
    draft.set_key_id("a key").unwrap();
    draft.add_principal("user").unwrap();
    draft.add_principal("*.example.org").unwrap();
    draft.set_validity(0, u64::MAX).unwrap();
    if kind == CertificateKind::User {
        let source = Some("192.0.2.0/24");
        draft.set_critical_option("source-address", source).unwrap();
        draft.set_extension("permit-pty", None).unwrap();
    }
    draft
        .sign(&authority(), None, &mut SeededRandom::new(22))
        .unwrap()
}

pub(super) fn add(seeds: &mut Seeds) {
    keys(seeds);
    krl(seeds);
    known_hosts(seeds);
    authorized_keys(seeds);
    config(seeds);
    lists(seeds);
}

fn keys(seeds: &mut Seeds) {
    for kind in KINDS {
        let key = public(kind);
        seeds.add("public_key", format!("{kind}.blob"), key.blob().to_vec());
        for (name, side) in [
            ("user", CertificateKind::User),
            ("host", CertificateKind::Host),
        ] {
            let found = certificate(side, key.clone());
            let blob = found.blob().to_vec();
            seeds.add("certificate", format!("{kind}-{name}"), blob);
        }
    }
    let text = certificate(CertificateKind::User, public("ed25519")).to_line("a comment");
    seeds.add("certificate", "line", text.into_bytes());
    let ed25519 = public("ed25519");
    let point = &ed25519.blob()[19..];
    let key = written(|w| {
        w.string("sk-ssh-ed25519@openssh.com")
            .string(point)
            .string("ssh:");
    });
    seeds.add("public_key", "sk-ed25519.blob", key);
    let p256 = public("p256");
    let key = written(|w| {
        w.string("sk-ecdsa-sha2-nistp256@openssh.com")
            .string("nistp256");
        w.string(&p256.blob()[p256.blob().len() - 65..])
            .string("ssh:");
    });
    seeds.add("public_key", "sk-ecdsa.blob", key);
    // Ed25519 alone, whose signatures are the same each time.
    let signature = authority().sign("ssh-ed25519", b"message").unwrap();
    seeds.add("signature", "ed25519", signature);
    for (name, length) in [
        ("rsa-sha2-512", 384),
        ("ssh-rsa", 384),
        ("ecdsa-sha2-nistp256", 72),
    ] {
        let blob = written(|w| {
            w.string(name).string(vec![7; length]);
        });
        seeds.add("signature", name, blob);
    }
}

fn krl(seeds: &mut Seeds) {
    let header = |sections: &[(u8, Vec<u8>)]| {
        written(|w| {
            w.raw(b"SSHKRL\n\0").u32(1).u64(7).u64(0).u64(0);
            w.string("").string("comment");
            for (kind, data) in sections {
                w.u8(*kind).string(data);
            }
        })
    };
    let string = |bytes: &[u8]| {
        written(|w| {
            w.string(bytes);
        })
    };
    let keys = header(&[
        (2, string(public("ed25519").blob())),
        (3, string(&[7; 20])),
        (5, string(&[7; 32])),
    ]);
    let serials = written(|w| {
        w.string(authority().public().blob()).string("");
        w.u8(0x20).string([0, 0, 0, 0, 0, 0, 0, 7]);
        w.u8(0x21)
            .string([0_u8, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9]);
        w.u8(0x22).string(written(|w| {
            w.u64(1).mpint(&[0x55]);
        }));
        w.u8(0x23).string(string(b"a key"));
    });
    let certificates = header(&[(1, serials)]);
    let shown = certificate(CertificateKind::User, public("ed25519"));
    let judged = [&piece(shown.blob())[..], &[0], &certificates].concat();
    seeds.add("krl", "keys", keys);
    seeds.add("krl", "certificates", certificates);
    seeds.add("krl", "judged", judged);
    seeds.add(
        "krl",
        "lines",
        [line("ed25519"), line("rsa")].join("\n").into_bytes(),
    );
}

fn known_hosts(seeds: &mut Seeds) {
    let bare = |kind: &str| {
        let words: Vec<_> = line(kind).split(' ').take(2).map(str::to_owned).collect();
        words.join(" ")
    };
    let text = [
        "# a comment".to_owned(),
        format!("host.example.org,192.0.2.7 {}", bare("ed25519")),
        format!("[192.0.2.7]:2222 {} comment", bare("p256")),
        format!("@revoked * {}", bare("p384")),
        format!(
            "@cert-authority *.example.org,!bad.example.org {}",
            bare("ed25519")
        ),
        "broken line".to_owned(),
    ]
    .join("\n");
    seeds.add("known_hosts", "usual", text.into_bytes());
    let hashed = "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg=";
    let text = format!("{hashed} {}\r\n{hashed} ssh-rsa AAAA\n", bare("ed25519"));
    seeds.add("known_hosts", "hashed", text.into_bytes());
}

fn authorized_keys(seeds: &mut Seeds) {
    let options = [
        "from=\"192.0.2.0/24,!192.0.2.8,*.example.org\",no-pty",
        "restrict,pty,command=\"echo \\\"x\\\"\",environment=\"A=b\"",
        "cert-authority,principals=\"user,other\",expiry-time=\"20300101Z\"",
        "permitopen=\"host:80\",permitlisten=\"localhost:8080\",tunnel=\"0\"",
        "verify-required,no-touch-required,agent-forwarding",
    ];
    let lines = options
        .iter()
        .zip(KINDS)
        .map(|(options, kind)| format!("{options} {}\n", line(kind)));
    let text: String = lines.chain([line("ed25519"), "\n# x\n".into()]).collect();
    seeds.add("authorized_keys", "options", text.into_bytes());
    for (name, options) in (0..)
        .zip(options)
        .map(|(n, o): (u8, _)| (format!("one-{n}"), o))
    {
        let text = format!("{options} {}\n", line("ed25519"));
        seeds.add("authorized_keys", name, text.into_bytes());
    }
}

fn config(seeds: &mut Seeds) {
    let usual = "me@host\nHost host !other *.example.org\n  HostName %h.example.org\n  Port 2222\n  \
        User \"some body\"\n  IdentityFile ~/.ssh/id_%r\n  ProxyJump a@b:22,[::1]:2\n\
        Match host=host exec \"test -f %d/x\" user me\n  LocalForward 8080 [::1]:80\n  \
        RemoteForward /sock host:1\n  DynamicForward 1080\n  SendEnv LANG LC_*\n  SetEnv A=b C=\"d e\"\n\
        Include /included\nHost *\n  RekeyLimit 1G 1h\n  ServerAliveInterval 5m\n\0User included\n";
    let lists = "ssh://host:80\nCiphers ^aes256-ctr\nMACs -hmac-sha1*\nKexAlgorithms +diffie-*\n\
        HostKeyAlgorithms ssh-ed25519,rsa-sha2-*\nPubkeyAcceptedAlgorithms ssh-*\n\
        Match final all\nCompression yes\nMatch tagged x canonical\nTag x\nCanonicalizeHostname no\n\
        UserKnownHostsFile ~/a ${SOCKET}/b\nIdentityAgent SSH_AUTH_SOCK\nControlPath %C\n";
    seeds.add("ssh_config", "usual", usual.into());
    seeds.add("ssh_config", "lists", lists.into());
}

fn lists(seeds: &mut Seeds) {
    let defaults = Preferences::modern(Role::Client);
    for (name, spec) in [
        ("plus", "+diffie-hellman-group14-sha1,ssh-rsa".to_owned()),
        ("minus", "-*sha1,aes*".to_owned()),
        ("front", "^aes256-ctr,zlib".to_owned()),
        ("kex", defaults.kex.join(",")),
        ("mac", defaults.mac.join(",")),
    ] {
        seeds.add("algorithms", name, spec.into_bytes());
    }
    let digits = "F".repeat(512);
    let request: Vec<u8> = [2048_u32, 3072, 8192]
        .iter()
        .flat_map(|bits| bits.to_le_bytes())
        .collect();
    let text = format!("# a comment\n20240101000000 2 6 100 2047 2 {digits}\n");
    seeds.add("moduli", "one", [request, text.into_bytes()].concat());
}
