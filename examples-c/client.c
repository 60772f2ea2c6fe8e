#define _GNU_SOURCE /* getpwuid_r, strdup */
#include "client.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void client_defaults(struct client_options *options)
{
    memset(options, 0, sizeof *options);
    options->port = "22";
    options->timeout_ms = 30000;
}

static void add(const char **list, size_t *count, const char *value, const char *what)
{
    if (*count == CLIENT_MAX)
        fail("%s was given more than %d times", what, CLIENT_MAX);
    list[(*count)++] = value;
}

bool client_option(struct client_options *options, int option, const char *value)
{
    switch (option) {
    case 'p':
        parse_number(value, 1, 65535, "--port");
        options->port = options->given_port = value;
        return true;
    case 'l': options->user = options->given_user = value; return true;
    case 'i': add(options->identities, &options->identity_count, value, "--identity"); return true;
    case 'v': options->verbosity++; return true;
    case OPTION_HOST_KEY: add(options->host_keys, &options->host_key_count, value, "--host-key"); return true;
    case OPTION_FINGERPRINT:
        if (strncmp(value, "SHA256:", 7) != 0 || strlen(value) != 50)
            fail("--fingerprint: \"%s\" is not of the form SHA256: and 43 characters", value);
        add(options->fingerprints, &options->fingerprint_count, value, "--fingerprint");
        return true;
    case OPTION_KNOWN_HOSTS: add(options->known_hosts, &options->known_hosts_count, value, "--known-hosts"); return true;
    case OPTION_HOST_KEY_ALIAS: options->host_key_alias = value; return true;
    case OPTION_HASH_KNOWN_HOSTS: options->hash_known_hosts = true; return true;
    case OPTION_UPDATE_HOST_KEYS: options->update_host_keys = true; return true;
    case OPTION_INSECURE: options->insecure = true; return true;
    case OPTION_AUTH:
        if (strcmp(value, "none") != 0 && strcmp(value, "publickey") != 0 && strcmp(value, "password") != 0 &&
            strcmp(value, "keyboard-interactive") != 0)
            fail("--auth: there is no method \"%s\"", value);
        options->auth = value;
        return true;
    case OPTION_PASSWORD_FILE: options->password_file = value; return true;
    case OPTION_PASSPHRASE_FILE: options->passphrase_file = value; return true;
    case OPTION_ANSWERS_FILE: options->answers_file = value; return true;
    case OPTION_TIMEOUT:
        options->timeout_given = true;
        options->timeout_ms = (int32_t)(parse_number(value, 1, 86400, "--timeout") * 1000);
        return true;
    case OPTION_REKEY_BYTES:
        options->rekey_bytes = parse_number(value, 1, UINT64_MAX, "--rekey-bytes");
        return true;
    case OPTION_BATCH: options->batch = true; return true;
    default: return algorithm_option(&options->algorithms, option, value);
    }
}

void client_target(struct client_options *options, char *target)
{
    /* The last @, for a user name may hold one. */
    char *at = strrchr(target, '@');
    if (at != NULL) {
        *at = '\0';
        options->user = options->given_user = target;
        target = at + 1;
    }
    options->host = target;
    if (options->user == NULL) {
        static char buffer[4096];
        static struct passwd entry;
        struct passwd *account = NULL;
        getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &account);
        if (account == NULL)
            fail("who are you? use --user");
        options->user = account->pw_name;
    }
}

/*
 * The host key
 */

static bool is_expected(const struct client_options *options, const ssh_key *key, const char *fingerprint)
{
    bool found = false;
    for (size_t i = 0; i < options->fingerprint_count; i++)
        found = found || strcmp(options->fingerprints[i], fingerprint) == 0;
    for (size_t i = 0; i < options->host_key_count; i++) {
        ssh_error *error = NULL;
        char *line = read_first_line(options->host_keys[i]);
        ssh_key *expected = ssh_key_from_line(line, &error);
        if (expected == NULL)
            fail_error(options->host_keys[i], error);
        found = found || ssh_key_equals(key, expected);
        ssh_key_free(expected);
        free(line);
    }
    return found;
}

/* The host as it is looked for in known_hosts files, and the port that goes with it. */
static const char *known_name(const struct client_options *options, uint16_t *port)
{
    *port = options->host_key_alias != NULL ? 0 : (uint16_t)atoi(options->port);
    return options->host_key_alias != NULL ? options->host_key_alias : options->host;
}

