//! Keys: files that ssh-keygen, puttygen and this library each read of the other, the same fingerprints, drawings and
//! records, signatures that each checks of the other.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::need;
use crate::peers::{peer, program};
use crate::process::{run, Output, Scratch, LIMIT};

const PASSPHRASE: &str = "correct horse";

/// Numbers of the header: kinds of keys with their bits, and what ssh-keygen calls them.
const KINDS: [(&str, &str, &str, &str); 5] = [
    ("1", "0", "ed25519", "256"),
    ("2", "0", "ecdsa", "256"),
    ("3", "0", "ecdsa", "384"),
    ("4", "0", "ecdsa", "521"),
    ("5", "2048", "rsa", "2048"),
];
const OPENSSH: &str = "1";
const PKCS8: &str = "2";
const PKCS1: &str = "3";
const PPK2: &str = "5";
const PPK3: &str = "6";
const LINE: &str = "7";
const RFC4716: &str = "8";

/// Words of a command line, some of which are paths.
fn ours(arguments: &[&str], input: &[u8]) -> Output {
    run(Command::new(program("keys")).args(arguments), input, LIMIT)
}

fn says(arguments: &[&str]) -> String {
    ours(arguments, b"").expect_code(0).text()
}

fn keygen(arguments: &[&str], input: &[u8]) -> Output {
    run(peer("SSH_KEYGEN").args(arguments), input, LIMIT)
}

fn puttygen(arguments: &[&str]) -> Output {
    run(peer("PUTTYGEN").args(arguments), b"", LIMIT)
}

fn path(file: &Path) -> &str {
    file.to_str().expect("a path of letters")
}

/// `TYPE BASE64` of a public line.
fn words(line: &str) -> String {
    line.split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A key of ssh-keygen's.
fn theirs(scratch: &Scratch, name: &str, kind: usize, options: &[&str]) -> PathBuf {
    let (_, _, name_of_kind, bits) = KINDS[kind];
    let file = scratch.file(name);
    let mut arguments = vec!["-q", "-t", name_of_kind, "-b", bits, "-C", "a comment"];
    arguments.extend(options);
    arguments.extend(["-f", path(&file)]);
    keygen(&arguments, b"").expect_code(0);
    file
}

#[test]
fn fingerprints_drawings_and_records_as_ssh_keygen_shows_them() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    for round in 0..3 {
        for kind in 0..KINDS.len() {
            let file = theirs(&scratch, &format!("key_{kind}_{round}"), kind, &["-N", ""]);
            let shown = says(&["show", path(&file)]);
            let mut expected = String::new();
            for hash in ["sha256", "md5"] {
                let said = keygen(&["-l", "-v", "-E", hash, "-f", path(&file)], b"");
                let said = said.expect_code(0).text();
                let (line, art) = said.split_once('\n').expect("lines");
                let fingerprint = line.split(' ').nth(1).expect("a fingerprint");
                expected += &format!("{fingerprint}\n{art}");
            }
            let records = keygen(&["-r", "host", "-f", path(&file)], b"");
            for record in records.expect_code(0).text().lines() {
                expected += record.strip_prefix("host IN SSHFP ").expect("a record");
                expected.push('\n');
            }
            assert_eq!(shown, expected);
        }
    }
}

#[test]
fn private_keys_of_ours_are_read_by_ssh_keygen() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    for (number, bits, name, _) in KINDS {
        for format in [OPENSSH, PKCS8] {
            // ssh-keygen of Debian 12 does not know Ed25519 in PKCS#8.
            if (name, format) == ("ed25519", PKCS8) {
                continue;
            }
            for passphrase in ["-", PASSPHRASE] {
                let file = scratch.file(&format!("{number}_{format}_{}", passphrase.len()));
                let comment = "someone here";
                let arguments = [number, bits, comment, path(&file), format, passphrase];
                let line = says(&[&["generate"], &arguments[..]].concat());
                let mode = file.metadata().expect("a file").permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
                let given = if passphrase == "-" { "" } else { passphrase };
                let said = keygen(&["-y", "-P", given, "-f", path(&file)], b"").expect_code(0);
                assert_eq!(words(&said.text()), words(&line));
                if format == OPENSSH {
                    assert_eq!(said.text(), line);
                }
                let wrong = keygen(&["-y", "-P", "wrong", "-f", path(&file)], b"");
                assert_eq!(wrong.code() == Some(0), passphrase == "-");
                // A file that is there is not written over.
                let again = ours(&[&["generate"], &arguments[..]].concat(), b"").expect_code(1);
                assert!(again.stderr.contains("File exists"), "{}", again.stderr);
            }
        }
    }
}

