/*
 * server: lets users in by key or password, and runs their commands and shells as whoever started it.
 */
#define _GNU_SOURCE /* getopt_long, strsep */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "common.h"
#include "listening.h"
#include "permits.h"
#include "session.h"

#define MAX_HOST_KEYS 16
#define MAX_USERS 16
#define MAX_EXEMPT 32
#define SWEEP_MS 500

static const char help[] =
    "usage: server [OPTION...]\n"
    "Serves SSH. Commands and shells run as you, so think before you open this to others.\n"
    "\n"
    "      --listen ADDRESS:PORT  where to listen (127.0.0.1:2222), or the /path of a UNIX socket; port 0 takes any free one\n"
    "      --max-startups START:RATE:FULL\n"
    "                             of connections not logged in yet, refuse RATE percent from START on, more and more of\n"
    "                             them, and all above FULL (256:30:512)\n"
    "      --per-source N         most connections from one address that are not logged in yet (64)\n"
    "      --login-grace SECONDS  time to log in (120)\n"
    "      --exempt NETWORK       addresses that nothing is held against; several times (127.0.0.0/8 and ::1), or none\n"
    "      --host-key FILE        a private key of the server; several times, one of each type. Without any,\n"
    "                             a new one is made that lives as long as the server\n"
    "      --next-host-key FILE   a key that clients are told of, so that they know it when it becomes a host key;\n"
    "                             several times\n"
    "      --host-certificate FILE\n"
    "                             a certificate for one of these keys; several times\n"
    "      --authorized-keys FILE public keys of the users, one each line, with the options of sshd\n"
    "      --user-authority FILE  the public key of who signs certificates of users; several times\n"
    "      --revoked FILE         keys and certificates that are not let in, a KRL or one key each line\n"
    "      --password-file FILE   lines NAME:PASSWORD\n"
    "      --user NAME            let in this user only; several times\n"
    "      --require METHODS      all of these in this order, such as publickey,password\n"
    "      --allow-anyone         let in everybody. Do not.\n"
    "      --banner FILE          a text to show before anybody logs in\n"
    "      --rekey-bytes N        new keys each N bytes in either direction\n"
    "      --forward              forward connections: to anywhere, from loopback and UNIX sockets here, and to the\n"
    "                             agents and displays of the users\n"
    "      --permit-connect PLACE forward to this only, HOST:PORT or /path with * as in file names; several times\n"
    "      --permit-listen PLACE  forward from this only; several times\n"
    "      --moduli FILE          groups for Diffie-Hellman group exchange\n"
    "      --shell PROGRAM        runs commands and shells with this instead of your login shell\n"
    "      --sftp DIRECTORY       offers the directory over SFTP, and nothing outside of it\n"
    "      --read-only            changes nothing in that directory\n"
    "  -v, --verbose              say more; twice: in detail\n"
    "  -h, --help\n" ALGORITHM_HELP;

struct server_options {
    const char *listen, *revoked, *authorized_keys, *password_file, *banner, *shell, *moduli, *sftp;
    const char *host_keys[MAX_HOST_KEYS];
    size_t host_key_count;
    const char *next_host_keys[MAX_HOST_KEYS];
    size_t next_host_key_count;
    const char *host_certificates[MAX_HOST_KEYS], *user_authorities[MAX_HOST_KEYS];
    size_t host_certificate_count, user_authority_count;
    const char *users[MAX_USERS];
    size_t user_count;
    char *required[4];
    size_t required_count;
    const char *exempt[MAX_EXEMPT];
    size_t exempt_count;
    uint32_t start, rate, full, per_source, login_grace;
    bool allow_anyone, read_only, forward;
    struct permits permits;
    uint64_t rekey_bytes;
    int verbosity;
    struct algorithm_options algorithms;
};

/* Sockets and cookies of the sessions' agents and displays. */
static char forwarding_directory[64];

/* Set up before the first connection and only read after that, so all threads may look. */
static ssh_key *authorities[MAX_HOST_KEYS];
static struct server_options options = {
    .listen = "127.0.0.1:2222", .start = 256, .rate = 30, .full = 512, .per_source = 64, .login_grace = 120};

/*
 * Who may come in
 */

static bool is_user(const char *name)
{
    if (name == NULL)
        return false;
    for (size_t i = 0; i < options.user_count; i++)
        if (strcmp(options.users[i], name) == 0)
            return true;
    return options.user_count == 0;
}

