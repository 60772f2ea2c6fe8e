//! The command line behind `~C` of `examples-c/ssh`, with `ssh` beside it.

use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::need;
use crate::peers::{path, Rig, Sshd};
use crate::process::LIMIT;
use crate::pty::drive;
use crate::ssh_session::{echo_server, echoes, free_port};

/// The talk goes on when the file is there.
fn wait_for(file: &Path) -> String {
    format!(
        "send while [ ! -e '{}' ]; do sleep 0.05; done; echo go''on\nexpect goon\n",
        path(file)
    )
}

fn is_closed(port: u16) {
    let end = Instant::now() + LIMIT;
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(Instant::now() < end, "port {port} is still listened on");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Speaks as much SOCKS as is needed to be led to a port.
fn is_led_to(socks: u16, target: u16) {
    use std::io::{Read, Write};
    let end = Instant::now() + LIMIT;
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", socks)) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < end, "SOCKS: {error}"),
        }
        thread::sleep(Duration::from_millis(20));
    };
    stream.set_read_timeout(Some(LIMIT)).expect("timeout");
    let mut request = vec![5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1];
    request.extend(target.to_be_bytes());
    stream.write_all(&request).expect("request");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("answer");
    assert_eq!(answer[..4], [5, 0, 5, 0]);
    stream.write_all(b"hello").expect("write");
    let mut back = [0; 5];
    stream.read_exact(&mut back).expect("echo");
    assert_eq!(&back, b"hello");
}

const ENABLED: [&str; 4] = ["-o", "EnableEscapeCommandline=yes", "-o", "LogLevel=INFO"];

/// Forwardings that begin and end while a shell goes on.
fn forwards(rig: &Rig<Sshd>, mut command: Command) {
    let (target, local, remote, socks) = (echo_server(), free_port(), free_port(), free_port());
    let seen = rig.scratch.file("seen");
    let _ = std::fs::remove_file(&seen);
    let mut talk = String::from("send PS1='ready> '; echo on''line\nexpect online\n");
    for (line, answer) in [
        (format!("-L {local}:127.0.0.1:{target}"), "Forwarding port"),
        (format!("-R{remote}:127.0.0.1:{target}"), "Forwarding port"),
        (format!("-D {socks}"), "Forwarding port"),
    ] {
        talk +=
            &format!("type ~C\nexpect ssh> \nsend {line}\nexpect {answer}\nsend\nexpect ready> \n");
    }
    talk += &wait_for(&seen);
    for line in [
        format!("-KL {local}"),
        format!("-KR{remote}"),
        format!("-KD {socks}"),
    ] {
        talk += &format!("type ~C\nexpect ssh> \nsend {line}\nexpect Cancell?ed forwarding\nsend\nexpect ready> \n");
        talk += &format!("type ~C\nexpect ssh> \nsend {line}\nexpect Unknown port forwarding\nsend\nexpect ready> \n");
    }
    talk += "send exit 4\n";
    command.args(ENABLED).arg("rig");
    thread::scope(|scope| {
        let person = scope.spawn(|| drive(&rig.scratch, &talk, &command));
        echoes(local);
        echoes(remote);
        is_led_to(socks, target);
        File::create(&seen).expect("file");
        person.join().expect("drive").expect_code(4);
    });
    for port in [local, remote, socks] {
        is_closed(port);
    }
}

#[test]
fn forwardings_while_the_session_goes_on() {
    need!("SSHD", "ACCOUNT", "PYTHON");
    let rig = Rig::sshd("");
    forwards(&rig, rig.ssh(&[]));
}

/// What is typed and what comes of it, with both programs.
#[test]
fn commands_as_ssh_has_them() {
    need!("SSHD", "SSH", "ACCOUNT", "PYTHON");
    let rig = Rig::sshd("");
    forwards(&rig, rig.real_ssh("SSH"));
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
    let taken = taken.local_addr().expect("address").port();
    let place = format!("-L 127.0.0.1:{taken}:127.0.0.1:1");
    let said = rig.scratch.file("said");
    let local = format!("!echo loc''al >'{}'", path(&said));
    for (permits, typed, answer) in [
        ("no", "h", "Commands:"),
        ("no", "?", "Commands:"),
        ("no", "-h", "Commands:"),
        ("no", "what", "Invalid command"),
        ("no", "-X 1", "Invalid command"),
        ("no", "-L 1", "Bad .*specification"),
        ("no", "-D nonsense", "Bad .*specification"),
        ("no", "-KL 1", "Unknown port forwarding"),
        ("no", &place, "(Port forwarding failed|cannot be forwarded)"),
        ("no", &local, "Invalid command"),
        ("no", "", ""),
        ("yes", &local, ""),
    ] {
        for mut command in [rig.ssh(&[]), rig.real_ssh("SSH")] {
            command
                .args(ENABLED)
                .arg("-o")
                .arg(format!("PermitLocalCommand={permits}"));
            let talk = format!(
                "send PS1='ready> '; echo on''line\nexpect online\ntype ~C\nexpect ssh> \nsend {typed}\n\
                 expect {answer}\nsend echo af''ter\nexpect after\nsend exit 6\n"
            );
            drive(&rig.scratch, &talk, command.arg("rig")).expect_code(6);
        }
    }
    assert_eq!(std::fs::read_to_string(said).expect("said"), "local\n");
}

/// Off unless it is asked for, as for ssh.
#[test]
fn the_command_line_is_off_at_first() {
    need!("SSHD", "SSH", "ACCOUNT", "PYTHON");
    let rig = Rig::sshd("");
    for mut command in [rig.ssh(&[]), rig.real_ssh("SSH")] {
        let talk = "send PS1='ready> '; echo on''line\nexpect online\ntype ~C\nexpect disabled\n\
                    send echo af''ter\nexpect after\nsend exit 7\n";
        drive(&rig.scratch, talk, command.arg("rig")).expect_code(7);
    }
}
