//! Makes a C program out of the header that calls every function wrongly.

use std::fmt::Write;

/// A function of the header.
struct Function {
    returns: String,
    name: String,
    arguments: Vec<Argument>,
}

struct Argument {
    kind: Kind,
    name: String,
    /// The declared type without the name.
    form: String,
}

#[derive(PartialEq)]
enum Kind {
    /// `ssh_x *`: the noun.
    Handle(String),
    Callback,
    Pointer,
    Number,
}

/// The source of the program.
pub fn program(header: &str) -> String {
    let functions = functions(header);
    assert!(functions.len() > 150, "the header was not understood");
    let mut source = String::from(PREFIX);
    source.push_str("static void wrong_handles(void *bad)\n{\n");
    for function in &functions {
        wrong_handles(&mut source, function);
    }
    source.push_str("}\n\nstatic void null_in_turn(void)\n{\n");
    for function in &functions {
        null_in_turn(&mut source, function);
    }
    source.push_str("}\n");
    source.push_str(MAIN);
    source
}

fn functions(header: &str) -> Vec<Function> {
    let mut plain = String::new();
    let mut rest = header;
    while let Some((before, after)) = rest.split_once("/*") {
        plain.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    let code: String = plain
        .lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("extern"))
        .flat_map(|line| [line, " "])
        .collect();
    code.split(';')
        .filter_map(|statement| function(statement.trim()))
        .collect()
}

fn function(statement: &str) -> Option<Function> {
    if statement.starts_with("typedef") {
        return None;
    }
    let (head, tail) = statement.split_once('(')?;
    let (returns, name) = head.split_at(head.rfind("ssh_")?);
    let arguments = tail.trim_end().strip_suffix(')')?;
    let arguments = match arguments.trim() {
        "void" => Vec::new(),
        list => list.split(',').map(argument).collect(),
    };
    Some(Function {
        returns: returns.trim().to_owned(),
        name: name.trim().to_owned(),
        arguments,
    })
}

fn argument(text: &str) -> Argument {
    let text = text.trim();
    let at = text.rfind([' ', '*']).expect("type and name") + 1;
    let (form, name) = text.split_at(at);
    let bare = form.trim().trim_start_matches("const ");
    let kind = match bare.strip_suffix('*') {
        Some(noun) if noun.trim().starts_with("ssh_") && !noun.contains('*') => {
            Kind::Handle(noun.trim().to_owned())
        }
        Some(_) => Kind::Pointer,
        None if bare.ends_with("_callback") => Kind::Callback,
        None => Kind::Number,
    };
    Argument {
        kind,
        name: name.to_owned(),
        form: form.trim().to_owned(),
    }
}

/// A harmless value for an argument.
fn harmless(argument: &Argument) -> String {
    match &argument.kind {
        Kind::Handle(noun) => format!("good_{noun}()"),
        Kind::Callback => "NULL".into(),
        Kind::Pointer if argument.form == "char **" => "(char **)&memory".into(),
        Kind::Pointer
            if argument.form.matches('*').count() == 2 && argument.form.contains("char") =>
        {
            "strings".into()
        }
        // A name would leave the system's resolver at work when the program ends.
        Kind::Pointer if argument.name == "address" => "\"127.0.0.1:1\"".into(),
        Kind::Pointer if argument.form == "void **" => "&memory".into(),
        Kind::Pointer if argument.form == "ssh_error **" => "&told".into(),
        Kind::Pointer => format!("({})area", argument.form),
        Kind::Number => match argument.name.as_str() {
            "fd" => "-1".into(),
            // Nothing may wait: there is nobody at the other end.
            "timeout_ms" | "interval_ms" | "index" => "0".into(),
            "length" | "capacity" | "count" => "4".into(),
            name if name.ends_with("_length") => "4".into(),
            _ => "1".into(),
        },
    }
}

fn call(function: &Function, values: &[String]) -> String {
    format!("{}({})", function.name, values.join(", "))
}