/* Whether the key came in a certificate of an authority that the library knows: then it has been found to be the user's. */
static bool is_certified(const ssh_request *request)
{
    bool found = false;
    ssh_certificate *certificate = ssh_request_certificate(request);
    ssh_key *signer = ssh_certificate_authority(certificate);
    for (size_t i = 0; signer != NULL && i < options.user_authority_count; i++)
        found = found || ssh_key_equals(signer, authorities[i]);
    ssh_key_free(signer);
    ssh_certificate_free(certificate);
    return found;
}

/* The file is read each time, so that changes count at once. The options of its line hold for as long as the user is in. */
static bool answer_by_file(ssh_request *request)
{
    ssh_error *error = NULL;
    if (options.authorized_keys == NULL)
        return false;
    ssh_authorized_keys *keys = ssh_authorized_keys_load_file(options.authorized_keys, &error);
    bool good = keys != NULL && ssh_authorized_keys_answer(keys, request, NULL, NULL, &error) == SSH_OK;
    if (error != NULL && options.verbosity > 0)
        say("%s: %s", options.authorized_keys, ssh_error_message(error));
    ssh_error_free(error);
    ssh_authorized_keys_free(keys);
    return good;
}

/* For one step of several: lines without options, for what they restrict would be forgotten until the last step. */
static bool is_listed(ssh_request *request)
{
    bool found = false;
    ssh_key *key = ssh_request_key(request);
    ssh_authorized_keys *keys =
        options.authorized_keys != NULL ? ssh_authorized_keys_load_file(options.authorized_keys, NULL) : NULL;
    for (size_t i = 0; !found && i < ssh_authorized_keys_count(keys); i++) {
        ssh_key *listed = ssh_authorized_keys_key(keys, i);
        found = ssh_key_equals(key, listed) && !ssh_authorized_keys_has_options(keys, i);
        ssh_key_free(listed);
    }
    ssh_authorized_keys_free(keys);
    ssh_key_free(key);
    return found;
}

/* Takes the same time wherever the difference is. */
static bool is_same(const char *given, size_t length, const char *right)
{
    size_t right_length = strlen(right);
    volatile unsigned char difference = length != right_length;
    for (size_t i = 0; i < length; i++)
        difference |= (unsigned char)(given[i] ^ right[right_length > 0 ? i % right_length : 0]);
    return difference == 0;
}

static bool is_password(const char *user, const char *password, size_t length)
{
    bool good = false;
    if (options.password_file == NULL || password == NULL || user == NULL)
        return false;
    FILE *file = fopen(options.password_file, "re");
    if (file == NULL) {
        say("%s: %s", options.password_file, strerror(errno));
        return false;
    }
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, file) > 0) {
        char *colon = strchr(line, ':');
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '#' || colon == NULL)
            continue;
        *colon = '\0';
        if (strcmp(line, user) == 0 && is_same(password, length, colon + 1))
            good = true;
    }
    if (line != NULL)
        explicit_bzero(line, room);
    free(line);
    fclose(file);
    return good;
}

/*
 * How many of the required methods are behind the user is for the library to say: what one user has shown counts for nothing
 * when the client goes on as another one (RFC 4252 section 5), nor when it comes back.
 */
static bool is_next(ssh_request *request, const char *method)
{
    size_t step = ssh_request_partial_successes(request);
    return options.required_count == 0 ||
           (step < options.required_count && strcmp(options.required[step], method) == 0);
}

/* Refuses, and says what is wanted at this point. */
static void refuse(ssh_request *request)
{
    size_t step = ssh_request_partial_successes(request);
    if (step < options.required_count)
        ssh_request_refuse_with_methods(request, options.required[step]);
    else
        ssh_request_refuse(request);
}

/* The user is in, and with more words, over which connection. */
static void tell_in(ssh_request *request, const char *method)
{
    char *description = NULL;
    if (options.verbosity > 0)
        say("%s is in by %s", ssh_request_username(request), method);
    if (options.verbosity > 1 && (description = ssh_transport_describe(ssh_request_transport(request))) != NULL)
        say("%s", description);
    ssh_memory_free(description);
}

/* The credentials are good: the user is in, or has the next step before him. */
static void grant(ssh_request *request, const char *method)
{
    size_t step = (size_t)ssh_request_partial_successes(request) + 1;
    if (step < options.required_count)
        ssh_request_accept_partial(request, options.required[step]);
    else if (ssh_request_accept(request) == SSH_OK)
        tell_in(request, method);
}

