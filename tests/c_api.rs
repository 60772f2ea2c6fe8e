//! The C tests of `tests/c`, built with all warnings as errors and run: as they are, with AddressSanitizer and
//! UBSan, and under valgrind where it is installed. And the header by itself, in each standard.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

#[path = "c/misuse.rs"]
mod misuse;

const PROGRAMS: &[&str] = &[
    "values",
    "session",
    "handles",
    "forked",
    "threads",
    "turns",
    "loops",
    "callbacks",
    "system",
    "death",
    "relay",
    "streams",
    "pulled",
    "virtual",
    "inspect",
    "sftp",
    "forward",
    "listener",
    "packets",
    "cookies",
    "steps",
    "edges",
    "logs",
    "known_hosts",
    "rotation",
    "agent",
    "signers",
    "certificates",
    "config",
    "connect",
];

/// Not `system`: valgrind keeps high descriptors to itself, and its 64 MiB under signals take long.
const UNDER_VALGRIND: [&str; 18] = [
    "session",
    "handles",
    "forked",
    "threads",
    "callbacks",
    "death",
    "streams",
    "pulled",
    "virtual",
    "sftp",
    "forward",
    "packets",
    "known_hosts",
    "config",
    "connect",
    "listener",
    "logs",
    "misuse",
];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder with the library under the name programs ask for.
fn library_folder() -> PathBuf {
    let library = std::env::current_exe()
        .expect("known")
        .with_file_name("libsshwire.so");
    assert!(library.is_file(), "{} is missing", library.display());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lib");
    std::fs::create_dir_all(&folder).expect("a folder");
    for name in ["libsshwire.so", "libsshwire.so.0"] {
        // Tests run side by side: put the new link in place of the old one at once.
        let temporary = folder.join(format!("{name}.{:?}", std::thread::current().id()));
        let _ = std::fs::remove_file(&temporary);
        std::os::unix::fs::symlink(&library, &temporary).expect("a link");
        std::fs::rename(&temporary, folder.join(name)).expect("in place");
    }
    folder
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut said = String::new();
    let _ = write!(said, "{}", String::from_utf8_lossy(&output.stdout));
    let _ = write!(said, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{said}",
        output.status
    );
}

/// Compiles a C program of the tests.
fn build(source: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let folder = library_folder();
    run(Command::new("gcc")
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Wshadow",
            "-Werror",
            "-g",
            "-O1",
        ])
        .args(flags)
        .arg("-I")
        .arg(root("include"))
        .arg("-I")
        .arg(root("tests/c"))
        .arg("-o")
        .arg(&program)
        .arg(source)
        .arg("-L")
        .arg(&folder)
        .arg(format!("-Wl,-rpath,{}", folder.display()))
        .args(["-lsshwire", "-pthread"]));
    program
}

fn source(name: &str) -> PathBuf {
    root(&format!("tests/c/{name}.c"))
}

/// Cases X1, X2: a program made from the header that passes every function wrong handles and NULL for each
/// pointer in turn.
fn misuse_source() -> PathBuf {
    let header = std::fs::read_to_string(root("include/sshwire.h")).expect("the header");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("misuse.c");
    let temporary = path.with_extension(format!("{:?}", std::thread::current().id()));
    std::fs::write(&temporary, misuse::program(&header)).expect("written");
    std::fs::rename(&temporary, &path).expect("in place");
    path
}

#[test]
fn programs_pass() {
    for name in PROGRAMS {
        run(&mut Command::new(build(&source(name), name, &[])));
    }
    run(&mut Command::new(build(&misuse_source(), "misuse", &[])));
}

#[test]
fn system_calls_that_fail() {
    run(&mut Command::new(build(&source("faults"), "faults", &[])));
}

