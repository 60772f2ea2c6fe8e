//! ssh_config: the same values as `ssh -G`, over files made by a generator with a seed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use crate::need;
use crate::peers::{peer, program};
use crate::process::{run, Scratch, LIMIT};
use std::process::Command;

const FILES: u64 = 300;
const DESTINATIONS: [&str; 5] = [
    "alpha",
    "bob@beta.example.org",
    "Gamma",
    "10.0.0.1",
    "ssh://carol@delta:2200",
];

/// Numbers that look random and are the same each time (xorshift64*).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let wide = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(wide).expect("31 bits") % sides
    }

    pub fn pick<'a>(&mut self, among: &[&'a str]) -> &'a str {
        among[self.roll(among.len())]
    }

    pub fn is(&mut self, percent: usize) -> bool {
        self.roll(100) < percent
    }
}

/// Keywords with arguments that make sense. `|` separates the choices.
const OPTIONS: &[(&str, &str)] = &[
    (
        "HostName",
        "real.example.org|%h.example.net|Other|192.0.2.7|%%h|::1",
    ),
    ("Port", "22|2222|65535|ssh|\"80\""),
    ("User", "dave|erin|\"two words\""),
    (
        "IdentityFile",
        "~/.ssh/id_a|/keys/%h-%r|id_b|\"/with space/x\"|%d/%u|none|~/.ssh/id_a",
    ),
    ("CertificateFile", "~/.ssh/c1|/certs/%n-%p"),
    ("IdentitiesOnly", "yes|no|true|FALSE"),
    ("IdentityAgent", "/run/agent-%u|none|SSH_AUTH_SOCK"),
    (
        "UserKnownHostsFile",
        "~/.ssh/k1|/k/%h /k/%n|none|\"/k l/x\" /m",
    ),
    ("GlobalKnownHostsFile", "/etc/k|~/k /l"),
    ("StrictHostKeyChecking", "yes|no|ask|accept-new|off|true"),
    ("HostKeyAlias", "Alias|alias.example.org"),
    (
        "ProxyJump",
        "gate|me@gate:2222|one,two:22,u@three|none|ssh://x@y:8|gate # to there",
    ),
    (
        "ProxyCommand",
        "nc %h %p|none|sh -c 'nc \"x\" y' # kept|= exec x",
    ),
    (
        "Ciphers",
        "aes128-ctr|aes256-gcm@openssh.com,aes128-gcm@openssh.com|aes128-ctr,aes128-ctr,aes192-ctr",
    ),
    (
        "MACs",
        "hmac-sha2-256|hmac-sha2-512-etm@openssh.com,hmac-sha2-256",
    ),
    (
        "KexAlgorithms",
        "curve25519-sha256|ecdh-sha2-nistp256,diffie-hellman-group16-sha512",
    ),
    (
        "HostKeyAlgorithms",
        "ssh-ed25519|rsa-sha2-512,ecdsa-sha2-nistp384",
    ),
    ("PubkeyAcceptedKeyTypes", "ssh-ed25519,rsa-sha2-256"),
    ("CASignatureAlgorithms", "ssh-ed25519"),
    ("Compression", "yes|no|YES"),
    ("ServerAliveInterval", "0|15|1m30s|none|2h"),
    ("ServerAliveCountMax", "0|5|2147483647"),
    (
        "RekeyLimit",
        "1G|512M 1h|default none|default 10m|16|1.5G 90|0",
    ),
    ("ConnectTimeout", "5|1m|none"),
    ("ConnectionAttempts", "1|3"),
    ("ForwardAgent", "yes|no"),
    (
        "LocalForward",
        "8080 localhost:80|127.0.0.1:81 h:http|[::1]:82 [::2]:83|/tmp/s-%h h:84|*:86 y:87|:88 z:89",
    ),
    (
        "RemoteForward",
        "9090 localhost:90|0 h:91|1080|[::1]:92|/run/r /run/s",
    ),
    (
        "PermitRemoteOpen",
        "any|none|a:1 b:2|*:80 H:*|[::1]:22 127.0.0.1:http|:80|[h]:* a:1 a:1",
    ),
    ("DynamicForward", "1080|localhost:1081|[::1]:1082|*:1083"),
    ("ClearAllForwardings", "no"),
    ("ExitOnForwardFailure", "yes|no"),
    ("GatewayPorts", "yes|no"),
    ("BindAddress", "192.0.2.1|host"),
    ("AddressFamily", "any|inet|INET6"),
    ("SendEnv", "LANG|LC_* FOO|-LC_*|BAR -F*|-L*"),
    ("SetEnv", "A=1|B=\"x y\" C=|A=2 B=3 A=4"),
    ("RequestTTY", "yes|no|force|auto"),
    (
        "RemoteCommand",
        "uptime|echo %h %n %p %r %u %% \"q\"|none|echo %i %l %L %k",
    ),
    ("SessionType", "none|subsystem|default"),
    ("StdinNull", "yes|no"),
    ("LogLevel", "QUIET|debug1|Debug2|INFO|verbose"),
    ("BatchMode", "yes|no"),
    ("NumberOfPasswordPrompts", "0|7"),
    ("PreferredAuthentications", "publickey|password,publickey"),
    ("PasswordAuthentication", "yes|no"),
    ("PubkeyAuthentication", "yes|no|unbound|host-bound"),
    ("ChallengeResponseAuthentication", "yes|no"),
    ("HashKnownHosts", "yes|no"),
    ("UpdateHostKeys", "yes|no"),
    ("NoHostAuthenticationForLocalhost", "yes|no"),
    ("EscapeChar", "~|none|^a|^B|x"),
    ("KeepAlive", "yes|no"),
    ("PermitLocalCommand", "yes|no"),
    ("LocalCommand", "echo %h|none|touch 'x y'"),
    ("ControlMaster", "auto|no|ask"),
    ("ControlPath", "/tmp/%h|~/.ssh/%r@%h:%p|none"),
    ("ControlPersist", "yes|no|10m|0"),
    ("CheckHostIP", "yes|no"),
    ("VerifyHostKeyDNS", "yes|no|ask"),
    ("ForwardX11", "yes|no"),
    ("ForwardX11Timeout", "1h|0"),
    ("StreamLocalBindUnlink", "yes|no"),
    ("Tunnel", "no|yes|ethernet"),
    ("FingerprintHash", "md5|sha256"),
    ("EnableEscapeCommandline", "yes|no"),
    ("RequiredRSASize", "1024|2048"),
    ("VisualHostKey", "yes|no"),
    ("KbdInteractiveDevices", "pam"),
    ("XAuthLocation", "/bin/xauth"),
    ("Protocol", "2"),
];