static void on_none(ssh_request *request, void *userdata)
{
    (void)userdata;
    if (options.allow_anyone && is_user(ssh_request_username(request)))
        ssh_request_accept(request);
    else
        refuse(request);
    ssh_request_free(request);
}

/* The client asks whether it is worth proving that it holds a key. */
static void on_key_asked(ssh_request *request, void *userdata)
{
    (void)userdata;
    if (!is_next(request, "publickey") || !is_user(ssh_request_username(request)))
        refuse(request);
    else if (is_certified(request) || (options.required_count > 0 && is_listed(request)))
        ssh_request_accept(request);
    else if (options.required_count > 0 || !answer_by_file(request))
        refuse(request);
    ssh_request_free(request);
}

/* It has proven it. */
static void on_key_proven(ssh_request *request, void *userdata)
{
    (void)userdata;
    if (!is_next(request, "publickey") || !is_user(ssh_request_username(request)))
        refuse(request);
    else if (is_certified(request) || (options.required_count > 0 && is_listed(request)))
        grant(request, "key");
    else if (options.required_count > 0 || !answer_by_file(request))
        refuse(request);
    else
        tell_in(request, "key");
    ssh_request_free(request);
}

static void on_password(ssh_request *request, void *userdata)
{
    (void)userdata;
    size_t length = 0;
    const char *user = ssh_request_username(request);
    const char *password = ssh_request_password(request, &length);
    if (is_next(request, "password") && is_user(user) && is_password(user, password, length))
        grant(request, "password");
    else
        refuse(request);
    ssh_request_free(request);
}

static void on_interactive(ssh_request *request, void *userdata)
{
    (void)userdata;
    static const char *const prompts[] = {"Password: "};
    if (is_next(request, "keyboard-interactive"))
        ssh_request_ask(request, NULL, NULL, prompts, NULL, 1);
    else
        refuse(request);
    ssh_request_free(request);
}

static void on_interactive_answers(ssh_request *request, void *userdata)
{
    (void)userdata;
    size_t length = 0;
    const char *user = ssh_request_username(request);
    const char *password = ssh_request_answer_count(request) == 1 ? ssh_request_answer(request, 0, &length) : NULL;
    if (is_next(request, "keyboard-interactive") && is_user(user) && is_password(user, password, length))
        grant(request, "keyboard-interactive");
    else
        refuse(request);
    ssh_request_free(request);
}

/*
 * The server
 */

/* With its certificate, where there is one. */
static void add_host_key(ssh_server *server, ssh_key *key)
{
    for (size_t i = 0; i < options.host_certificate_count; i++) {
        ssh_error *error = NULL;
        ssh_certificate *certificate = ssh_certificate_load_file(options.host_certificates[i], &error);
        if (certificate == NULL)
            fail_error(options.host_certificates[i], error);
        ssh_key *certified = ssh_certificate_key(certificate);
        if (ssh_key_equals(certified, key)) {
            ssh_key *alone = key;
            key = ssh_key_with_certificate(alone, certificate, NULL);
            ssh_key_free(alone);
        }
        ssh_key_free(certified);
        ssh_certificate_free(certificate);
    }
    char *fingerprint = ssh_key_fingerprint(key);
    if (ssh_server_add_key(server, key) != SSH_OK)
        fail("a host key is not usable");
    printf("host key %s %s\n", ssh_key_type(key), fingerprint);
    ssh_memory_free(fingerprint);
    ssh_key_free(key);
}

/* Who is let in by certificates, and who is not let in at all. */
static void trust_authorities(ssh_server *server)
{
    ssh_error *error = NULL;
    for (size_t i = 0; i < options.user_authority_count; i++) {
        char *line = read_first_line(options.user_authorities[i]);
        ssh_key *authority = ssh_key_from_line(line, &error);
        if (authority == NULL)
            fail_error(options.user_authorities[i], error);
        ssh_server_add_user_authority(server, authority);
        authorities[i] = authority;
        free(line);
    }
    /* Lines with "cert-authority" may know others. With several steps lines are asked for nothing but keys. */
    ssh_server_set_ask_certificates(server, options.authorized_keys != NULL && options.required_count == 0);
    if (options.revoked != NULL) {
        ssh_revocations *revoked = ssh_revocations_load_file(options.revoked, &error);
        if (revoked == NULL)
            fail_error(options.revoked, error);
        ssh_server_set_revocations(server, revoked);
        ssh_revocations_free(revoked);
    }
}

