//! Whole files, for one destination at a time. The machine is made up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

mod hostile;

/// A machine with these files, variables and commands.
#[derive(Default)]
pub(super) struct MadeUp {
    files: BTreeMap<String, Vec<u8>>,
    /// Beside SOCKET.
    variables: Vec<(&'static str, &'static str)>,
    commands: Option<Vec<&'static str>>,
    reads: AtomicUsize,
}

impl MadeUp {
    pub(super) fn with_variables(variables: &[(&'static str, &'static str)]) -> Self {
        MadeUp {
            variables: variables.to_vec(),
            ..MadeUp::default()
        }
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
        MadeUp {
            files: files.collect(),
            ..MadeUp::default()
        }
    }
}

impl Surroundings for MadeUp {
    fn local(&self) -> Result<Local, Error> {
        Ok(Local {
            user: "me".into(),
            uid: 1000,
            home: "/home/me".into(),
            host_name: "here.example.org".into(),
        })
    }

    fn read(&self, path: &Path, _: Trust) -> Result<Option<Vec<u8>>, Error> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(self.files.get(path.to_str().unwrap()).cloned())
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, Error> {
        let fits = |name: &&String| super::pattern::matches(pattern, name);
        Ok(self.files.keys().filter(fits).map(PathBuf::from).collect())
    }

    fn variable(&self, name: &str) -> Option<String> {
        let mut all = self.variables.iter().chain(&[("SOCKET", "/run/socket")]);
        let found = all.find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    }

    fn home_of(&self, user: &str) -> Option<String> {
        (user == "root").then(|| "/root".to_owned())
    }

    fn service(&self, name: &str) -> Option<u16> {
        (name == "http").then_some(80)
    }

    fn run(&self, command: &str) -> Result<Option<bool>, String> {
        Ok(self.commands.as_ref().map(|good| good.contains(&command)))
    }
}

fn resolve_in(machine: &MadeUp, text: &str, destination: &str) -> Result<Resolved, Error> {
    let mut config = Config::default();
    config.load_text("config", text.as_bytes())?;
    config.resolve(destination, machine)
}

fn resolve(text: &str, destination: &str) -> Resolved {
    resolve_in(&MadeUp::default(), text, destination).unwrap()
}

fn fault(text: &str) -> String {
    match resolve_in(&MadeUp::default(), text, "host") {
        Err(Error::Config(fault)) => fault.to_string(),
        Err(other) => panic!("{text:?}: {other}"),
        Ok(_) => panic!("{text:?} was taken"),
    }
}

fn texts<'a>(resolved: &'a Resolved, keyword: &str) -> Vec<&'a str> {
    resolved.texts(keyword).collect()
}

#[test]
fn the_first_value_stays() {
    let resolved = resolve(
        "Host a\n Port 1\n User x\nHost *\n Port 2\n Compression yes\nPort 3\n",
        "a",
    );
    assert_eq!((resolved.port(), resolved.user()), (1, "x"));
    assert!(resolved.is_yes("compression"));
    let other = resolve("Host a\n Port 1\nHost *\n Port 2\n", "b");
    assert_eq!((other.port(), other.user()), (2, "me"));
    assert_eq!(
        other.values("Port").unwrap()[0]
            .place
            .as_ref()
            .unwrap()
            .to_string(),
        "config:4"
    );
    assert!(other.values("User").unwrap()[0].place.is_none());
}

#[test]
fn hosts_patterns_and_negation() {
    let port =
        |patterns: &str, host: &str| resolve(&format!("Host {patterns}\nPort 1\n"), host).port();
    for (patterns, host) in [
        ("a", "a"),
        ("b a", "a"),
        ("*", "a"),
        ("?", "a"),
        ("* !b", "a"),
        ("*.org", "a.org"),
        ("\"a\"", "a"),
    ] {
        assert_eq!(port(patterns, host), 1, "{patterns}");
    }
    for (patterns, host) in [
        ("a", "A"),
        ("* !a", "a"),
        ("!a *", "a"),
        ("!b", "a"),
        ("a,b", "a"),
        ("*.org", "a.com"),
    ] {
        assert_eq!(port(patterns, host), 22, "{patterns}");
    }
}

