//! `docs/seeds.md` must name every member of the seeds, functions that exist, and files that use them.

use std::fs;
use std::path::Path;

/// The members of the seed document on Transport, those that it inherits from a thread included.
const TRANSPORT: &str = "__init__ __repr__ accept add_server_key atfork auth_interactive auth_none auth_password \
    auth_publickey cancel_port_forward close connect get_exception get_hexdump get_log_channel get_remote_server_key \
    get_security_options get_server_key get_username getpeername global_request is_active is_authenticated open_channel \
    open_forwarded_tcpip_channel open_session open_sftp_client open_x11_channel renegotiate_keys request_port_forward \
    run send_ignore set_hexdump set_keepalive set_log_channel set_subsystem_handler start_client start_server \
    stop_thread use_compression load_server_moduli getName isAlive isDaemon join setDaemon setName start";

/// Those of the one on Packetizer.
const PACKETIZER: &str = "Packetizer NeedRekeyException complete_handshake handshake_timed_out need_rekey read_all \
    read_message readline send_message set_inbound_cipher set_keepalive set_log set_outbound_cipher start_handshake";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Member, functions, tests, examples of each row.
fn rows() -> Vec<[Vec<String>; 4]> {
    let text = read("docs/seeds.md");
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, seed, functions, tests, example, _] = cells[..] else {
            return None;
        };
        Some([seed, functions, tests, example].map(quoted))
    });
    rows.filter(|[members, ..]| !members.is_empty()).collect()
}

#[test]
fn every_member_is_named() {
    let rows = rows();
    for member in TRANSPORT
        .split_whitespace()
        .chain(PACKETIZER.split_whitespace())
    {
        let named = rows
            .iter()
            .any(|[members, ..]| members.iter().any(|m| m == member));
        assert!(named, "{member} has no row");
    }
}

#[test]
fn every_function_exists_and_is_used_in_a_file_beside_it() {
    let header = read("include/sshwire.h");
    for [members, functions, tests, examples] in rows() {
        assert!(
            functions.is_empty() || !tests.is_empty(),
            "{members:?} has no test"
        );
        let tests = tests.iter().map(|file| read(&format!("tests/{file}")));
        let examples = examples
            .iter()
            .map(|file| read(&format!("examples-c/{file}")));
        let files: Vec<_> = tests.chain(examples).collect();
        for function in functions {
            let call = format!("{function}(");
            assert!(header.contains(&call), "{function} is not in the header");
            let used = files.iter().any(|text| text.contains(&call));
            assert!(used, "{function} is in no file named beside it");
        }
    }
}