static ssh_server *make_server(void)
{
    ssh_error *error = NULL;
    ssh_server *server = ssh_server_new();
    if (server == NULL)
        fail("no server to be had");
    for (size_t i = 0; i < options.host_key_count; i++)
        add_host_key(server, load_private_key(options.host_keys[i], NULL, true));
    if (options.host_key_count == 0) {
        ssh_key *key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, &error);
        if (key == NULL)
            fail_error("host key", error);
        add_host_key(server, key);
    }
    for (size_t i = 0; i < options.next_host_key_count; i++) {
        ssh_key *key = load_private_key(options.next_host_keys[i], NULL, true);
        if (ssh_server_add_next_key(server, key) != SSH_OK)
            fail("%s is not usable as a host key", options.next_host_keys[i]);
        ssh_key_free(key);
    }
    ssh_server_set_auth_limits(server, 6, options.login_grace * 1000);
    if (options.allow_anyone)
        ssh_server_set_callback(server, SSH_REQUEST_AUTH_NONE, on_none, NULL, NULL);
    trust_authorities(server);
    /* Read at each login, so that it may change; but a wrong name shall be told now. */
    if (options.authorized_keys != NULL) {
        ssh_authorized_keys *keys = ssh_authorized_keys_load_file(options.authorized_keys, &error);
        if (keys == NULL)
            fail_error(options.authorized_keys, error);
        char *warnings = ssh_authorized_keys_warnings(keys);
        if (warnings != NULL && *warnings != '\0')
            say("%s: %s", options.authorized_keys, warnings);
        if (ssh_authorized_keys_count(keys) == 0)
            fail("%s: there is no public key in it, so nobody could log in", options.authorized_keys);
        ssh_memory_free(warnings);
        ssh_authorized_keys_free(keys);
    }
    if (options.authorized_keys != NULL || options.user_authority_count > 0) {
        ssh_server_set_callback(server, SSH_REQUEST_AUTH_KEY_ASKED, on_key_asked, NULL, NULL);
        ssh_server_set_callback(server, SSH_REQUEST_AUTH_KEY_PROVEN, on_key_proven, NULL, NULL);
    }
    if (options.password_file != NULL) {
        ssh_server_set_callback(server, SSH_REQUEST_AUTH_PASSWORD, on_password, NULL, NULL);
        ssh_server_set_callback(server, SSH_REQUEST_AUTH_INTERACTIVE, on_interactive, NULL, NULL);
        ssh_server_set_callback(server, SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS, on_interactive_answers, NULL, NULL);
    }
    if (options.required_count > 0)
        ssh_server_set_auth_methods(server, options.required[0]);
    if (options.banner != NULL) {
        char *text = read_file(options.banner);
        ssh_server_set_banner(server, text);
        free(text);
    }
    sessions_serve(server, options.shell);
    if (options.moduli != NULL && ssh_server_load_moduli(server, options.moduli, &error) != SSH_OK)
        fail_error(options.moduli, error);
    if (options.sftp != NULL) {
        /* Lives as long as the program. */
        ssh_sftp_server *directory = ssh_sftp_server_new_directory(options.sftp, &error);
        if (directory == NULL)
            fail_error(options.sftp, error);
        ssh_sftp_server_set_read_only(directory, options.read_only);
        sessions_serve_sftp(server, directory);
    }
    if (options.forward) {
        permits_default(&options.permits);
        permits_serve(server, &options.permits);
        const char *place = getenv("TMPDIR");
        if (snprintf(forwarding_directory, sizeof forwarding_directory, "%s/sshwire-server-XXXXXX",
                     place != NULL ? place : "/tmp") >= (int)sizeof forwarding_directory ||
            mkdtemp(forwarding_directory) == NULL)
            fail("%s: %s", forwarding_directory, strerror(errno));
        sessions_serve_forwarding(server, forwarding_directory);
    }
    return server;
}

/*
 * Connections. The library runs them all; this program keeps the handles, and lets go of those that have ended.
 */

struct connection {
    struct connection *next;
    ssh_transport *transport;
    char peer[128];
};

static struct connection *connections; /* main thread only */