#[test]
fn private_keys_of_ssh_keygen_are_read() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    for kind in 0..KINDS.len() {
        for (number, format) in ["RFC4716", "PKCS8", "PEM"].into_iter().enumerate() {
            for passphrase in ["", PASSPHRASE] {
                let name = format!("{kind}_{number}_{}", passphrase.len());
                let options = ["-m", format, "-N", passphrase];
                let file = theirs(&scratch, &name, kind, &options);
                let public = fs::read_to_string(file.with_extension("pub")).expect("a line");
                let said = says(&["load", path(&file), PASSPHRASE]);
                assert_eq!(words(&said), words(&public), "{kind} {format}");
                let told = says(&["inspect", path(&file)]);
                let told: Vec<_> = told.lines().collect();
                assert!(told[0].ends_with(" private"), "{told:?}");
                assert_eq!(told[1] == "-", passphrase.is_empty(), "{told:?}");
                // The format hides what kind of key it is, or says it as ssh-keygen -l does.
                if told[3] != "0" {
                    let seen = keygen(&["-l", "-f", path(&file)], b"")
                        .expect_code(0)
                        .text();
                    assert!(
                        seen.starts_with(&format!("{} ", told[3])),
                        "{seen} {told:?}"
                    );
                }
                if passphrase.is_empty() {
                    continue;
                }
                // And saved anew, under another passphrase, for ssh-keygen.
                let new = scratch.file(&format!("{name}_new"));
                let arguments = [path(&file), PASSPHRASE, path(&new), OPENSSH, "other"];
                says(&[&["convert"], &arguments[..]].concat());
                let said = keygen(&["-y", "-P", "other", "-f", path(&new)], b"").expect_code(0);
                assert_eq!(words(&said.text()), words(&public));
            }
        }
    }
}

#[test]
fn public_keys_in_each_others_files() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    for (kind, (_, _, kind_name, _)) in KINDS.into_iter().enumerate() {
        let file = theirs(&scratch, &format!("key_{kind}"), kind, &["-N", ""]);
        let public = file.with_extension("pub");
        let line = fs::read_to_string(&public).expect("a line");
        assert_eq!(says(&["public", path(&public), LINE]), line);
        let is_rsa = kind_name == "rsa";
        for (name, format) in [("RFC4716", RFC4716), ("PKCS8", PKCS8), ("PEM", PKCS1)] {
            if kind_name == "ed25519" && name != "RFC4716" || name == "PEM" && !is_rsa {
                continue;
            }
            let exported = keygen(&["-e", "-m", name, "-f", path(&public)], b"").expect_code(0);
            let copy = scratch.write(&format!("{kind}_{name}"), &exported.text());
            let said = says(&["public", path(&copy), LINE]);
            assert_eq!(words(&said), words(&line), "{name}");
            let told = says(&["inspect", path(&copy)]);
            assert!(told.starts_with(&format!("{format} public\n-\n")), "{told}");
            let text = says(&["public", path(&file), format]);
            if name != "RFC4716" {
                assert_eq!(text, exported.text());
            }
            let copy = scratch.write(&format!("{kind}_{name}_ours"), &text);
            let imported = keygen(&["-i", "-m", name, "-f", path(&copy)], b"").expect_code(0);
            assert_eq!(words(&imported.text()), words(&line), "{name}");
        }
    }
}