#[test]
fn lists_that_add_up() {
    let text = "\
IdentityFile ~/.ssh/one
IdentityFile two
IdentityFile ~/.ssh/one
CertificateFile c
SendEnv LANG LC_*
SendEnv FOO -LC_*
SetEnv A=1 B=2 A=3
SetEnv C=3
LocalForward 1 a:1
LocalForward 2 b:http
LocalForward 1 a:1
RemoteForward 3
DynamicForward 4
UserKnownHostsFile ~/k1 k2
UserKnownHostsFile k3
";
    let resolved = resolve(text, "host");
    assert_eq!(
        texts(&resolved, "IdentityFile"),
        ["/home/me/.ssh/one", "two"]
    );
    assert_eq!(texts(&resolved, "SendEnv"), ["LANG", "FOO"]);
    assert_eq!(texts(&resolved, "SetEnv"), ["A=1", "B=2"]);
    assert_eq!(texts(&resolved, "LocalForward"), ["1 [a]:1", "2 [b]:80"]);
    assert_eq!(resolved.forwards(ForwardKind::Remote)[0].connect, None);
    assert_eq!(resolved.forwards(ForwardKind::Dynamic).len(), 1);
    assert_eq!(
        texts(&resolved, "UserKnownHostsFile"),
        ["/home/me/k1", "k2"]
    );
    assert_eq!(texts(&resolved, "PermitRemoteOpen"), ["any"]);
    let permit = "PermitRemoteOpen a:http [::1]:* H:2\nPermitRemoteOpen none\n";
    let resolved = resolve(permit, "host");
    assert_eq!(
        texts(&resolved, "PermitRemoteOpen"),
        ["a:80", "[::1]:*", "H:2"]
    );
    assert!(resolved.remarks().is_empty());
    let cleared = resolve(&format!("{text}ClearAllForwardings yes\n"), "host");
    assert!(
        cleared.forwards(ForwardKind::Local).is_empty()
            && texts(&cleared, "DynamicForward").is_empty()
    );
}

#[test]
fn what_holds_when_nothing_is_said() {
    let resolved = resolve("", "Host.Example.ORG");
    assert_eq!(resolved.host_name(), "host.example.org");
    assert_eq!(resolved.original_host(), "Host.Example.ORG");
    assert_eq!(resolved.text("StrictHostKeyChecking"), Some("ask"));
    assert_eq!(texts(&resolved, "IdentityFile").len(), 5);
    assert_eq!(texts(&resolved, "UserKnownHostsFile").len(), 2);
    assert_eq!(resolved.text("UpdateHostKeys"), Some("yes"));
    assert_eq!(resolved.rekey_limit(), (0, 0));
    assert!(resolved.text("Ciphers").is_none() && resolved.values("NoSuch").is_none());
    assert!(resolved.remarks().is_empty() && resolved.jumps().is_empty());
    let own = resolve("UserKnownHostsFile /x\nIdentityFile none\n", "host");
    assert_eq!(own.text("UpdateHostKeys"), Some("no"));
    assert!(own.values("IdentityFile").unwrap().is_empty());
}

#[test]
fn tokens_variables_and_homes() {
    let text = "\
Host alias
 HostName %h.example.org
 User bob
 Port 2222
 IdentityFile ~/.ssh/%r@%h-%n
 IdentityFile ~root/%%
 UserKnownHostsFile %d/%k
 IdentityAgent ${SOCKET}
 ProxyCommand nc %h %p
 RemoteCommand echo %u ${SOCKET}
 LocalForward /run/%n /run/%p
 SetEnv X=%h
";
    let resolved = resolve(text, "alias");
    assert_eq!(resolved.host_name(), "alias.example.org");
    assert_eq!(
        texts(&resolved, "IdentityFile"),
        ["/home/me/.ssh/bob@alias.example.org-alias", "/root/%"]
    );
    assert_eq!(
        resolved.values("IdentityFile").unwrap()[1].written,
        "~root/%%"
    );
    assert_eq!(texts(&resolved, "UserKnownHostsFile"), ["/home/me/alias"]);
    assert_eq!(resolved.text("IdentityAgent"), Some("/run/socket"));
    assert_eq!(
        resolved.text("ProxyCommand"),
        Some("nc alias.example.org 2222")
    );
    assert_eq!(resolved.text("RemoteCommand"), Some("echo me ${SOCKET}"));
    assert_eq!(resolved.text("LocalForward"), Some("/run/alias /run/2222"));
    assert_eq!(resolved.text("SetEnv"), Some("X=alias.example.org"));
    let agents = |text: &str| {
        resolve(text, "host")
            .text("IdentityAgent")
            .unwrap()
            .to_owned()
    };
    assert_eq!(agents("IdentityAgent $SOCKET"), "/run/socket");
    assert_eq!(agents("IdentityAgent $OTHER"), "none");
    assert_eq!(agents("IdentityAgent SSH_AUTH_SOCK"), "SSH_AUTH_SOCK");
}