static void start_connection(ssh_server *server, ssh_event *started, ssh_transport *transport)
{
    ssh_error *error = NULL;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        ssh_transport_free(transport);
        return;
    }
    uint16_t port = 0;
    char *address = ssh_transport_getpeername(transport, &port);
    snprintf(connection->peer, sizeof connection->peer, "%s port %u", address != NULL ? address : "?", port);
    ssh_memory_free(address);
    say("connection from %s", connection->peer);
    apply_algorithms(&options.algorithms, transport);
    if (options.rekey_bytes > 0)
        ssh_transport_set_rekey_limits(transport, options.rekey_bytes, 0, 0);
    /* With an event the call returns at once, so that one slow client does not keep the others waiting. */
    if (ssh_transport_start_server(transport, server, started, SSH_TIMEOUT_DEFAULT, &error) != SSH_OK) {
        say_error(connection->peer, error);
        ssh_transport_free(transport);
        free(connection);
        return;
    }
    connection->transport = transport;
    connection->next = connections;
    connections = connection;
}

static void sweep_connections(bool all)
{
    struct connection **link = &connections;
    while (*link != NULL) {
        struct connection *connection = *link;
        if (!all && ssh_transport_is_alive(connection->transport)) {
            link = &connection->next;
            continue;
        }
        if (all)
            ssh_transport_close(connection->transport);
        if (options.verbosity > 0) {
            ssh_error *cause = ssh_transport_error(connection->transport);
            say("%s is gone: %s", connection->peer, cause != NULL ? ssh_error_message(cause) : "closed");
            ssh_error_free(cause);
        }
        ssh_transport_free(connection->transport);
        *link = connection->next;
        free(connection);
    }
    sessions_sweep();
}

/*
 * Listening. The library accepts, and turns away who is too many.
 */

static void set_limits(ssh_listener *listener)
{
    static const char *const loopback[] = {"127.0.0.0/8", "::1"};
    const char *const *exempt = options.exempt_count > 0 ? options.exempt : loopback;
    size_t count = options.exempt_count > 0 ? options.exempt_count : 2;
    if (ssh_listener_set_max_unauthenticated(listener, options.start, options.rate, options.full) != SSH_OK)
        fail("--max-startups wants START:RATE:FULL, such as 256:30:512");
    ssh_listener_set_max_per_source(listener, options.per_source, 32, 64);
    for (size_t i = 0; i < count; i++)
        if (strcmp(exempt[i], "none") != 0 && ssh_listener_add_exempt(listener, exempt[i]) != SSH_OK)
            fail("--exempt wants an address or a network, not \"%s\"", exempt[i]);
}

static void tell_refused(ssh_listener *listener)
{
    static uint64_t told;
    uint64_t total = ssh_listener_counter(listener, SSH_LISTENER_REFUSED_TOTAL);
    uint64_t source = ssh_listener_counter(listener, SSH_LISTENER_REFUSED_PER_SOURCE);
    uint64_t penalty = ssh_listener_counter(listener, SSH_LISTENER_REFUSED_PENALTY);
    if (total + source + penalty != told)
        say("refused so far: %llu in all too many, %llu of one source too many, %llu penalized", (unsigned long long)total,
            (unsigned long long)source, (unsigned long long)penalty);
    told = total + source + penalty;
}

static int end_pipe[2];

static void on_end(int number)
{
    (void)number;
    (void)!write(end_pipe[1], "", 1);
}

static void serve(ssh_server *server, ssh_listener *listener)
{
    ssh_event *started = ssh_event_new(), *came = ssh_listener_accept_event(listener);
    struct pollfd fds[] = {{.fd = ssh_event_fd(came), .events = POLLIN}, {.fd = end_pipe[0], .events = POLLIN}};
    for (;;) {
        ssh_transport *transport;
        int ready = poll(fds, 2, connections != NULL ? SWEEP_MS : -1);
        while ((transport = ssh_listener_accept(listener, 0, NULL)) != NULL)
            start_connection(server, started, transport);
        if (ready > 0 && (fds[1].revents & POLLIN) != 0)
            break;
        sweep_connections(false);
        if (options.verbosity > 0)
            tell_refused(listener);
    }
    say("ending");
    sweep_connections(true);
    ssh_event_free(came);
    ssh_event_free(started);
}

/*
 * Options
 */