/// What a long run is asked for: the setting, or what it is without.
fn setting(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

/// Runs a program that says by itself how it goes on.
fn run_aloud(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

#[test]
#[ignore = "takes some minutes; make -C tests faults"]
fn system_calls_that_fail_at_every_place() {
    let stride = setting("SSHWIRE_FAULTS_STRIDE", "1");
    let first = setting("SSHWIRE_FAULTS_FIRST", "0");
    let faults = build(&source("faults"), "faults-all", &[]);
    run_aloud(Command::new(faults).args(["all", &stride, &first]));
}

#[test]
#[ignore = "takes some ten minutes; make -C tests relay"]
fn the_relay_at_every_place() {
    let stride = setting("SSHWIRE_RELAY_STRIDE", "1");
    let first = setting("SSHWIRE_RELAY_FIRST", "0");
    let relay = build(&source("relay"), "relay-all", &[]);
    run_aloud(Command::new(relay).args(["all", &stride, &first]));
}

/// Calls of the C library that begin and end late at random: `late.c`. A program that fails is named with its seed, and the
/// others go on.
#[test]
#[ignore = "takes half an hour; make -C tests late"]
fn programs_pass_when_calls_are_late() {
    let number = |name: &str, otherwise: &str| -> u64 {
        setting(name, otherwise).parse().expect("a number")
    };
    let (rounds, first) = (
        number("SSHWIRE_LATE_ROUNDS", "2"),
        number("SSHWIRE_LATE_FIRST", "0"),
    );
    let late = build(
        &source("late"),
        "late.so",
        &["-shared", "-fPIC", "-Wno-pedantic"],
    );
    let programs: Vec<_> = PROGRAMS
        .iter()
        .map(|name| build(&source(name), name, &[]))
        .collect();
    let mut failures = Vec::new();
    for seed in first..first + rounds {
        // Few that are very late, and many that are a little late.
        for most in ["30,60000", "100,5000", "300,10000"] {
            for program in &programs {
                let setting = format!("{seed},{most}");
                let output = Command::new(program)
                    .env("LD_PRELOAD", &late)
                    .env("SSHWIRE_LATE", &setting)
                    .output()
                    .expect("run");
                if !output.status.success() {
                    let said = String::from_utf8_lossy(&output.stderr);
                    eprintln!(
                        "SSHWIRE_LATE={setting} {}: {}\n{said}",
                        program.display(),
                        output.status
                    );
                    failures.push(format!("{} ({setting})", program.display()));
                }
            }
        }
        eprintln!("seed {seed}: {} failures so far", failures.len());
    }
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn programs_pass_with_sanitizers() {
    let flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    for name in PROGRAMS {
        let program = build(&source(name), &format!("{name}-asan"), &flags);
        // In a child, what only threads of the parent knew is lost by nature.
        let options = format!("detect_leaks={}", i32::from(*name != "forked"));
        run(Command::new(program)
            .env("ASAN_OPTIONS", options)
            .env("SSHWIRE_TEST_SLOW", "20"));
    }
    run(&mut Command::new(build(
        &misuse_source(),
        "misuse-asan",
        &flags,
    )));
}

#[test]
fn programs_pass_under_valgrind() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("CI").is_none(),
            "valgrind is not installed"
        );
        eprintln!("SKIPPED: valgrind is not installed");
        return;
    }
    // Two at a time: this is the longest of these tests, and would end alone on one processor.
    let left = Mutex::new(UNDER_VALGRIND.iter());
    let next = || left.lock().ok()?.next();
    let work = || {
        while let Some(name) = next() {
            run_under_valgrind(name);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
}

fn run_under_valgrind(name: &str) {
    let from = if name == "misuse" {
        misuse_source()
    } else {
        source(name)
    };
    let program = build(&from, &format!("{name}-valgrind"), &[]);
    // In a child, what only threads of the parent knew is lost by nature.
    let leaks = if name == "forked" { "no" } else { "full" };
    // The limit of descriptors is valgrind's own: for the kernel accept() has succeeded, and valgrind closes what came and
    // says EMFILE. So those who wait are lost, where the test wants them to be served later.
    let arguments: &[&str] = match name {
        "listener" => &["without-shortage"],
        _ => &[],
    };
    run(Command::new("valgrind")
        .env("SSHWIRE_TEST_SLOW", "20")
        .args(["-q", "--error-exitcode=9", "--fair-sched=yes", "--vgdb=no"])
        .args([
            "--show-leak-kinds=definite,indirect",
            "--errors-for-leak-kinds=definite,indirect",
        ])
        .arg(format!("--leak-check={leaks}"))
        .arg(program)
        .args(arguments));
}

#[test]
fn the_header_stands_alone() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let include = "#include \"sshwire.h\"\n";
    let (c, cc) = (folder.join("header.c"), folder.join("header.cc"));
    std::fs::write(&c, include).expect("written");
    std::fs::write(&cc, include).expect("written");
    let cases = [
        ("gcc", "c99", &c),
        ("gcc", "c11", &c),
        ("gcc", "c17", &c),
        ("g++", "c++17", &cc),
    ];
    for (compiler, standard, file) in cases {
        run(Command::new(compiler)
            .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"])
            .arg(format!("-std={standard}"))
            .arg("-I")
            .arg(root("include"))
            .arg(file));
    }
    // Where it cannot stand it says why, before the compiler finds fault with a detail.
    let output = Command::new("gcc")
        .args(["-std=c90", "-fsyntax-only", "-I"])
        .arg(root("include"))
        .arg(&c)
        .output()
        .expect("gcc");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("sshwire.h needs C99 or later"),
        "{said}"
    );
}