#[test]
fn match_in_files() {
    let text = "\
Match host real.example.org
 Port 1
Host alias
 HostName real.example.org
Match originalhost alias user bob
 Port 2
Match host real.example.org
 Compression yes
Match localuser me exec \"test %h\"
 LogLevel DEBUG1
";
    let mut machine = MadeUp::default();
    let resolved = resolve_in(&machine, text, "bob@alias").unwrap();
    assert_eq!(resolved.port(), 2);
    assert!(resolved.is_yes("Compression"));
    assert_eq!(resolved.text("LogLevel"), Some("INFO"));
    assert_eq!(resolved.remarks().len(), 1);
    assert!(resolved.remarks()[0]
        .to_string()
        .starts_with("config:9: Match: "));
    machine.commands = Some(vec!["test real.example.org"]);
    let resolved = resolve_in(&machine, text, "alias").unwrap();
    assert_eq!(
        (resolved.port(), resolved.text("LogLevel")),
        (22, Some("DEBUG"))
    );
    assert!(resolved.remarks().is_empty());
}

#[test]
fn the_second_time_names_are_what_they_are_going_to_be() {
    let text = "\
Host alias
 HostName Real.Example.org
Match final host real.example.org
 Port 7
Host real.example.org
 Compression yes
Match canonical
 User late
";
    let resolved = resolve(text, "alias");
    assert_eq!((resolved.port(), resolved.user()), (7, "late"));
    assert!(resolved.is_yes("Compression"));
    // Without anybody who asks for it there is no second time.
    let resolved = resolve("Host alias\n HostName real\nHost real\n Port 7\n", "alias");
    assert_eq!(resolved.port(), 22);
}

#[test]
fn includes() {
    let machine = MadeUp::with(&[
        (
            "/home/me/.ssh/conf.d/1",
            "Port 1\nHost x\n Compression yes\n",
        ),
        ("/home/me/.ssh/conf.d/2", "Host b\nUser second\n"),
        ("/etc/ssh/x", "LogLevel QUIET\n"),
        ("/only", "Host *\nBatchMode yes\n"),
    ]);
    let text = "Include conf.d/* none\nHashKnownHosts yes\nHost a\nInclude /only\nStdinNull yes\n";
    let resolved = resolve_in(&machine, text, "b").unwrap();
    assert_eq!((resolved.port(), resolved.user()), (1, "second"));
    // What is decided in a file does not hold behind it, and nothing in it holds where it does not.
    assert!(resolved.is_yes("HashKnownHosts"));
    assert!(
        !resolved.is_yes("BatchMode")
            && !resolved.is_yes("StdinNull")
            && !resolved.is_yes("Compression")
    );
    assert!(resolve_in(&machine, text, "a").unwrap().is_yes("BatchMode"));
    let place = resolve_in(&machine, text, "b")
        .unwrap()
        .values("User")
        .unwrap()[0]
        .place
        .clone();
    assert_eq!(place.unwrap().to_string(), "/home/me/.ssh/conf.d/2:2");
    assert_eq!(
        resolve_in(&machine, "Include %d/.ssh/conf.d/1", "b")
            .unwrap()
            .port(),
        1
    );
}

#[test]
fn the_system_has_files_of_its_own() {
    let machine = MadeUp::with(&[
        ("/home/me/.ssh/config", "Host a\nPort 1\n"),
        ("/etc/ssh/ssh_config", "Include ssh_config.d/*\nPort 2\n"),
        ("/etc/ssh/ssh_config.d/x", "User x\n"),
    ]);
    let mut config = Config::default();
    config.load_defaults(&machine).unwrap();
    assert_eq!(config.resolve("a", &machine).unwrap().port(), 1);
    let resolved = config.resolve("b", &machine).unwrap();
    assert_eq!((resolved.port(), resolved.user()), (2, "x"));
    let machine = MadeUp::with(&[("/etc/ssh/ssh_config", "Include ~/x\n")]);
    let mut config = Config::default();
    config.load_defaults(&machine).unwrap();
    assert!(matches!(
        config.resolve("a", &machine),
        Err(Error::Config(_))
    ));
    assert!(Config::default()
        .load_file(Path::new("/none"), &machine)
        .is_err());
}