/// Lines that neither takes.
const BAD: &[&str] = &[
    "Port 0",
    "Port x",
    "Port 22 23",
    "Port",
    "Port \"22",
    "Compression maybe",
    "Compression true",
    "NoSuchKeyword yes",
    "RekeyLimit 15",
    "RekeyLimit 1Q",
    "ConnectTimeout soon",
    "ServerAliveCountMax -1",
    "LocalForward 80",
    "LocalForward 80 host",
    "LocalForward 0 h:1",
    "DynamicForward 0",
    "ProxyJump a,,b",
    "ProxyJump me@",
    "SetEnv A",
    "SendEnv A=1",
    "EscapeChar ab",
    "Match",
    "Match host",
    "Match colour red",
    "Match all host x",
    "Ciphers nothing",
    "UserKnownHostsFile none x",
    "LogLevel LOUD",
    "Host \"\"",
    "ControlPersist x",
    "StrictHostKeyChecking perhaps",
    "ConnectionAttempts x",
    "PermitRemoteOpen any a:1",
    "PermitRemoteOpen a:1 none",
    "PermitRemoteOpen h",
    "PermitRemoteOpen ::1:22",
    "PermitRemoteOpen h:0",
    "PermitRemoteOpen h/80",
    "PermitRemoteOpen [::1",
    "PermitRemoteOpen",
];

const HOSTS: &[&str] = &[
    "alpha",
    "*",
    "beta*",
    "* !alpha",
    "!alpha *",
    "gamma Gamma",
    "10.0.?.*",
    "real.example.org",
    "\"alpha\" delta",
    "nobody",
    "a?pha",
    "*.example.* !beta*",
];