fn wrong_handles(source: &mut String, function: &Function) {
    let handles = function
        .arguments
        .iter()
        .any(|a| matches!(a.kind, Kind::Handle(_)));
    if !handles {
        return;
    }
    let values: Vec<_> = function
        .arguments
        .iter()
        .map(|argument| match argument.kind {
            Kind::Handle(_) => "bad".into(),
            _ => harmless(argument),
        })
        .collect();
    let call = call(function, &values);
    // No event at all is an event of nobody's, for all functions but its own.
    let only_events = function
        .arguments
        .iter()
        .all(|a| !matches!(&a.kind, Kind::Handle(noun) if noun != "ssh_event"));
    if only_events && !function.name.starts_with("ssh_event_") {
        source.push_str("    if (bad != NULL)\n    ");
    }
    let _ = match function.returns.as_str() {
        "ssh_status" => writeln!(source, "    CHECK({call} < 0);"),
        "void" => writeln!(source, "    {call};"),
        // Any handle that comes out of nothing would be a leak at least.
        returns if returns.contains('*') && !returns.contains("const") => {
            writeln!(source, "    CHECK({call} == NULL);")
        }
        _ => writeln!(source, "    (void){call};"),
    };
    let _ = writeln!(source, "    renew();");
}

fn null_in_turn(source: &mut String, function: &Function) {
    for (index, argument) in function.arguments.iter().enumerate() {
        if argument.kind == Kind::Number {
            continue;
        }
        let mut values: Vec<_> = function.arguments.iter().map(harmless).collect();
        values[index] = "NULL".into();
        let call = call(function, &values);
        let frees = match function.returns.as_str() {
            "void *" => None,
            returns if returns.contains("const") => None,
            "char *" => Some("ssh_memory_free"),
            "ssh_transport *" | "ssh_channel *" => None,
            "ssh_agent *" => Some("ssh_agent_free"),
            "ssh_agent_identities *" => Some("ssh_agent_identities_free"),
            "ssh_authorized_keys *" => Some("ssh_authorized_keys_free"),
            "ssh_certificate *" => Some("ssh_certificate_free"),
            "ssh_config *" => Some("ssh_config_free"),
            "ssh_config_host *" => Some("ssh_config_host_free"),
            "ssh_error *" => Some("ssh_error_free"),
            "ssh_event *" => Some("ssh_event_free"),
            "ssh_forward *" => Some("ssh_forward_free"),
            "ssh_key *" => Some("ssh_key_free"),
            "ssh_key_info *" => Some("ssh_key_info_free"),
            "ssh_listener *" => Some("ssh_listener_free"),
            "ssh_known_hosts *" => Some("ssh_known_hosts_free"),
            "ssh_known_hosts_entry *" => Some("ssh_known_hosts_entry_free"),
            "ssh_message *" => Some("ssh_message_free"),
            "ssh_request *" => Some("ssh_request_free"),
            "ssh_revocations *" => Some("ssh_revocations_free"),
            "ssh_security_options *" => Some("ssh_security_options_free"),
            "ssh_sftp *" => Some("ssh_sftp_free"),
            "ssh_sftp_attributes *" => Some("ssh_sftp_attributes_free"),
            "ssh_sftp_dir *" => Some("ssh_sftp_dir_free"),
            "ssh_sftp_file *" => Some("ssh_sftp_file_free"),
            "ssh_sftp_server *" => Some("ssh_sftp_server_free"),
            _ => None,
        };
        let _ = match frees {
            Some(free) => writeln!(source, "    {free}({call});"),
            None if function.returns == "void" => writeln!(source, "    {call};"),
            None => writeln!(source, "    (void){call};"),
        };
        let _ = writeln!(source, "    renew();");
    }
}

const PREFIX: &str = r#"/* Made from the header by tests/c/misuse.rs. */
#include "pair.h"

#include <ftw.h>

static _Alignas(16) char area[64];
static const char *strings[4] = {"a", "b", "c", "d"};