#[test]
fn options_and_destinations_go_before_files() {
    let mut config = Config::default();
    config
        .load_text("config", b"Port 1\nUser file\nIdentityFile f\n")
        .unwrap();
    for option in ["port=2", "Port 3", " IdentityFile = o ", "# nothing"] {
        config.add_option(option).unwrap();
    }
    let machine = MadeUp::default();
    let resolved = config.resolve("them@host", &machine).unwrap();
    assert_eq!((resolved.port(), resolved.user()), (2, "them"));
    assert_eq!(texts(&resolved, "IdentityFile"), ["o", "f"]);
    let resolved = config.resolve("ssh://u@host:99", &machine).unwrap();
    assert_eq!(
        (resolved.port(), resolved.user(), resolved.host_name()),
        (2, "u", "host")
    );
    for bad in ["Host x", "Match all", "Include x", "Port"] {
        let mut config = config.clone();
        config.add_option(bad).unwrap();
        let error = config.resolve("host", &machine).unwrap_err().to_string();
        let place = format!("the option \"{bad}\": ");
        assert!(error.starts_with(&place), "{error}");
    }
    assert!(matches!(
        config.resolve("@", &machine),
        Err(Error::ApiMisuse(_))
    ));
}

#[test]
fn proxies() {
    let jumps = |text: &str| {
        resolve(text, "host")
            .jumps()
            .iter()
            .map(Hop::to_string)
            .collect::<Vec<_>>()
            .join(",")
    };
    assert_eq!(
        jumps("ProxyJump me@a:1,b # why\nProxyCommand x\n"),
        "me@a:1,b"
    );
    assert_eq!(jumps("ProxyCommand x\nProxyJump a\n"), "");
    assert_eq!(jumps("ProxyJump none\nProxyJump a\n"), "");
    let resolved = resolve("ProxyJump none\nProxyCommand x\nProxyJump a\n", "host");
    assert_eq!(resolved.text("ProxyCommand"), Some("x"));
    assert!(resolved.text("ProxyJump").is_none());
    let resolved = resolve("ProxyJump a\nProxyCommand x\n", "host");
    assert!(resolved.text("ProxyCommand").is_none());
    assert!(resolve("ProxyCommand none\n", "host")
        .text("ProxyCommand")
        .is_none());
    assert_eq!(jumps("ProxyJump gate.%h\n"), "gate.host");
    assert!(fault("Port 5\nProxyJump me@host:5\n").contains("config:2: "));
    assert_eq!(jumps("Port 5\nProxyJump host\n"), "host");
    assert_eq!(jumps("User x\nProxyJump me@host\n"), "me@host");
}

/// A destination often comes from elsewhere, and must not choose the way.
#[test]
fn tokens_of_jump_hosts_add_no_hops_and_take_none_away() {
    let hops = |text: &str, destination: &str| {
        resolve_in(&MadeUp::default(), text, destination).map(|resolved| {
            let jumps = resolved.jumps();
            let named = jumps.iter().map(|hop| (hop.user.clone(), hop.host.clone()));
            named.collect::<Vec<_>>()
        })
    };
    let hop = |user: &str, host: &str| {
        let user = (!user.is_empty()).then(|| user.to_owned());
        Ok(vec![(user, host.to_owned())])
    };
    let via_name = "ProxyJump gw-%h\n";
    assert_eq!(hops(via_name, "inner"), hop("", "gw-inner"));
    assert_eq!(hops(via_name, "2001:db8::1"), hop("", "gw-2001:db8::1"));
    let via_user = "\nProxyJump %r@bastion\n";
    assert_eq!(hops(via_user, "me@inner"), hop("me", "bastion"));
    assert_eq!(hops(via_user, "a@b@inner"), hop("a@b", "bastion"));
    for (text, destination) in [
        (via_user, "ssh://%23@inner"),
        (via_user, "ssh://evil.example%23@inner"),
        (via_user, "ssh://evil.example%2Cme@inner"),
        (via_user, "evil.example#@inner"),
        (via_user, "evil.example,me@inner"),
        (via_user, "ssh://ssh:%2F%2Fx%2F@inner"),
        ("\nProxyJump ssh://%25r@bastion\n", "me,x@inner"),
        ("\nProxyJump %h\n", "a#b"),
        ("\nProxyJump %h\n", "none"),
        ("\nProxyJump %n,b\n", "a,b"),
        ("\nProxyJump a,%n\n", "[a]:1"),
        ("\nProxyJump %h\nHost *\nHostName b;c\n", "inner"),
        ("\nProxyJump %r@a\nUser \"${EMPTY}\"\n", "inner"),
    ] {
        let machine = MadeUp::with_variables(&[("EMPTY", "")]);
        let error = match resolve_in(&machine, text, destination) {
            Err(Error::Config(fault)) => fault.to_string(),
            Err(other) => panic!("{text:?} {destination}: {other}"),
            Ok(found) => panic!("{text:?} {destination}: {:?}", found.jumps()),
        };
        assert!(error.starts_with("config:2: "), "{error}");
    }
    // Nor does a sign in the file that is written in another way.
    for bad in ["ssh://a%2Cb@bastion", "ssh://a%23@bastion", "ssh://none"] {
        assert!(fault(&format!("ProxyJump {bad}")).starts_with("config:1: "));
    }
}

