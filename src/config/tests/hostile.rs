//! Files made to do harm: that never end, that hold what no text holds, that take time.

use std::sync::atomic::Ordering;

use super::{fault, resolve, resolve_in, MadeUp};
use crate::config::{Config, MAX_FILE};

#[test]
fn files_that_include_each_other_end() {
    let include_itself = MadeUp::with(&[("/loop", "Include /loop\n")]);
    let error = resolve_in(&include_itself, "Include /loop", "host")
        .unwrap_err()
        .to_string();
    assert!(error.contains("more than 16 deep"), "{error}");
    assert_eq!(include_itself.reads.load(Ordering::Relaxed), 16);
    let deep: Vec<_> = (1..=17)
        .map(|n| (format!("/{n}"), format!("Include /{}\n", n + 1)))
        .collect();
    let deep: Vec<_> = deep
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    assert!(resolve_in(&MadeUp::with(&deep[..15]), "Include /1", "host").is_ok());
    assert!(resolve_in(&MadeUp::with(&deep), "Include /1", "host").is_err());
    // Twice at each of a few levels is more than anybody reads.
    let names: Vec<String> = (0..12).map(|n| format!("/{n}")).collect();
    let texts: Vec<String> = (1..13)
        .map(|n| format!("Include /{n}\nInclude /{n}\n"))
        .collect();
    let files: Vec<_> = names
        .iter()
        .zip(&texts)
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let many = MadeUp::with(&files);
    let error = resolve_in(&many, "Include /0", "host")
        .unwrap_err()
        .to_string();
    assert!(error.contains("so many files are included"), "{error}");
    assert!(many.reads.load(Ordering::Relaxed) <= 1100);
}

#[test]
fn hostile_files_are_bounded() {
    assert!(fault("Port 1\0\n").contains("NUL"));
    assert!(fault(&format!("User {}\n", "x".repeat(1 << 20))).contains("65536 bytes at most"));
    let mut config = Config::default();
    assert!(config.load_text("x", &vec![b'\n'; MAX_FILE + 1]).is_err());
    let latin1 = b"# caf\xe9\nUser caf\xe9\n";
    config.load_text("x", latin1).unwrap();
    let error = config
        .resolve("host", &MadeUp::default())
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("x:2: the line is not UTF-8"), "{error}");
    // A MiB of lines, and the longest Match.
    let many = "SendEnv A\n".repeat(1 << 17);
    assert!(fault(&many).contains("more than 1000 SendEnv"));
    let many = "Frob x\n".repeat(1 << 17);
    assert_eq!(resolve(&many, "host").remarks().len(), 1000);
    let many = "Match user me\n".repeat(1 << 15);
    assert_eq!(resolve(&format!("{many}Port 1\n"), "host").port(), 1);
    let long = format!("Match {}\nPort 1\n", "user me ".repeat(8000));
    assert_eq!(resolve(&long, "host").port(), 1);
    let stars = format!("Host {}b\nPort 1\n", "*a".repeat(30_000));
    assert_eq!(resolve(&stars, &"a".repeat(1000)).port(), 22);
}

#[test]
fn any_bytes_come_to_an_end() {
    use crate::crypto::random::{Random, SeededRandom};
    let mut random = SeededRandom::new(7);
    let words = [
        "Host",
        "Match",
        "Include",
        "Port",
        "User",
        "=",
        " ",
        "\t",
        "\"",
        "'",
        "\\",
        "#",
        "\n",
        "%h",
        "${SOCKET}",
        "~",
        "*",
        "!",
        "all",
        "final",
        "exec",
        "host",
        "none",
        "yes",
        ",",
        ":",
        "[",
        "]",
        "/",
        "ProxyJump",
        "LocalForward",
        "SetEnv",
        "\u{0}",
        "\u{e4}",
    ];
    for _ in 0..3000 {
        let mut bytes = [0; 60];
        random.fill(&mut bytes);
        let text: String = bytes
            .iter()
            .map(|byte| words[usize::from(*byte) % words.len()])
            .collect();
        let _ = resolve_in(&MadeUp::default(), &text, "host");
        let mut config = Config::default();
        let _ = config.load_text("x", &bytes);
        let _ = config.resolve("host", &MadeUp::default());
    }
}

/// Whoever writes the address of a repository writes the host and the user, and both come into commands.
#[test]
fn names_that_a_shell_would_read_reach_no_command() {
    let text = "Match exec \"look %n %h %r\"\nPort 1\nHost *\nProxyCommand via %h %r\n";
    let asked = MadeUp {
        commands: Some(Vec::new()),
        ..MadeUp::default()
    };
    let with_user = |user: &str| {
        let mut config = Config::default();
        config.load_text("config", text.as_bytes()).unwrap();
        config
            .add_option(&format!("User \"{}\"", user.replace('\\', "\\\\")))
            .unwrap();
        config.resolve("host", &asked)
    };
    for bad in [
        "-oProxyCommand=x",
        "a;b",
        "a$(b)",
        "a`b`",
        "a|b",
        "a&b",
        "a<b",
        "a>b",
        "a{b}",
        "a'b",
        "a b",
        "a\tb",
        "a\nb",
        "a\\b",
        "a\u{1b}[2J",
        "$HOME",
    ] {
        let error = resolve_in(&asked, text, bad).unwrap_err().to_string();
        assert!(
            error.contains("see where it comes from"),
            "{bad:?}: {error}"
        );
        assert!(!error.contains(['\n', '\t', '\u{1b}']), "{error:?}");
        let error = resolve_in(&asked, text, &format!("{bad}@host"))
            .err()
            .map(|error| error.to_string());
        // A user may have a domain, blanks and a dollar sign.
        let may = ["a b", "a\tb", "a\\b", "$HOME"].contains(&bad) && !bad.contains('\t');
        assert_eq!(error.is_none(), may, "{bad:?}: {error:?}");
    }
    for (user, good) in [
        ("domain\\user", true),
        ("first last", true),
        ("host$", true),
        ("user@example.org", true),
        ("-x", false),
        ("a -oProxyCommand=x", false),
        ("a\\", false),
        ("a;b", false),
        ("`a`", false),
    ] {
        assert_eq!(with_user(user).is_ok(), good, "{user}");
    }
    // What the author of a file writes is theirs.
    let own = resolve("Host a\nHostName b;c\nUser d;e\n", "a");
    assert_eq!((own.host_name(), own.user()), ("b;c", "d;e"));
    for good in [
        "host",
        "host_1.example.org",
        "fe80::1%eth0",
        "a/b",
        "höst",
        "user@host",
    ] {
        assert!(resolve_in(&asked, text, good).is_ok(), "{good}");
    }
}