static pair live, files;
static char directory[] = "/tmp/sshwire-misuse-XXXXXX";
static ssh_transport *transport;
static ssh_channel *channel, *server_channel;
static ssh_request *request;
static ssh_key *key;
static ssh_event *event;
static ssh_error *error, *told;
static void *memory;
static ssh_server *server;
static ssh_security_options *options;
static ssh_forward *forward;
static ssh_listener *listener;
static ssh_sftp_server *sftp_server;
static ssh_sftp *sftp;
static ssh_sftp_attributes *sftp_attributes;
static ssh_sftp_dir *sftp_dir;
static ssh_sftp_file *sftp_file;
static ssh_packetizer *packetizer;
static ssh_message *message;
static ssh_sftp *made_up;
static ssh_sftp_operation *_Atomic sftp_operation;
static ssh_known_hosts *known_hosts;
static ssh_agent *agent;
static ssh_agent_identities *agent_identities;
static ssh_certificate *certificate;
static ssh_revocations *revocations;
static ssh_authorized_keys *authorized_keys;
static ssh_config *config;
static ssh_config_host *config_host;

/* Makes what the last call may have used up, and puts the scratch memory in order. */
static void renew(void)
{
    ssh_memory_free(memory);
    memory = NULL;
    ssh_error_free(told);
    told = NULL;
    memset(area, 0, sizeof area);
    memcpy(area, "text", 4);
}

static ssh_transport *good_ssh_transport(void)
{
    int fds[2];
    ssh_transport_free(transport);
    sockets(fds);
    transport = ssh_transport_new(fds[0], NULL);
    close(fds[1]);
    return transport;
}

static ssh_channel *good_ssh_channel(void)
{
    ssh_channel_free(channel);
    ssh_channel_free(server_channel);
    channel = ssh_transport_open_session(live.client, 10000, NULL);
    server_channel = ssh_transport_accept(live.server_transport, 10000, NULL);
    CHECK(channel != NULL && server_channel != NULL);
    return channel;
}

static ssh_request *good_ssh_request(void)
{
    ssh_request_free(request);
    CHECK_STATUS(ssh_transport_global_request(live.client, "x@example.org", "data", 4, false, 0, NULL, NULL,
                                              NULL),
                 SSH_OK);
    request = ssh_transport_next_request(live.server_transport, 10000, NULL);
    CHECK(request != NULL);
    return request;
}

static ssh_key *good_ssh_key(void)
{
    ssh_key_free(key);
    return key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, NULL);
}

static ssh_event *good_ssh_event(void)
{
    ssh_event_free(event);
    return event = ssh_event_new();
}

static ssh_error *good_ssh_error(void)
{
    ssh_error_free(error);
    CHECK(ssh_transport_new(-1, &error) == NULL);
    return error;
}

static ssh_server *good_ssh_server(void)
{
    ssh_server_free(server);
    return server = ssh_server_new();
}

static ssh_security_options *good_ssh_security_options(void)
{
    ssh_security_options_free(options);
    return options = ssh_security_options_new();
}

static ssh_listener *good_ssh_listener(void)
{
    ssh_listener_free(listener);
    listener = ssh_listener_new();
    CHECK(listener != NULL);
    return listener;
}

static ssh_forward *good_ssh_forward(void)
{
    ssh_forward_free(forward);
    forward = ssh_forward_local(live.client, "127.0.0.1", 0, "127.0.0.1", 1, NULL);
    CHECK(forward != NULL);
    return forward;
}

static ssh_sftp_server *good_ssh_sftp_server(void)
{
    ssh_sftp_server_free(sftp_server);
    return sftp_server = ssh_sftp_server_new_directory(directory, NULL);
}

static int remove_entry(const char *path, const struct stat *found, int type, struct FTW *where)
{
    (void)found, (void)type, (void)where;
    return remove(path);
}

static atomic_bool offers_made_up_files;

static void keep_operation(ssh_sftp_operation *operation, void *userdata)
{
    (void)userdata;
    CHECK(atomic_exchange(&sftp_operation, operation) == NULL);
}

static ssh_sftp_server *made_up_files(void)
{
    ssh_sftp_server *made = ssh_sftp_server_new_virtual(NULL);
    CHECK_STATUS(ssh_sftp_server_set_callback(made, SSH_SFTP_OP_ANY, keep_operation, NULL, NULL), SSH_OK);
    return made;
}

static void serve_files(ssh_request *asked, void *userdata)
{
    (void)userdata;
    ssh_sftp_server *offered = atomic_load(&offers_made_up_files) ? made_up_files()
                                                                 : ssh_sftp_server_new_directory(directory, NULL);
    CHECK_STATUS(ssh_request_accept_sftp(asked, offered, NULL), SSH_OK);
    ssh_sftp_server_free(offered);
    ssh_request_free(asked);
}