/// As for ssh: who is named beside the host is whom it names. Files and options may use tokens.
#[test]
fn the_user_of_a_destination_is_meant_as_it_is() {
    let machine = MadeUp::with_variables(&[("NAME", "them")]);
    let user = |text: &str, destination: &str| {
        let resolved = resolve_in(&machine, text, destination).unwrap();
        resolved.user().to_owned()
    };
    for (destination, expected) in [
        ("ssh://%25l@host", "%l"),
        ("%l@host", "%l"),
        ("a%%b@host", "a%%b"),
        ("%@host", "%"),
        ("%x@host", "%x"),
        ("$NAME@host", "$NAME"),
    ] {
        assert_eq!(user("", destination), expected);
        assert_eq!(user("User file", destination), expected);
    }
    assert_eq!(user("User %u-%%-${NAME}", "host"), "me-%-them");
    let mut config = Config::default();
    config.add_option("User=%u").unwrap();
    let by_option = config.resolve("%l@host", &machine).unwrap();
    assert_eq!(by_option.user(), "me");
    // A jump host is a destination, too.
    let resolved = resolve("ProxyJump %r@bastion\n", "%l@host");
    let hop = &resolved.jumps()[0];
    assert_eq!(hop.user.as_deref(), Some("%l"));
    let at_hop = Config::default().resolve_jump(hop, &machine).unwrap();
    assert_eq!(at_hop.user(), "%l");
}

#[test]
fn algorithms_that_are_not_there_are_told() {
    let resolved = resolve(
        "Ciphers +umac,aes128-cbc\nMACs -foo*\nKexAlgorithms ^nothing\n",
        "host",
    );
    assert_eq!(resolved.text("Ciphers"), Some("+aes128-cbc"));
    assert_eq!(
        resolved.values("Ciphers").unwrap()[0].written,
        "+umac,aes128-cbc"
    );
    assert_eq!(resolved.text("MACs"), Some("-foo*"));
    assert!(resolved.text("KexAlgorithms").is_none());
    let remarks: Vec<_> = resolved.remarks().iter().map(Remark::to_string).collect();
    assert_eq!(remarks.len(), 1, "{remarks:?}");
    assert!(remarks[0].contains("config:1: Ciphers: the algorithm umac"));
    let resolved = resolve("MACs -hm\"some body\",foo*,a\\\"b\n", "host");
    assert_eq!(resolved.text("MACs"), Some("-foo*"));
    assert_eq!(resolved.remarks().len(), 2);
    let resolved = resolve("Ciphers aes128-ctr,-foo,^aes256-ctr,+aes192-ctr\n", "host");
    assert_eq!(resolved.text("Ciphers"), Some("aes128-ctr"));
    assert_eq!(resolved.remarks().len(), 3);
    let resolved = resolve("CASignatureAlgorithms ssh-ed25519,ssh-rsa\n", "host");
    assert_eq!(resolved.text("CASignatureAlgorithms"), Some("ssh-ed25519"));
    assert_eq!(resolved.remarks().len(), 1);
    assert!(fault("CASignatureAlgorithms ssh-ed25519-cert-v01@openssh.com").contains("none of"));
    assert!(fault("Ciphers nothing").contains("none of \"nothing\" is supported"));
    assert!(fault("Ciphers a,,b").contains("not a list"));
}

#[test]
fn what_has_no_effect_is_told() {
    let text = "\
Frobnicate yes
IgnoreUnknown Use*,quux
UseKeychain yes
Quux 1
ControlMaster auto
CheckHostIP no
Protocol 2
Host other
 Unheard of
 ControlPath /x
";
    let resolved = resolve(text, "host");
    let remarks: Vec<_> = resolved
        .remarks()
        .iter()
        .map(|remark| (remark.keyword.as_str(), remark.place.line))
        .collect();
    assert_eq!(
        remarks,
        [("Frobnicate", 1), ("ControlMaster", 5), ("Protocol", 7)]
    );
}