static ssh_known_hosts *open_known_hosts(const struct client_options *options)
{
    ssh_error *error = NULL;
    if (strcmp(options->known_hosts[0], "default") == 0) {
        ssh_known_hosts *usual = ssh_known_hosts_new_default(&error);
        if (usual == NULL)
            fail_error("known hosts", error);
        return usual;
    }
    ssh_known_hosts *known = ssh_known_hosts_new();
    for (size_t i = 0; i < options->known_hosts_count; i++)
        if (ssh_known_hosts_add_file(known, options->known_hosts[i], &error) != SSH_OK)
            fail_error("known hosts", error);
    return known;
}

/* The server has proven that it has further keys, or has fewer than it had. */
static void update_host_keys(ssh_request *request, void *userdata)
{
    const struct client_options *options = userdata;
    ssh_error *error = NULL;
    ssh_known_hosts *known = open_known_hosts(options);
    size_t added = ssh_request_host_key_count(request, SSH_HOST_KEYS_NEW);
    size_t gone = ssh_request_host_key_count(request, SSH_HOST_KEYS_GONE);
    if (ssh_known_hosts_update(known, request, NULL, 0, options->hash_known_hosts, &error) != SSH_OK)
        say_error("the server's other host keys are not kept", error);
    else if (options->verbosity > 0)
        say("host keys of %s: %zu learnt, %zu forgotten", options->host, added, gone);
    ssh_known_hosts_free(known);
    ssh_request_free(request);
}

void client_expect_host_key(const struct client_options *options, ssh_transport *transport)
{
    ssh_error *error = NULL;
    uint16_t port;
    if (options->insecure) {
        ssh_transport_set_insecure_accept_any_host_key(transport);
    } else if (options->known_hosts_count > 0) {
        const char *name = known_name(options, &port);
        ssh_known_hosts *known = open_known_hosts(options);
        if (ssh_transport_set_known_hosts(transport, known, name, port, &error) != SSH_OK)
            fail_error(name, error);
        ssh_known_hosts_free(known);
        if (options->update_host_keys)
            ssh_transport_set_callback(transport, SSH_REQUEST_HOST_KEYS, update_host_keys, (void *)options, NULL);
    }
}

/* Whether a person says that this is the server they mean. */
static bool is_meant(const struct client_options *options, const ssh_key *key, const char *fingerprint)
{
    char prompt[512];
    if (options->batch)
        return false;
    snprintf(prompt, sizeof prompt, "The host key of %s is %s %s.\nIs that the server you mean? (yes/no) ",
             options->host, ssh_key_type(key), fingerprint);
    char *answer = ask(prompt, true);
    bool yes = answer != NULL && strcmp(answer, "yes") == 0;
    free(answer);
    return yes;
}

static void remember(const struct client_options *options, const ssh_key *key)
{
    ssh_error *error = NULL;
    uint16_t port;
    const char *name = known_name(options, &port);
    ssh_known_hosts *known = open_known_hosts(options);
    if (ssh_known_hosts_add(known, SSH_KNOWN_HOSTS_MARKER_NONE, name, port, key, NULL, options->hash_known_hosts,
                            &error) == SSH_OK)
        say("%s is a known host from now on", name);
    else
        say_error("the key is not kept", error);
    ssh_known_hosts_free(known);
}

/* Nobody can log in before the program has said that this is the server it meant. */
void client_check_host_key(const struct client_options *options, ssh_transport *transport)
{
    ssh_error *error = NULL;
    int32_t verdict = 0;
    ssh_transport_known_hosts_verdict(transport, &verdict, NULL);
    if (options->insecure || verdict == SSH_KNOWN_HOSTS_MATCH)
        return;
    ssh_key *key = ssh_transport_get_remote_server_key(transport, &error);
    if (key == NULL)
        fail_error("host key", error);
    char *fingerprint = ssh_key_fingerprint(key);
    if (options->host_key_count + options->fingerprint_count > 0) {
        if (!is_expected(options, key, fingerprint))
            fail("host key of %s is not the expected one: it is %s %s. Somebody may be in between; nothing was sent.",
                 options->host, ssh_key_type(key), fingerprint);
        if (options->verbosity > 0)
            say("host key of %s is the expected one: %s %s", options->host, ssh_key_type(key), fingerprint);
    } else {
        if (!is_meant(options, key, fingerprint))
            fail("host key of %s is not known: %s %s (see --known-hosts, --fingerprint and --host-key)", options->host,
                 ssh_key_type(key), fingerprint);
        if (options->known_hosts_count > 0)
            remember(options, key);
    }
    ssh_memory_free(fingerprint);
    ssh_key_free(key);
    if (ssh_transport_accept_host_key(transport) != SSH_OK)
        fail("host key: the connection is gone");
}

/*
 * Logging in
 */