const MATCHES: &[&str] = &[
    "all",
    "host alpha",
    "host real.*,*.net",
    "originalhost ALPHA,b*",
    "user bob",
    "user dave,erin",
    "!user bob",
    "host * user carol",
    "exec true",
    "exec \"test %h = alpha\"",
    "!exec false host gamma",
    "exec \"test %n-%p-%r = delta-2200-carol\"",
    "localuser *",
    "!localuser *",
    "final host *.org",
    "final all",
    "canonical user *",
    "host !alpha,*",
    "all # of them",
];

/// One line in one of the forms that the format allows.
fn line(dice: &mut Dice, keyword: &str, argument: &str) -> String {
    let keyword = match dice.roll(4) {
        0 => keyword.to_lowercase(),
        1 => keyword.to_uppercase(),
        _ => keyword.to_owned(),
    };
    let equals = dice.pick(&[" ", " ", " ", "=", " = ", "\t", "  ", " =", "= "]);
    let indent = dice.pick(&["", "", "  ", "\t"]);
    // A command has no comments, and `none` with one behind it is a jump host of that name to ssh.
    let comment = !matches!(
        keyword.to_lowercase().as_str(),
        "proxycommand" | "remotecommand" | "localcommand" | "proxyjump"
    );
    let end = if comment {
        dice.pick(&["", "", "", "  ", " # why", "\r"])
    } else {
        ""
    };
    format!("{indent}{keyword}{equals}{argument}{end}\n")
}

fn block(dice: &mut Dice, lines: usize) -> String {
    let mut text = String::new();
    for _ in 0..lines {
        let (keyword, arguments) = OPTIONS[dice.roll(OPTIONS.len())];
        let arguments: Vec<_> = arguments.split('|').collect();
        let argument = dice.pick(&arguments);
        text.push_str(&line(dice, keyword, argument));
        if dice.is(5) {
            text.push_str(dice.pick(&["\n", "# comment\n", "   \n", "\t# Port 7\n"]));
        }
    }
    text
}

/// A whole file; what it includes is written beside it.
fn file(dice: &mut Dice, scratch: &Scratch, depth: usize) -> String {
    let lines = 1 + dice.roll(6);
    let mut text = block(dice, lines);
    for _ in 0..dice.roll(6) {
        if dice.is(70) {
            let hosts = dice.pick(HOSTS);
            text.push_str(&line(dice, "Host", hosts));
        } else {
            let _ = writeln!(text, "Match {}", dice.pick(MATCHES));
        }
        let lines = dice.roll(7);
        text.push_str(&block(dice, lines));
        if depth < 2 && dice.is(15) {
            let name = format!("include-{depth}-{}", dice.roll(3));
            let inner = file(dice, scratch, depth + 1);
            scratch.write(&name, &inner);
            let pattern = dice.pick(&["include-D-?", "NAME", "none-* NAME"]);
            let pattern = pattern
                .replace('D', &depth.to_string())
                .replace("NAME", &name);
            let folder = scratch.file("");
            let paths: Vec<_> = pattern
                .split(' ')
                .map(|name| format!("{}{name}", folder.display()))
                .collect();
            text.push_str(&line(dice, "Include", &paths.join(" ")));
        }
    }
    if depth == 0 && dice.is(12) {
        let at = text
            .match_indices('\n')
            .nth(dice.roll(5))
            .map_or(0, |(at, _)| at + 1);
        text.insert_str(at, &format!("{}\n", dice.pick(BAD)));
    }
    text
}

type Values = BTreeMap<String, Vec<(String, String)>>;

/// What the probe says of each destination; `Err` with its complaint.
fn ours(file: &Path, options: &[&str]) -> Vec<Result<Values, String>> {
    let mut command = Command::new(program("config"));
    command.arg(file).args(options);
    let output = run(&mut command, DESTINATIONS.join("\n").as_bytes(), LIMIT).expect_code(0);
    let text = output.text();
    let blocks: Vec<_> = text
        .split("\n\n")
        .take(DESTINATIONS.len())
        .map(values_of)
        .collect();
    assert_eq!(blocks.len(), DESTINATIONS.len(), "{text}");
    blocks
}

