//! `docs/attack-cases.md` must not promise tests that are not there, nor forget a case.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// How many cases each group has.
const GROUPS: [(&str, u32); 18] = [
    ("I", 5),
    ("B", 5),
    ("P", 12),
    ("K", 15),
    ("R", 6),
    ("S", 6),
    ("E", 3),
    ("A", 15),
    ("C", 10),
    ("W", 6),
    ("G", 4),
    ("F", 4),
    ("T", 6),
    ("N", 2),
    ("Y", 4),
    ("H", 3),
    ("L", 5),
    ("X", 13),
];

/// Names of the functions that `#[test]` stands in front of.
fn tests_below(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let mut marked = false;
            for line in text.lines().map(str::trim) {
                if line == "#[test]" {
                    marked = true;
                } else if let Some(rest) = line.strip_prefix("fn ") {
                    if std::mem::take(&mut marked) {
                        found.extend(rest.split('(').next().map(str::to_owned));
                    }
                }
            }
        }
    }
}

/// ID, names of tests, remarks of each row.
fn rows() -> Vec<(String, Vec<String>, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/attack-cases.md")).unwrap();
    text.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, id, tests, remarks, _] = cells[..] else {
                return None;
            };
            let names = tests
                .split(',')
                .map(|name| name.trim().trim_matches('`').to_owned())
                .filter(|name| !name.is_empty())
                .collect();
            Some((id.to_owned(), names, remarks.to_owned()))
        })
        .filter(|(id, ..)| id.chars().any(|letter| letter.is_ascii_digit()))
        .collect()
}

/// Whether `tests/c` has the program, `tests/c_api.rs` runs it, and its `main` reaches the function behind the colon.
fn has_program(root: &Path, program: &str, function: &str) -> bool {
    let runs = fs::read_to_string(root.join("tests/c_api.rs")).unwrap();
    let listed = runs.split("];").next().unwrap_or_default();
    let Ok(text) = fs::read_to_string(root.join(format!("tests/c/{program}.c"))) else {
        return false;
    };
    let called = |name: &str| {
        let (_, main) = text.split_once("int main(").unwrap_or_default();
        main.contains(&format!("{name}("))
    };
    listed.contains(&format!("    \"{program}\","))
        && (function.is_empty() || function.strip_prefix(':').is_some_and(called))
}

#[test]
fn every_case_has_a_row() {
    let listed: Vec<String> = rows().into_iter().map(|(id, ..)| id).collect();
    let wanted: Vec<String> = GROUPS
        .iter()
        .flat_map(|(group, count)| (1..=*count).map(move |number| format!("{group}{number}")))
        .collect();
    assert_eq!(listed, wanted);
}

#[test]
fn every_test_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    tests_below(&root.join("src"), &mut found);
    tests_below(&root.join("tests"), &mut found);
    for (id, names, remarks) in rows() {
        assert!(
            !names.is_empty() || remarks.contains("later issue") || remarks.contains("open"),
            "{id} has no test and does not say why"
        );
        for name in names {
            let is_there = match name.split_once(".c") {
                Some((program, function)) => has_program(root, program, function),
                None => found.contains(&name),
            };
            assert!(is_there, "{id}: there is no test {name}");
        }
    }
}