struct login {
    const struct client_options *options;
    ssh_transport *transport;
    char *answers, *next_answer;
    char *methods; /* that the server allows now; NULL before it said so */
    bool shown_banner;
};

static char *password_for(const struct client_options *options, const char *prompt)
{
    if (options->password_file != NULL)
        return read_first_line(options->password_file);
    return options->batch ? NULL : ask(prompt, false);
}

/* Answers one prompt of the server's: from the file, with the password if it is hidden, or by asking. */
static char *answer_for(void *userdata, const char *prompt, bool echo)
{
    struct login *login = userdata;
    if (login->next_answer != NULL && *login->next_answer != '\0') {
        char *line = login->next_answer;
        size_t length = strcspn(line, "\n");
        login->next_answer = line + length + (line[length] == '\n');
        line[length] = '\0';
        return strdup(line);
    }
    if (login->options->password_file != NULL && !echo)
        return read_first_line(login->options->password_file);
    return login->options->batch ? NULL : ask(prompt, echo);
}

static void answer_prompts(ssh_request *request, void *userdata)
{
    const char *title = ssh_request_title(request), *instructions = ssh_request_instructions(request);
    if (title != NULL && *title != '\0')
        say("%s", title);
    if (instructions != NULL && *instructions != '\0')
        say("%s", instructions);
    answer_each_prompt(request, answer_for, userdata);
    ssh_request_free(request);
}