static void add(const char **list, size_t *count, size_t room, const char *value, const char *what)
{
    if (*count == room)
        fail("%s was given too often", what);
    list[(*count)++] = value;
}

static void split_required(char *methods)
{
    for (char *method = strtok(methods, ","); method != NULL; method = strtok(NULL, ",")) {
        if (strcmp(method, "publickey") != 0 && strcmp(method, "password") != 0 &&
            strcmp(method, "keyboard-interactive") != 0)
            fail("--require: \"%s\" is not publickey, password or keyboard-interactive", method);
        if (options.required_count == sizeof options.required / sizeof options.required[0])
            fail("--require: too many methods");
        options.required[options.required_count++] = method;
    }
}

static void split_startups(char *text)
{
    uint32_t *numbers[] = {&options.start, &options.rate, &options.full};
    for (size_t i = 0; i < 3; i++) {
        char *number = strsep(&text, ":");
        if (number == NULL || (i == 2 && text != NULL))
            fail("--max-startups wants START:RATE:FULL");
        *numbers[i] = (uint32_t)parse_number(number, 0, 1000000, "--max-startups");
    }
}

enum {
    OPTION_LISTEN = OPTION_LAST_ALGORITHM,
    OPTION_HOST_KEY,
    OPTION_NEXT_HOST_KEY,
    OPTION_HOST_CERTIFICATE,
    OPTION_AUTHORIZED_KEYS,
    OPTION_USER_AUTHORITY,
    OPTION_REVOKED,
    OPTION_PASSWORD_FILE,
    OPTION_USER,
    OPTION_REQUIRE,
    OPTION_ALLOW_ANYONE,
    OPTION_BANNER,
    OPTION_REKEY_BYTES,
    OPTION_SHELL,
    OPTION_MODULI,
    OPTION_SFTP,
    OPTION_READ_ONLY,
    OPTION_FORWARD,
    OPTION_PERMIT_CONNECT,
    OPTION_PERMIT_LISTEN,
    OPTION_MAX_STARTUPS,
    OPTION_PER_SOURCE,
    OPTION_LOGIN_GRACE,
    OPTION_EXEMPT
};