/// What puttygen makes: options, whether the type is one of ours.
const PUTTY_KINDS: [(&[&str], bool); 7] = [
    (&["-t", "ed25519"], true),
    (&["-t", "ecdsa", "-b", "256"], true),
    (&["-t", "ecdsa", "-b", "384"], true),
    (&["-t", "ecdsa", "-b", "521"], true),
    (&["-t", "rsa", "-b", "2048"], true),
    (&["-t", "ed448"], false),
    (&["-t", "dsa", "-b", "1024"], false),
];

/// A form of PuTTY's file: number of the format, parameters, whether encrypted.
const PUTTY_FORMS: [(&str, &str, bool); 7] = [
    (PPK2, "version=2", false),
    (PPK2, "version=2", true),
    (PPK3, "version=3", false),
    // As it is when nobody asks for anything.
    (PPK3, "version=3", true),
    (PPK3, "kdf=argon2i,memory=1024,passes=3,parallelism=2", true),
    (PPK3, "kdf=argon2d,memory=64,passes=20,parallelism=8", true),
    (PPK3, "kdf=argon2id,memory=32768,passes=1", true),
];

#[test]
fn keys_of_puttygen() {
    need!("PUTTYGEN", "SSH_KEYGEN");
    let scratch = Scratch::new();
    let passphrase = scratch.write("passphrase", PASSPHRASE);
    let none = scratch.write("none", "");
    for (kind, (options, known)) in PUTTY_KINDS.into_iter().enumerate() {
        let seed = scratch.file(&format!("seed_{kind}"));
        let mut arguments = vec!["-q", "-C", "made by PuTTY", "-o", path(&seed)];
        arguments.extend(options);
        arguments.extend(["--new-passphrase", path(&none)]);
        puttygen(&arguments).expect_code(0);
        let line = puttygen(&["-L", path(&seed)]).expect_code(0).text();
        for (number, (format, parameters, encrypted)) in PUTTY_FORMS.into_iter().enumerate() {
            let file = scratch.file(&format!("{kind}_{number}.ppk"));
            let secret = if encrypted { &passphrase } else { &none };
            let mut arguments = vec![path(&seed), "-q", "-P", "-O", "private", "-o", path(&file)];
            arguments.extend(["--new-passphrase", path(secret), "--ppk-param", parameters]);
            puttygen(&arguments).expect_code(0);
            fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("chmod");
            let told = says(&["inspect", path(&file)]);
            let told: Vec<_> = told.lines().collect();
            assert_eq!(told[0], format!("{format} private"));
            assert_eq!(told[1] != "-", encrypted, "{told:?}");
            assert_eq!(Some(told[2]), line.split(' ').next());
            assert_eq!(told[4], "made by PuTTY");
            if !known {
                let refused = ours(&["load", path(&file), PASSPHRASE], b"").expect_code(1);
                let words = refused.stderr;
                assert!(words.starts_with("SSH_ERR_KEY_UNSUPPORTED"), "{words}");
                continue;
            }
            let loaded = ours(&["load", path(&file), "wrong", PASSPHRASE], b"").expect_code(0);
            assert_eq!(loaded.text(), line, "{parameters}");
            assert_eq!(loaded.stderr.lines().count(), if encrypted { 2 } else { 0 });
            // The public half is right before a passphrase is known.
            let said = says(&["public", path(&file), LINE]);
            assert_eq!(said, line);
        }
        if known {
            check_putty_public_key(&scratch, &seed, &line);
        }
    }
}

/// PuTTY writes public keys as RFC 4716, and reads OpenSSH's private keys of ours.
fn check_putty_public_key(scratch: &Scratch, seed: &Path, line: &str) {
    let public = puttygen(&[path(seed), "-O", "public"]).expect_code(0);
    let copy = scratch.write("public", &public.text());
    assert_eq!(says(&["public", path(&copy), LINE]), line);
    fs::set_permissions(seed, Permissions::from_mode(0o600)).expect("chmod");
    let new = scratch.file("converted");
    let _ = fs::remove_file(&new);
    says(&["convert", path(seed), "-", path(&new), OPENSSH, "-"]);
    assert_eq!(puttygen(&["-L", path(&new)]).expect_code(0).text(), line);
}