static bool is_allowed(const struct login *login, const char *method)
{
    size_t length = strlen(method);
    if (login->options->auth != NULL && strcmp(login->options->auth, method) != 0)
        return false;
    if (login->methods == NULL)
        return true;
    for (const char *at = login->methods; *at != '\0'; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
        if (strncmp(at, method, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

/* Takes in what an attempt came to. True when the user is in; ends the program when the connection is not usable. */
static bool settle(struct login *login, ssh_status status, ssh_error *error)
{
    if (!login->shown_banner) {
        char *banner = ssh_transport_auth_banner(login->transport);
        if (banner != NULL) {
            fprintf(stderr, "%s", banner);
            login->shown_banner = true;
        }
        ssh_memory_free(banner);
    }
    if (status == SSH_OK) {
        ssh_error_free(error);
        return true;
    }
    if (status != SSH_PARTIAL && status != SSH_ERR_AUTH)
        fail_error("login", error);
    ssh_error_free(error);
    ssh_memory_free(login->methods);
    login->methods = ssh_transport_auth_methods(login->transport);
    return false;
}

/* A key with the certificate that lies beside its file, KEY-cert.pub, as ssh takes it; NULL where there is none. */
static ssh_key *with_certificate(const char *identity, const ssh_key *key)
{
    char path[4096];
    ssh_error *error = NULL;
    if (snprintf(path, sizeof path, "%s-cert.pub", identity) >= (int)sizeof path || access(path, F_OK) != 0)
        return NULL;
    ssh_certificate *certificate = ssh_certificate_load_file(path, &error);
    ssh_key *shown = certificate != NULL ? ssh_key_with_certificate(key, certificate, &error) : NULL;
    if (shown == NULL)
        say_error(path, error);
    ssh_certificate_free(certificate);
    return shown;
}

static ssh_status try_key(struct login *login, const ssh_key *key, bool *in)
{
    ssh_error *error = NULL;
    const struct client_options *options = login->options;
    ssh_status status =
        ssh_transport_auth_publickey(login->transport, options->user, key, NULL, options->timeout_ms, &error);
    *in = settle(login, status, error);
    return status;
}

/* Tries the keys in their order. True when in; `partial` when one of them was right and more is wanted. */
static bool try_keys(struct login *login, bool *partial)
{
    const struct client_options *options = login->options;
    for (size_t i = 0; i < options->identity_count && is_allowed(login, "publickey"); i++) {
        bool in = false;
        ssh_status status = SSH_ERR_AUTH;
        ssh_key *key = load_private_key(options->identities[i], options->passphrase_file, !options->batch);
        ssh_key *shown = with_certificate(options->identities[i], key);
        if (shown != NULL)
            status = try_key(login, shown, &in);
        if (status == SSH_ERR_AUTH && is_allowed(login, "publickey"))
            status = try_key(login, key, &in);
        ssh_key_free(shown);
        ssh_key_free(key);
        if (in)
            return true;
        if (status == SSH_PARTIAL) {
            *partial = true;
            return false;
        }
    }
    return false;
}

static bool try_password(struct login *login, bool *partial)
{
    const struct client_options *options = login->options;
    /* A person may mistype; a file does not change by being read again. */
    int tries = options->password_file != NULL ? 1 : 3;
    bool fallback = options->auth != NULL; /* otherwise keyboard-interactive has its own turn */
    while (tries-- > 0 && (is_allowed(login, "password") || fallback)) {
        char prompt[512];
        ssh_error *error = NULL;
        snprintf(prompt, sizeof prompt, "Password of %s at %s: ", options->user, options->host);
        char *password = password_for(options, prompt);
        if (password == NULL)
            return false;
        ssh_status status = ssh_transport_auth_password(login->transport, options->user, password, strlen(password),
                                                        fallback, NULL, options->timeout_ms, &error);
        forget(password);
        if (settle(login, status, error))
            return true;
        if (status == SSH_PARTIAL) {
            *partial = true;
            return false;
        }
        if (tries > 0)
            say("that is not the password");
    }
    return false;
}

static bool try_interactive(struct login *login, bool *partial)
{
    const struct client_options *options = login->options;
    ssh_error *error = NULL;
    if (options->answers_file != NULL && login->answers == NULL)
        login->next_answer = login->answers = read_file(options->answers_file);
    ssh_transport_set_callback(login->transport, SSH_REQUEST_PROMPTS, answer_prompts, login, NULL);
    /* Somebody may have to look for a phone or a token first. */
    int32_t timeout_ms = options->batch ? options->timeout_ms : 300000;
    ssh_status status = ssh_transport_auth_interactive(login->transport, options->user, NULL, NULL, timeout_ms, &error);
    ssh_transport_set_callback(login->transport, SSH_REQUEST_PROMPTS, NULL, NULL, NULL);
    if (settle(login, status, error))
        return true;
    *partial = status == SSH_PARTIAL;
    return false;
}

/* One pass over the methods. True when in. */
static bool try_methods(struct login *login, bool *partial)
{
    *partial = false;
    if (is_allowed(login, "publickey") && try_keys(login, partial))
        return true;
    if (!*partial && is_allowed(login, "password") && try_password(login, partial))
        return true;
    if (!*partial && is_allowed(login, "keyboard-interactive") && try_interactive(login, partial))
        return true;
    return false;
}

static void log_in(const struct client_options *options, ssh_transport *transport)
{
    struct login login = {.options = options, .transport = transport};
    bool in = false, partial = true;
    /* Without credentials at hand, `none` tells what the server would like. */
    if (options->auth == NULL ? options->identity_count == 0 : strcmp(options->auth, "none") == 0) {
        ssh_error *error = NULL;
        ssh_status status = ssh_transport_auth_none(transport, options->user, NULL, options->timeout_ms, &error);
        in = settle(&login, status, error);
    }
    /* Each right answer may lead to a further question; ten are more than anybody asks. */
    for (int step = 0; !in && partial && step < 10; step++)
        in = try_methods(&login, &partial);
    if (!in && login.methods == NULL)
        fail("there is nothing to log in with as %s: no key, no password, nobody to ask", options->user);
    if (!in)
        fail("login as %s was refused; the server allows: %s", options->user,
             *login.methods != '\0' ? login.methods : "nothing more");
    forget(login.answers);
    ssh_memory_free(login.methods);
}

char *client_address(const struct client_options *options)
{
    size_t size = strlen(options->host) + strlen(options->port) + 4;
    char *address = malloc(size);
    const char *colon = strchr(options->host, ':');
    bool bare_v6 = colon != NULL && options->host[0] != '[';
    if (bare_v6 && strchr(colon + 1, ':') == NULL)
        fail("%s: the port is given with -p", options->host);
    if (address == NULL)
        fail("out of memory");
    snprintf(address, size, bare_v6 ? "[%s]:%s" : "%s:%s", options->host, options->port);
    return address;
}

void client_log_in(const struct client_options *options, ssh_transport *transport)
{
    ssh_error *error = NULL;
    apply_algorithms(&options->algorithms, transport);
    if (options->rekey_bytes > 0)
        ssh_transport_set_rekey_limits(transport, options->rekey_bytes, 0, 0);
    client_expect_host_key(options, transport);
    if (ssh_transport_start_client(transport, NULL, options->timeout_ms, &error) != SSH_OK)
        fail_error(options->host, error);
    client_check_host_key(options, transport);
    log_in(options, transport);
    if (options->verbosity > 0) {
        char *description = ssh_transport_describe(transport);
        say("%s", description);
        ssh_memory_free(description);
    }
}

ssh_transport *client_connect(const struct client_options *options)
{
    ssh_error *error = NULL;
    log_to_stderr(options->verbosity);
    char *address = client_address(options);
    ssh_transport *transport = ssh_transport_new_address(address, options->timeout_ms, &error);
    if (transport == NULL)
        fail_error(address, error);
    free(address);
    client_log_in(options, transport);
    return transport;
}