static ssh_sftp *good_ssh_sftp(void)
{
    ssh_sftp_free(sftp);
    sftp = ssh_transport_open_sftp_client(files.client, 10000, NULL);
    CHECK(sftp != NULL);
    return sftp;
}

static ssh_sftp_attributes *good_ssh_sftp_attributes(void)
{
    ssh_sftp_attributes_free(sftp_attributes);
    return sftp_attributes = ssh_sftp_attributes_new();
}

static ssh_sftp_dir *good_ssh_sftp_dir(void)
{
    ssh_sftp_dir_free(sftp_dir);
    sftp_dir = ssh_sftp_opendir(good_ssh_sftp(), "/", 10000, NULL);
    CHECK(sftp_dir != NULL);
    return sftp_dir;
}

static ssh_sftp_file *good_ssh_sftp_file(void)
{
    ssh_sftp_file_free(sftp_file);
    sftp_file = ssh_sftp_open(good_ssh_sftp(), "/file", SSH_SFTP_WRITE | SSH_SFTP_CREATE, NULL, 10000, NULL);
    CHECK(sftp_file != NULL);
    return sftp_file;
}

/* One that waits for its answer, while the client does not wait any more. */
static ssh_sftp_operation *good_ssh_sftp_operation(void)
{
    if (made_up == NULL) {
        atomic_store(&offers_made_up_files, true);
        made_up = ssh_transport_open_sftp_client(files.client, 10000, NULL);
        atomic_store(&offers_made_up_files, false);
        CHECK(made_up != NULL);
    }
    ssh_sftp_operation_free(atomic_exchange(&sftp_operation, NULL));
    CHECK(ssh_sftp_remove(made_up, "/x", 10, NULL) != SSH_OK);
    for (int i = 0; i < 100000 && atomic_load(&sftp_operation) == NULL; i++)
        usleep(1000);
    CHECK(atomic_load(&sftp_operation) != NULL);
    return sftp_operation;
}

static ssh_packetizer *good_ssh_packetizer(void)
{
    int fds[2];
    ssh_packetizer_free(packetizer);
    sockets(fds);
    packetizer = ssh_packetizer_new(fds[0], NULL);
    close(fds[1]);
    return packetizer;
}

static ssh_message *good_ssh_message(void)
{
    ssh_message_free(message);
    return message = ssh_message_new_bytes("\x14 and more than a few bytes", 28);
}

static ssh_certificate *good_ssh_certificate(void)
{
    ssh_certificate_free(certificate);
    ssh_key *own = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, NULL);
    ssh_certificate *draft = ssh_certificate_new(SSH_CERTIFICATE_USER, own);
    certificate = ssh_certificate_sign(draft, own, NULL, NULL);
    CHECK(certificate != NULL);
    ssh_certificate_free(draft);
    ssh_key_free(own);
    return certificate;
}

static ssh_authorized_keys *good_ssh_authorized_keys(void)
{
    ssh_authorized_keys_free(authorized_keys);
    return authorized_keys = ssh_authorized_keys_load(NULL, 0, NULL);
}

static ssh_revocations *good_ssh_revocations(void)
{
    ssh_revocations_free(revocations);
    return revocations = ssh_revocations_load(NULL, 0, NULL);
}

static ssh_known_hosts *good_ssh_known_hosts(void)
{
    char path[sizeof directory + 8];
    snprintf(path, sizeof path, "%s/known", directory);
    ssh_known_hosts_free(known_hosts);
    known_hosts = ssh_known_hosts_new();
    CHECK_STATUS(ssh_known_hosts_add_file(known_hosts, path, NULL), SSH_OK);
    return known_hosts;
}

/* An agent with one key, whatever it is asked. */
static const char identities[] = "\0\0\0\x1d\x0c\0\0\0\x01\0\0\0\x0e\0\0\0\x06ssh-edrest\0\0\0\x02me";
static size_t identities_read;

static int32_t agent_write(const void *data, size_t length, int32_t timeout_ms, void *userdata)
{
    (void)data, (void)timeout_ms, (void)userdata;
    identities_read = 0;
    return (int32_t)length;
}