#[test]
fn short_rsa_keys_cannot_be_asked_for() {
    for (bits, remarks) in [("1024", 1), ("2047", 1), ("2048", 0), ("4096", 0)] {
        let resolved = resolve(&format!("RequiredRSASize {bits}\n"), "host");
        assert_eq!(resolved.text("RequiredRSASize"), Some(bits));
        assert_eq!(resolved.remarks().len(), remarks, "{bits}");
    }
    assert!(resolve("", "host").remarks().is_empty());
}

#[test]
fn faults_say_where_and_what() {
    for (text, expected) in [
        (
            "\n\nPort x",
            "config:3: \"x\" is not a port from 1 to 65535",
        ),
        ("Port 1 2", "config:1: Port has an argument too many, \"2\""),
        (
            "Host other\nCompression maybe",
            "config:2: \"maybe\" is none of: yes, no",
        ),
        ("Port \"22", "config:1: a quotation mark"),
        (
            "IdentityFile ~nobody/x",
            "config:1: there is no user nobody",
        ),
        (
            "IdentityFile ${NONE}",
            "config:1: the environment has no variable NONE",
        ),
        ("HostName %x", "config:1: %x stands for nothing here"),
        ("Match colour red", "config:1: Match knows no colour"),
        ("Match all host x", "config:1: all stands alone"),
        ("ConnectTimeout soon", "config:1: \"soon\" is not a time"),
        ("RekeyLimit 3", "config:1: \"3\" is not a number of bytes"),
        ("LocalForward 1", "config:1: that is no forwarding"),
        ("SetEnv A", "config:1: \"A\" is not NAME=VALUE"),
        ("SendEnv A=1", "config:1: \"A=1\" is not a name"),
        ("UserKnownHostsFile none x", "config:1: none stands alone"),
        ("EscapeChar ab", "config:1: \"ab\" is not one character"),
        (
            "ConnectionAttempts 0",
            "config:1: ConnectionAttempts is 1 at least",
        ),
        (
            "RefuseConnection \"not today\"",
            "config:1: RefuseConnection says not to connect: not today",
        ),
        (
            "StreamLocalBindMask 8",
            "config:1: \"8\" is not an octal number",
        ),
        ("Include \"\"", "config:1: Include has an empty name"),
        ("Host \"\"", "config:1: Host has an empty pattern"),
        ("P\u{1b}[2J x\nPort y", "config:2: "),
    ] {
        let found = fault(text);
        assert!(found.starts_with(expected), "{text:?}: {found}");
        assert!(!found.contains('\u{1b}'));
    }
}

#[test]
fn values_mean_what_the_manual_says() {
    for (line, keyword, expected) in [
        ("ServerAliveInterval 1m", "ServerAliveInterval", "60"),
        (
            "ConnectTimeout none\nConnectTimeout 5",
            "ConnectTimeout",
            "5",
        ),
        ("RekeyLimit 1G 1h", "RekeyLimit", "1073741824 3600"),
        (
            "RekeyLimit 1K\nRekeyLimit default 5",
            "RekeyLimit",
            "1024 5",
        ),
        ("RekeyLimit default none", "RekeyLimit", "0 0"),
        ("EscapeChar ^b", "EscapeChar", "^B"),
        ("EscapeChar none", "EscapeChar", "none"),
        ("StrictHostKeyChecking OFF", "StrictHostKeyChecking", "no"),
        ("Port http", "Port", "80"),
        ("KeepAlive no", "TCPKeepAlive", "no"),
        ("ForwardAgent /x/%h", "ForwardAgent", "/x/host"),
        ("ForwardAgent True", "ForwardAgent", "yes"),
        ("ControlPersist 10m", "ControlPersist", "600"),
        ("StreamLocalBindMask 77", "StreamLocalBindMask", "077"),
        ("HostKeyAlias ABC", "HostKeyAlias", "abc"),
        (
            "MACs hmac-sha2-512,hmac-sha2-256,hmac-sha2-512",
            "MACs",
            "hmac-sha2-512,hmac-sha2-256",
        ),
        ("HostName ::0001", "HostName", "::1"),
        (
            "ProxyCommand  =  x \"y\" # z",
            "ProxyCommand",
            "x \"y\" # z",
        ),
    ] {
        assert_eq!(
            resolve(line, "host").text(keyword),
            Some(expected),
            "{line}"
        );
    }
}