static void parse_options(int argc, char **argv)
{
    static const struct option table[] = {{"listen", required_argument, NULL, OPTION_LISTEN},
                                          {"host-key", required_argument, NULL, OPTION_HOST_KEY},
                                          {"next-host-key", required_argument, NULL, OPTION_NEXT_HOST_KEY},
                                          {"host-certificate", required_argument, NULL, OPTION_HOST_CERTIFICATE},
                                          {"authorized-keys", required_argument, NULL, OPTION_AUTHORIZED_KEYS},
                                          {"user-authority", required_argument, NULL, OPTION_USER_AUTHORITY},
                                          {"revoked", required_argument, NULL, OPTION_REVOKED},
                                          {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
                                          {"user", required_argument, NULL, OPTION_USER},
                                          {"require", required_argument, NULL, OPTION_REQUIRE},
                                          {"allow-anyone", no_argument, NULL, OPTION_ALLOW_ANYONE},
                                          {"banner", required_argument, NULL, OPTION_BANNER},
                                          {"rekey-bytes", required_argument, NULL, OPTION_REKEY_BYTES},
                                          {"shell", required_argument, NULL, OPTION_SHELL},
                                          {"moduli", required_argument, NULL, OPTION_MODULI},
                                          {"sftp", required_argument, NULL, OPTION_SFTP},
                                          {"read-only", no_argument, NULL, OPTION_READ_ONLY},
                                          {"forward", no_argument, NULL, OPTION_FORWARD},
                                          {"permit-connect", required_argument, NULL, OPTION_PERMIT_CONNECT},
                                          {"permit-listen", required_argument, NULL, OPTION_PERMIT_LISTEN},
                                          {"max-startups", required_argument, NULL, OPTION_MAX_STARTUPS},
                                          {"per-source", required_argument, NULL, OPTION_PER_SOURCE},
                                          {"login-grace", required_argument, NULL, OPTION_LOGIN_GRACE},
                                          {"exempt", required_argument, NULL, OPTION_EXEMPT},
                                          {"verbose", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          ALGORITHM_LONG_OPTIONS,
                                          {NULL, 0, NULL, 0}};
    struct permits *permits = &options.permits;
    int option;
    while ((option = getopt_long(argc, argv, "vh", table, NULL)) != -1) {
        switch (option) {
        case OPTION_LISTEN: options.listen = optarg; break;
        case OPTION_HOST_KEY:
            add(options.host_keys, &options.host_key_count, MAX_HOST_KEYS, optarg, "--host-key");
            break;
        case OPTION_NEXT_HOST_KEY:
            add(options.next_host_keys, &options.next_host_key_count, MAX_HOST_KEYS, optarg, "--next-host-key");
            break;
        case OPTION_HOST_CERTIFICATE:
            add(options.host_certificates, &options.host_certificate_count, MAX_HOST_KEYS, optarg,
                "--host-certificate");
            break;
        case OPTION_USER_AUTHORITY:
            add(options.user_authorities, &options.user_authority_count, MAX_HOST_KEYS, optarg, "--user-authority");
            break;
        case OPTION_REVOKED: options.revoked = optarg; break;
        case OPTION_AUTHORIZED_KEYS: options.authorized_keys = optarg; break;
        case OPTION_PASSWORD_FILE: options.password_file = optarg; break;
        case OPTION_USER: add(options.users, &options.user_count, MAX_USERS, optarg, "--user"); break;
        case OPTION_REQUIRE: split_required(optarg); break;
        case OPTION_ALLOW_ANYONE: options.allow_anyone = true; break;
        case OPTION_BANNER: options.banner = optarg; break;
        case OPTION_REKEY_BYTES:
            options.rekey_bytes = parse_number(optarg, 1, UINT64_MAX, "--rekey-bytes");
            break;
        case OPTION_SHELL: options.shell = optarg; break;
        case OPTION_MODULI: options.moduli = optarg; break;
        case OPTION_SFTP: options.sftp = optarg; break;
        case OPTION_READ_ONLY: options.read_only = true; break;
        case OPTION_FORWARD: options.forward = true; break;
        case OPTION_PERMIT_CONNECT:
            options.forward = true;
            permits_check(optarg, "--permit-connect");
            add(permits->connect, &permits->connect_count, PERMITS_MAX, optarg, "--permit-connect");
            break;
        case OPTION_PERMIT_LISTEN:
            options.forward = true;
            permits_check(optarg, "--permit-listen");
            add(permits->listen, &permits->listen_count, PERMITS_MAX, optarg, "--permit-listen");
            break;
        case OPTION_MAX_STARTUPS: split_startups(optarg); break;
        case OPTION_PER_SOURCE: options.per_source = (uint32_t)parse_number(optarg, 0, 1000000, "--per-source"); break;
        case OPTION_LOGIN_GRACE: options.login_grace = (uint32_t)parse_number(optarg, 0, 86400, "--login-grace"); break;
        case OPTION_EXEMPT: add(options.exempt, &options.exempt_count, MAX_EXEMPT, optarg, "--exempt"); break;
        case 'v': options.verbosity++; break;
        case 'h': fputs(help, stdout); exit(0);
        default:
            if (!algorithm_option(&options.algorithms, option, optarg))
                fail("try --help");
        }
    }
    if (optind != argc)
        fail("what is \"%s\"? try --help", argv[optind]);
    if (options.authorized_keys == NULL && options.password_file == NULL && options.user_authority_count == 0 &&
        !options.allow_anyone)
        fail("nobody could log in: give --authorized-keys, --user-authority or --password-file");
    if (options.read_only && options.sftp == NULL)
        fail("--read-only is about the directory of --sftp, which is missing");
    if (options.allow_anyone && options.required_count > 0)
        fail("--allow-anyone and --require contradict each other");
}

int main(int argc, char **argv)
{
    program_name = "server";
    raise_descriptor_limit();
    parse_options(argc, argv);
    log_to_stderr(options.verbosity - 1);
    signal(SIGPIPE, SIG_IGN);
    if (pipe(end_pipe) != 0)
        fail("pipe: %s", strerror(errno));
    struct sigaction end = {.sa_handler = on_end};
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGTERM, &end, NULL);

    ssh_server *server = make_server();
    ssh_listener *listener = ssh_listener_new();
    set_limits(listener);
    listen_at(listener, options.listen);
    serve(server, listener);
    ssh_listener_free(listener);
    ssh_server_free(server);
    for (size_t i = 0; i < options.user_authority_count; i++)
        ssh_key_free(authorities[i]);
    if (options.forward)
        rmdir(forwarding_directory);
    return 0;
}