fn values_of(block: &str) -> Result<Values, String> {
    let mut values = Values::new();
    for line in block.lines() {
        let [keyword, text, written] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line:?}");
        };
        match keyword {
            "error" => return Err(text.to_owned()),
            "remark" if text.contains("not a keyword that is known") => return Err(text.to_owned()),
            _ => {}
        }
        let list = values.entry(keyword.to_lowercase()).or_default();
        list.push((text.to_owned(), written.to_owned()));
    }
    Ok(values)
}

/// What `ssh -G` says; `None` when it refuses the file.
fn theirs(
    file: &Path,
    options: &[&str],
    destination: &str,
) -> Option<BTreeMap<String, Vec<String>>> {
    let mut command = peer("SSH");
    command.arg("-G").arg("-F").arg(file);
    for option in options {
        command.arg("-o").arg(option);
    }
    let output = run(command.arg(destination), b"", LIMIT);
    if output.code() != Some(0) {
        return None;
    }
    let mut values = BTreeMap::<String, Vec<String>>::new();
    for line in output.text().lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        values
            .entry(keyword.to_lowercase())
            .or_default()
            .push(value.to_owned());
    }
    Some(values)
}

/// Options of which `ssh -G` shows what was written, because they are only expanded when they are used.
const AS_WRITTEN: &[&str] = &[
    "identityfile",
    "certificatefile",
    "globalknownhostsfile",
    "proxycommand",
    "localcommand",
    "identityagent",
    "permitremoteopen",
];
/// Options that `ssh` has a default for and we have not, for nothing here acts on them; and lists of algorithms, which are
/// each one's own.
const OWN_DEFAULTS: &[&str] = &[
    "addkeystoagent",
    "canonicaldomains",
    "canonicalizefallbacklocal",
    "canonicalizehostname",
    "canonicalizemaxdots",
    "canonicalizepermittedcnames",
    "casignaturealgorithms",
    "checkhostip",
    "ciphers",
    "controlmaster",
    "controlpersist",
    "enablesshkeysign",
    "hostbasedacceptedalgorithms",
    "hostbasedauthentication",
    "hostkeyalgorithms",
    "ipqos",
    "kexalgorithms",
    "logverbose",
    "macs",
    "obscurekeystroketiming",
    "proxyusefdpass",
    "pubkeyacceptedalgorithms",
    "securitykeyprovider",
    "syslogfacility",
    "tunnel",
    "tunneldevice",
    "verifyhostkeydns",
    "versionaddendum",
    "warnweakcrypto",
    "channeltimeout",
    "revokedhostkeys",
    // Where the distribution has it compiled in.
    "xauthlocation",
    // `host` is new in later versions.
    "host",
];

/// A value of theirs in our form.
fn in_our_form(keyword: &str, value: &str) -> Option<String> {
    let value = match keyword {
        "identityfile" if value.ends_with("/id_xmss") || value.ends_with("/id_dsa") => return None,
        _ if value == "none"
            && matches!(
                keyword,
                "identityfile" | "connecttimeout" | "userknownhostsfile" | "globalknownhostsfile"
            ) =>
        {
            return None
        }
        "fingerprinthash" => value.to_lowercase(),
        "loglevel" if value == "SILENT" => "QUIET".to_owned(),
        "escapechar" => value.trim_start_matches('\\').to_owned(),
        "remoteforward" => value.trim_end_matches(" [socks]:0").to_owned(),
        "proxyjump" => value.replace(['[', ']'], ""),
        _ if keyword.starts_with("gssapi") => return None,
        _ => match value {
            "true" => "yes".to_owned(),
            "false" => "no".to_owned(),
            value => value.to_owned(),
        },
    };
    Some(value)
}

