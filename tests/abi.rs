//! The shared library and its header as a stranger finds them: exported symbols, soname, header.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Cargo builds the shared library for the tests too, beside their programs.
fn library() -> PathBuf {
    let beside = std::env::current_exe()
        .expect("known")
        .with_file_name("libsshwire.so");
    assert!(beside.is_file(), "{} is missing", beside.display());
    beside
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed for this test: {error}"));
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("plain text")
}

/// Name and version of each exported symbol.
fn exported() -> Vec<(String, String)> {
    let library = library();
    let table = output(
        "readelf",
        &["--wide", "--dyn-syms", library.to_str().expect("UTF-8")],
    );
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let [_, _, _, kind, binding, _, section, name, ..] = fields.as_slice() else {
                return None;
            };
            let counts = *section != "UND" && *section != "ABS" && *binding != "LOCAL";
            if !counts || !["FUNC", "OBJECT", "TLS", "NOTYPE"].contains(kind) {
                return None;
            }
            let (name, version) = name.split_once('@').unwrap_or((name, ""));
            Some((name.to_owned(), version.trim_start_matches('@').to_owned()))
        })
        .collect()
}

fn listed() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root("abi/sshwire.symbols")).expect("abi/sshwire.symbols");
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_whitespace().next().expect("a name").to_owned())
        .collect()
}

#[test]
fn exports_what_is_listed_and_nothing_else() {
    let exported: BTreeSet<_> = exported().into_iter().map(|(name, _)| name).collect();
    let listed = listed();
    let new: Vec<_> = exported.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&exported).collect();
    assert!(gone.is_empty(), "no longer exported: {gone:?}");
    assert!(
        new.is_empty(),
        "exported and not in abi/sshwire.symbols: {new:?}"
    );
}

#[test]
fn every_symbol_is_ours_and_has_a_version() {
    for (name, version) in exported() {
        assert!(name.starts_with("ssh_"), "{name} is exported");
        assert_eq!(version, "libsshwire.so.0", "{name}");
    }
}

#[test]
fn has_a_soname_and_stays_mapped() {
    let library = library();
    let dynamic = output(
        "readelf",
        &["--wide", "--dynamic", library.to_str().expect("UTF-8")],
    );
    assert!(
        dynamic.contains("Library soname: [libsshwire.so.0]"),
        "{dynamic}"
    );
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}

#[test]
fn the_header_in_the_tree_is_fresh() {
    let fresh =
        std::fs::read_to_string(concat!(env!("OUT_DIR"), "/sshwire.h")).expect("made by build.rs");
    let kept = std::fs::read_to_string(root("include/sshwire.h")).expect("include/sshwire.h");
    assert!(
        fresh == kept,
        "include/sshwire.h is out of date: make -C examples-c header"
    );
}

#[test]
fn the_header_declares_what_is_exported() {
    let header = std::fs::read_to_string(root("include/sshwire.h")).expect("include/sshwire.h");
    for name in listed() {
        assert!(
            header.contains(&format!("{name}(")),
            "{name} is not in the header"
        );
    }
}

#[test]
fn the_header_names_the_version_of_the_package() {
    let header = std::fs::read_to_string(root("include/sshwire.h")).expect("include/sshwire.h");
    let number = |name: &str| {
        let line = header
            .lines()
            .find(|line| line.starts_with(&format!("#define {name} ")));
        line.and_then(|line| line.rsplit(' ').next())
            .expect("a number")
            .to_owned()
    };
    let version = format!(
        "{}.{}.{}",
        number("SSH_VERSION_MAJOR"),
        number("SSH_VERSION_MINOR"),
        number("SSH_VERSION_PATCH")
    );
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_function_of_the_header_is_documented() {
    let header = std::fs::read_to_string(root("include/sshwire.h")).expect("include/sshwire.h");
    let mut comment = String::new();
    for line in header.lines() {
        if line.starts_with("/**") {
            comment.clear();
        }
        comment.push_str(line);
        let function = line.contains('(') && line.contains(" ssh_")
            || line.contains("*ssh_") && line.contains('(');
        if function
            && !line.starts_with(' ')
            && !line.starts_with("typedef")
            && !line.starts_with('#')
        {
            assert!(comment.contains("Since 0.1"), "{line}: since when?");
            assert!(
                comment.contains("ny thread")
                    || comment.contains("Any other thread")
                    || comment.contains("atfork"),
                "{line}: which thread?"
            );
        }
    }
}

#[test]
fn the_parameters_in_the_comments_are_those_of_the_functions() {
    let header = std::fs::read_to_string(root("include/sshwire.h")).expect("include/sshwire.h");
    let mut checked = 0;
    // Pieces that begin behind a "/**": a comment, and a declaration up to its semicolon.
    for piece in header.split("/**\n").skip(1) {
        let Some((comment, declaration)) = piece.split_once("*/\n") else {
            continue;
        };
        let declaration = declaration.split(';').next().expect("a first part");
        if !declaration.contains(" ssh_") && !declaration.contains("*ssh_")
            || declaration.contains("typedef")
        {
            continue;
        }
        let Some((_, parameters)) = declaration.split_once('(') else {
            continue;
        };
        let name = |words: &str| {
            let last = words.rsplit([' ', '*']).next();
            last.expect("a last part").to_owned()
        };
        let taken: Vec<String> = parameters
            .trim_end_matches(')')
            .split(',')
            .map(|parameter| name(parameter.trim()))
            .filter(|parameter| parameter != "void")
            .collect();
        let told: Vec<&str> = comment
            .split("@param ")
            .skip(1)
            .map(|text| text.split_whitespace().next().expect("a name"))
            .collect();
        // What a single object is needs no words.
        assert!(
            taken == told || told.is_empty() && taken.len() < 2,
            "{declaration}: {told:?}"
        );
        checked += 1;
    }
    assert_eq!(checked, listed().len());
}