#[test]
fn signatures_over_messages_both_ways() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let message = b"what is signed\n\0\xff".repeat(999);
    for kind in 0..KINDS.len() {
        let file = theirs(&scratch, &format!("key_{kind}"), kind, &["-N", ""]);
        let line = fs::read_to_string(file.with_extension("pub")).expect("a line");
        for hash in ["sha512", "sha256"] {
            let option = format!("hashalg={hash}");
            let arguments = ["-Y", "sign", "-n", "file", "-O", &option, "-f", path(&file)];
            let signed = keygen(&arguments, &message).expect_code(0);
            let signature = scratch.write("theirs.sig", &signed.text());
            let verify = ["verify", path(&signature), "file"];
            let verified = ours(&verify, &message).expect_code(0).text();
            assert_eq!(words(&verified), words(&line));
            for (name_space, message) in [("git", &message[..]), ("file", b"another message")] {
                let refused = ours(&["verify", path(&signature), name_space], message);
                let words = refused.expect_code(1).stderr;
                assert!(words.starts_with("SSH_ERR_SIGNATURE: "), "{words}");
            }
            let signed = ours(&["sign", path(&file), "mail@example.org", hash], &message);
            let signature = scratch.write("ours.sig", &signed.expect_code(0).text());
            let check = |name_space: &str, message: &[u8]| {
                let arguments = ["-Y", "check-novalidate", "-n", name_space, "-s"];
                keygen(&[&arguments[..], &[path(&signature)]].concat(), message).code()
            };
            assert_eq!(check("mail@example.org", &message), Some(0));
            assert_ne!(check("file", &message), Some(0));
            assert_ne!(check("mail@example.org", b"another message"), Some(0));
            let signers = scratch.write("signers", &format!("me@example.org {line}"));
            let arguments = [
                "-Y",
                "verify",
                "-n",
                "mail@example.org",
                "-I",
                "me@example.org",
            ];
            let files = ["-f", path(&signers), "-s", path(&signature)];
            keygen(&[&arguments[..], &files[..]].concat(), &message).expect_code(0);
        }
    }
}

/// Lines of allowed signers in which KEY stands for the key that has signed, OTHER for another one.
const SIGNERS: [&str; 26] = [
    "me@example.org KEY",
    "me@example.org KEY a comment",
    "# me@example.org KEY",
    "  me@example.org\tKEY",
    "ME@example.org KEY",
    "other@example.org KEY",
    "me@example.org OTHER",
    "me@example.org OTHER\nme@example.org KEY",
    "*@example.org KEY",
    "!me@example.org,* KEY",
    "a,?e@example.org KEY",
    "\"some one,me@example.org\" KEY",
    "me@example.org namespaces=\"file\" KEY",
    "me@example.org namespaces=\"git\" KEY",
    "me@example.org NAMESPACES=\"git,f*\" KEY",
    "me@example.org namespaces=\"*,!file\" KEY",
    "me@example.org cert-authority KEY",
    "me@example.org valid-after=\"20231114\" KEY",
    "me@example.org valid-after=\"20231115\" KEY",
    "me@example.org valid-before=\"20231114221319\" KEY",
    "me@example.org valid-before=\"202311142214\" KEY",
    "me@example.org valid-after=\"20231114\",valid-before=\"20231116\",namespaces=\"file\" KEY",
    "me@example.org unknown KEY",
    "me@example.org unknown KEY\nme@example.org KEY",
    "me@example.org namespaces=file KEY",
    "me@example.org valid-after=\"tomorrow\" KEY",
];