/// Everything in which the two differ.
fn differences(ours: &Values, theirs: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut found = Vec::new();
    let none = Vec::new();
    for (keyword, their_values) in theirs {
        let expected: Vec<_> = their_values
            .iter()
            .filter_map(|value| in_our_form(keyword, value))
            .collect();
        let our_values = ours.get(keyword).unwrap_or(&none);
        if our_values.is_empty() && OWN_DEFAULTS.contains(&keyword.as_str()) {
            continue;
        }
        let mut have: Vec<_> = our_values
            .iter()
            .map(|(text, written)| {
                if AS_WRITTEN.contains(&keyword.as_str()) {
                    written
                } else {
                    text
                }
                .clone()
            })
            .collect();
        match keyword.as_str() {
            "userknownhostsfile" | "globalknownhostsfile" | "permitremoteopen"
                if !have.is_empty() =>
            {
                have = vec![have.join(" ")]
            }
            // Another default of Debian's.
            "forwardx11trusted" => continue,
            // Debian sends something every five minutes when nobody is there; we do what is asked for.
            "serveraliveinterval" if expected == ["300"] => continue,
            "identityagent" => have = our_values.iter().map(|(text, _)| text.clone()).collect(),
            _ => {}
        }
        if have != expected && !(keyword.starts_with("gssapi") && have.is_empty()) {
            found.push(format!("{keyword}: ours {have:?}, theirs {expected:?}"));
        }
    }
    for keyword in ours.keys().filter(|keyword| !theirs.contains_key(*keyword)) {
        if !matches!(keyword.as_str(), "protocol" | "remark" | "tag") {
            found.push(format!("{keyword} is only ours"));
        }
    }
    found
}

#[test]
fn ssh_says_the_same_of_generated_files() {
    need!("SSH");
    let (mut refused, mut taken) = (0, 0);
    for seed in 1..=FILES {
        let scratch = Scratch::new();
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let text = file(&mut dice, &scratch, 0);
        let path = scratch.write("config", &text);
        let options: &[&str] = if dice.is(20) {
            &[
                "Port=7777",
                "IdentityFile /from/option",
                "LocalForward=1 h:2",
            ]
        } else {
            &[]
        };
        for (destination, our_values) in DESTINATIONS.iter().zip(ours(&path, options)) {
            let their_values = theirs(&path, options, destination);
            match (our_values, their_values) {
                (Ok(ours), Some(theirs)) => {
                    let found = differences(&ours, &theirs);
                    assert!(
                        found.is_empty(),
                        "seed {seed}, {destination}: {found:#?}\n{text}"
                    );
                    taken += 1;
                }
                (Err(_), None) => refused += 1,
                // An unknown keyword where it does not count is no matter to us.
                (Ok(_), None) if text.contains("NoSuchKeyword") => {}
                (Err(error), Some(_)) => {
                    panic!("seed {seed}, {destination}: only ours refuses: {error}\n{text}")
                }
                (Ok(_), None) => panic!("seed {seed}, {destination}: only theirs refuses\n{text}"),
            }
        }
    }
    // The generator is of use.
    assert!(
        taken > 1000 && refused > 50,
        "{taken} taken, {refused} refused"
    );
}

#[test]
fn ssh_makes_the_same_of_all_that_names_a_connection() {
    need!("SSH");
    let scratch = Scratch::new();
    // Later versions take jump hosts into account, so there is none here.
    let path = scratch.write(
        "config",
        "Host alpha\nHostName real\nPort 2222\nUser bob\nHost *\nControlPath /x/%C\n",
    );
    for (destination, ours) in DESTINATIONS.iter().zip(ours(&path, &[])) {
        let theirs = theirs(&path, &[], destination).expect("ssh takes it");
        let found = differences(&ours.expect("we take it"), &theirs);
        assert!(found.is_empty(), "{destination}: {found:#?}");
    }
}

#[test]
fn ssh_refuses_the_same_lines() {
    need!("SSH");
    for bad in BAD {
        let scratch = Scratch::new();
        let path = scratch.write("config", &format!("{bad}\n"));
        assert!(theirs(&path, &[], "alpha").is_none(), "ssh takes {bad}");
        let ours = ours(&path, &[]);
        assert!(ours.iter().all(Result::is_err), "{bad}: {ours:?}");
    }
}