static int32_t agent_read(void *buffer, size_t capacity, int32_t timeout_ms, void *userdata)
{
    (void)timeout_ms, (void)userdata;
    size_t rest = sizeof identities - 1 - identities_read;
    size_t count = rest < capacity ? rest : capacity;
    memcpy(buffer, identities + identities_read, count);
    identities_read += count;
    return (int32_t)count;
}

static ssh_agent *good_ssh_agent(void)
{
    ssh_agent_free(agent);
    return agent = ssh_agent_new_stream(agent_read, agent_write, NULL, NULL, NULL, NULL);
}

static ssh_agent_identities *good_ssh_agent_identities(void)
{
    ssh_agent_identities_free(agent_identities);
    agent_identities = ssh_agent_list(good_ssh_agent(), SSH_TIMEOUT_DEFAULT, NULL);
    CHECK(ssh_agent_identities_count(agent_identities) == 1);
    return agent_identities;
}

static ssh_config *good_ssh_config(void)
{
    ssh_config_free(config);
    config = ssh_config_new();
    /* A name would leave the system's resolver at work when the program ends. */
    CHECK_STATUS(ssh_config_add_option(config, "HostName=127.0.0.1", NULL), SSH_OK);
    CHECK_STATUS(ssh_config_add_option(config, "Port=1", NULL), SSH_OK);
    return config;
}

static ssh_config_host *good_ssh_config_host(void)
{
    ssh_config_host_free(config_host);
    config_host = ssh_config_resolve(good_ssh_config(), "host", NULL);
    CHECK(config_host != NULL);
    return config_host;
}

"#;

const MAIN: &str = r#"
int main(void)
{
    watchdog(300);
    CHECK(chdir("/") == 0); /* nothing is written by accident */
    pair_make(&live);
    CHECK_STATUS(ssh_server_pull_requests(live.server, true), SSH_OK);
    pair_login(&live);
    CHECK(mkdtemp(directory) != NULL);
    pair_make(&files);
    CHECK_STATUS(ssh_server_set_callback(files.server, SSH_REQUEST_SUBSYSTEM, serve_files, NULL, NULL), SSH_OK);
    pair_login(&files);
    renew();
    null_in_turn();

    ssh_event *freed = ssh_event_new();
    ssh_event_free(freed);
    wrong_handles(NULL);
    wrong_handles(freed);
    wrong_handles(&live);
    wrong_handles((void *)(uintptr_t)UINT64_C(0x5151515151515151));
    /* A live handle of a type that no function takes for its own: each is tried with an error instead. */
    CHECK_STATUS(ssh_event_wait((ssh_event *)good_ssh_error(), 0), SSH_ERR_BAD_HANDLE);

    /* The session has seen none of it. */
    CHECK(ssh_transport_is_authenticated(live.client));
    CHECK(good_ssh_channel() != NULL);
    ssh_channel_free(channel);
    ssh_channel_free(server_channel);
    ssh_request_free(request);
    ssh_transport_free(transport);
    ssh_server_free(server);
    ssh_security_options_free(options);
    ssh_listener_free(listener);
    ssh_forward_free(forward);
    ssh_event_free(event);
    ssh_error_free(error);
    ssh_key_free(key);
    ssh_certificate_free(certificate);
    ssh_revocations_free(revocations);
    ssh_authorized_keys_free(authorized_keys);
    ssh_packetizer_free(packetizer);
    ssh_message_free(message);
    ssh_known_hosts_free(known_hosts);
    ssh_agent_identities_free(agent_identities);
    ssh_agent_free(agent);
    ssh_config_host_free(config_host);
    ssh_config_free(config);
    pair_free(&live);
    ssh_sftp_server_free(sftp_server);
    ssh_sftp_attributes_free(sftp_attributes);
    ssh_sftp_dir_free(sftp_dir);
    ssh_sftp_file_free(sftp_file);
    ssh_sftp_free(sftp);
    ssh_sftp_operation_free(sftp_operation);
    ssh_sftp_free(made_up);
    pair_free(&files);
    CHECK(nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
    puts("misuse: ok");
    return 0;
}
"#;