#[test]
fn allowed_signers_as_ssh_keygen_judges_them() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let message = b"what is signed";
    let file = theirs(&scratch, "key", 0, &["-N", ""]);
    let other = theirs(&scratch, "other", 0, &["-N", ""]);
    let line =
        |file: &Path| words(&fs::read_to_string(file.with_extension("pub")).expect("a line"));
    let signed = keygen(&["-Y", "sign", "-n", "file", "-f", path(&file)], message);
    let signature = scratch.write("message.sig", &signed.expect_code(0).text());
    let mut seen = [0, 0];
    for form in SIGNERS {
        let text = form
            .replace("OTHER", &line(&other))
            .replace("KEY", &line(&file));
        let signers = scratch.write("signers", &(text + "\n"));
        // 2023-11-14 22:13:20, here as there in UTC.
        let mut command = Command::new(program("keys"));
        command.args(["signer", path(&signature), "file", path(&signers)]);
        command
            .args(["me@example.org", "1700000000"])
            .env("TZ", "UTC");
        let ours = run(&mut command, message, LIMIT);
        let mut command = peer("SSH_KEYGEN");
        command.args(["-Y", "verify", "-n", "file", "-I", "me@example.org"]);
        command.args(["-O", "verify-time=20231114221320", "-f", path(&signers)]);
        command.args(["-s", path(&signature)]).env("TZ", "UTC");
        let theirs = run(&mut command, message, LIMIT);
        let good = theirs.code() == Some(0);
        assert_eq!(
            ours.code() == Some(0),
            good,
            "{form}: {} {}",
            ours.stderr,
            theirs.stderr
        );
        seen[usize::from(good)] += 1;
        if good {
            let mut command = peer("SSH_KEYGEN");
            command.args([
                "-Y",
                "find-principals",
                "-f",
                path(&signers),
                "-s",
                path(&signature),
            ]);
            command
                .args(["-O", "verify-time=20231114221320"])
                .env("TZ", "UTC");
            let found = run(&mut command, message, LIMIT).expect_code(0).text();
            // A line for each.
            let found = found.lines().collect::<Vec<_>>().join(",");
            assert_eq!(ours.text().lines().nth(1), Some(&*found), "{form}");
        }
    }
    assert!(seen[0] > 8 && seen[1] > 8, "{seen:?}");
}

#[test]
fn what_goes_wrong_is_said_with_its_remedy() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let file = theirs(&scratch, "key", 0, &["-N", PASSPHRASE]);
    let name = path(&file);
    let told = |arguments: &[&str]| ours(arguments, b"").expect_code(1).stderr;

    let three = told(&["load", name, "a", "b", "c", PASSPHRASE]);
    assert_eq!(
        three,
        format!(
            "asked 1 for {name}\nasked 2 for {name}\nasked 3 for {name}\n\
             SSH_ERR_PASSPHRASE_WRONG: {name}: wrong passphrase\n"
        )
    );
    let none = told(&["load", name, "-"]);
    assert!(
        none.ends_with(&format!(
            "SSH_ERR_PASSPHRASE_MISSING: {name}: the key is encrypted and no passphrase was given\n"
        )),
        "{none}"
    );
    let long = "x".repeat(1 << 16);
    let cut = told(&["load", name, &long, &long, &long]);
    assert!(cut.contains("SSH_ERR_PASSPHRASE_WRONG"), "{cut}");

    let missing = told(&["load", "/nowhere/key", PASSPHRASE]);
    assert!(
        missing.starts_with("SSH_ERR_IO: cannot open key file /nowhere/key: No such file"),
        "{missing}"
    );
    let no_key = scratch.write("no_key", "hello\n");
    fs::set_permissions(&no_key, Permissions::from_mode(0o600)).expect("chmod");
    let words = told(&["load", path(&no_key), "-"]);
    let expected = format!("SSH_ERR_KEY_MALFORMED: {}: ", path(&no_key));
    assert!(words.starts_with(&expected), "{words}");

    for (mode, good) in [(0o644, false), (0o640, false), (0o400, true)] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).expect("chmod");
        let loaded = ours(&["load", name, PASSPHRASE], b"");
        let theirs = keygen(&["-y", "-P", PASSPHRASE, "-f", name], b"");
        assert_eq!(loaded.code(), Some(i32::from(!good)));
        assert_eq!(theirs.code() == Some(0), good);
        if !good {
            let words = loaded.stderr;
            let expected = format!("SSH_ERR_KEY_EXPOSED: {name}: ");
            assert!(
                words.starts_with(&expected) && words.contains("chmod 600"),
                "{words}"
            );
        }
    }
}
