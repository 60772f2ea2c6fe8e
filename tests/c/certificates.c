/* Certificates: made and looked at, shown by users and by hosts; revocation lists; authorized keys. */
#include "pair.h"

#include <time.h>

static ssh_key *authority, *user;
static atomic_int asked;
static char told[4096];
static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;

static ssh_certificate *draft_for(int32_t kind, const ssh_key *key, const char *principal)
{
    ssh_certificate *draft = ssh_certificate_new(kind, key);
    CHECK(draft != NULL);
    CHECK_STATUS(ssh_certificate_add_principal(draft, principal), SSH_OK);
    CHECK_STATUS(ssh_certificate_set_key_id(draft, "an id"), SSH_OK);
    return draft;
}

static ssh_certificate *sign(ssh_certificate *draft)
{
    ssh_error *error = NULL;
    ssh_certificate *certificate = ssh_certificate_sign(draft, authority, NULL, &error);
    CHECK(certificate != NULL);
    ssh_certificate_free(draft);
    return certificate;
}

static void made_and_looked_at(void)
{
    ssh_error *error = NULL;
    ssh_certificate *draft = draft_for(SSH_CERTIFICATE_USER, user, "alice");
    CHECK_STATUS(ssh_certificate_add_principal(draft, "a,b"), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_certificate_set_serial(draft, 7), SSH_OK);
    CHECK_STATUS(ssh_certificate_set_validity(draft, 5, 5), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_certificate_set_validity(draft, 100, 200), SSH_OK);
    CHECK_STATUS(ssh_certificate_set_extension(draft, "permit-pty", NULL), SSH_OK);
    CHECK_STATUS(ssh_certificate_set_critical_option(draft, "force-command", "true"), SSH_OK);
    CHECK(ssh_certificate_kind(draft) == 0 && ssh_certificate_line(draft, NULL) == NULL);
    CHECK_STATUS(ssh_certificate_blob(draft, NULL, NULL), SSH_ERR_STATE);
    CHECK(ssh_key_with_certificate(user, draft, &error) == NULL && ssh_error_code(error) == SSH_ERR_STATE);
    ssh_error_free(error);
    ssh_certificate *made = sign(draft);
    CHECK_STATUS(ssh_certificate_set_serial(made, 8), SSH_ERR_STATE);

    char *line = ssh_certificate_line(made, "a comment");
    ssh_certificate *read = ssh_certificate_load(line, strlen(line), &error);
    CHECK(read != NULL);
    CHECK(ssh_certificate_load(line, strlen(line) / 2, &error) == NULL && ssh_error_code(error) == SSH_ERR_KEY_MALFORMED);
    ssh_error_free(error);
    CHECK(takes(ssh_certificate_line(read, NULL), line));
    ssh_memory_free(line);
    CHECK(ssh_certificate_kind(read) == SSH_CERTIFICATE_USER && ssh_certificate_serial(read) == 7);
    CHECK(ssh_certificate_valid_after(read) == 100 && ssh_certificate_valid_before(read) == 200);
    CHECK(takes(ssh_certificate_key_id(read), "an id"));
    CHECK(takes(ssh_certificate_type(read), "ssh-ed25519-cert-v01@openssh.com"));
    CHECK(takes(ssh_certificate_signature_algorithm(read), "ssh-ed25519"));
    CHECK(ssh_certificate_principal_count(read) == 1 && takes(ssh_certificate_principal(read, 0), "alice"));
    CHECK(ssh_certificate_principal(read, 1) == NULL);
    CHECK(ssh_certificate_extension_count(read) == 1 && takes(ssh_certificate_extension_name(read, 0), "permit-pty"));
    CHECK(ssh_certificate_extension(read, "permit-pty") == NULL);
    CHECK(ssh_certificate_critical_option_count(read) == 1);
    CHECK(takes(ssh_certificate_critical_option_name(read, 0), "force-command"));
    CHECK(takes(ssh_certificate_critical_option(read, "force-command"), "true"));
    ssh_key *key = ssh_certificate_key(read), *signer = ssh_certificate_authority(read);
    CHECK(ssh_key_equals(key, user) && ssh_key_equals(signer, authority));
    char *fingerprint = ssh_certificate_fingerprint(read);
    CHECK(takes(ssh_key_fingerprint(key), fingerprint));
    ssh_memory_free(fingerprint);

    const ssh_key *trusted[] = {signer}, *others[] = {key};
    CHECK_STATUS(ssh_certificate_check(read, SSH_CERTIFICATE_USER, trusted, 1, "alice", NULL, 150, NULL), SSH_OK);
    CHECK_STATUS(ssh_certificate_check(read, SSH_CERTIFICATE_USER, trusted, 1, "bob", NULL, 150, &error),
                 SSH_ERR_CERTIFICATE);
    CHECK(strstr(ssh_error_message(error), "is not for bob") != NULL && ssh_error_class(error) == SSH_CLASS_KEY);
    ssh_error_free(error);
    CHECK_STATUS(ssh_certificate_check(read, SSH_CERTIFICATE_HOST, trusted, 1, "alice", NULL, 150, NULL),
                 SSH_ERR_CERTIFICATE);
    CHECK_STATUS(ssh_certificate_check(read, SSH_CERTIFICATE_USER, others, 1, "alice", NULL, 150, NULL),
                 SSH_ERR_CERTIFICATE);
    CHECK_STATUS(ssh_certificate_check(read, SSH_CERTIFICATE_USER, trusted, 1, "alice", NULL, 0, NULL),
                 SSH_ERR_CERTIFICATE);
    CHECK_STATUS(ssh_certificate_check(read, SSH_CERTIFICATE_USER, trusted, 1, "alice", "nowhere", 150, NULL),
                 SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_certificate_check(read, 3, trusted, 1, "alice", NULL, 150, NULL), SSH_ERR_INVALID_ARG);

    ssh_key *shown = ssh_key_with_certificate(user, read, &error);
    CHECK(shown != NULL && ssh_key_equals(shown, user));
    ssh_certificate *again = ssh_key_certificate(shown);
    CHECK(again != NULL && ssh_key_certificate(user) == NULL);
    CHECK(ssh_key_with_certificate(authority, read, &error) == NULL);
    ssh_error_free(error);
    ssh_certificate_free(again);
    ssh_certificate_free(read);
    ssh_certificate_free(made);
    ssh_key_free(shown);
    ssh_key_free(key);
    ssh_key_free(signer);
}

static void on_log(int32_t level, const char *name, const char *text, void *userdata)
{
    (void)name;
    (void)userdata;
    if (level != SSH_LOG_WARNING)
        return;
    pthread_mutex_lock(&telling);
    snprintf(told, sizeof told, "%s", text);
    pthread_mutex_unlock(&telling);
}

/* The line is on its way while the refusal is, too. */
static bool was_told(const char *text)
{
    bool found = false;
    for (int i = 0; i < 2000 && !found; i++) {
        if (i > 0)
            usleep(10000);
        pthread_mutex_lock(&telling);
        found = strstr(told, text) != NULL;
        pthread_mutex_unlock(&telling);
    }
    return found;
}

static void on_proven(ssh_request *request, void *userdata)
{
    (void)userdata;
    ssh_certificate *certificate = ssh_request_certificate(request);
    atomic_fetch_add(&asked, 1);
    CHECK(ssh_request_security_key_flags(request) == 0);
    if (certificate != NULL) {
        CHECK(takes(ssh_certificate_key_id(certificate), "an id"));
        ssh_request_accept(request);
    }
    ssh_certificate_free(certificate);
    ssh_request_free(request);
}

static void on_exec(ssh_request *request, void *userdata)
{
    (void)userdata;
    size_t length = 0;
    const char *original = ssh_request_original_command(request, &length);
    const char *command = ssh_request_command(request, NULL);
    if (original != NULL && strcmp(command, "forced") == 0 && length == 6 && strcmp(original, "wanted") == 0)
        ssh_request_accept(request);
    ssh_request_free(request);
}

static void on_never(ssh_request *request, void *userdata)
{
    (void)userdata;
    CHECK(!"asked about what is not permitted");
    ssh_request_free(request);
}

static ssh_status login(pair *p, const ssh_certificate *certificate)
{
    ssh_error *error = NULL;
    ssh_key *shown = ssh_key_with_certificate(user, certificate, &error);
    CHECK(shown != NULL);
    ssh_status status = ssh_transport_auth_publickey(p->client, "alice", shown, NULL, 20000, &error);
    ssh_error_free(error);
    ssh_key_free(shown);
    return status;
}

static void users(void)
{
    pair p;
    ssh_error *error = NULL;
    pair_make(&p);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_KEY_PROVEN, on_proven, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_EXEC, on_exec, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_PTY, on_never, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_SHELL, on_never, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_add_user_authority(p.server, authority), SSH_OK);
    CHECK_STATUS(ssh_set_log_callback(on_log, SSH_LOG_WARNING, NULL, NULL), SSH_OK);
    pair_start(&p);

    ssh_certificate *draft = draft_for(SSH_CERTIFICATE_USER, user, "bob"), *bad = sign(draft);
    CHECK_STATUS(login(&p, bad), SSH_ERR_AUTH);
    CHECK(was_told("is not for alice but for bob") && atomic_load(&asked) == 0);
    ssh_certificate_free(bad);
    draft = draft_for(SSH_CERTIFICATE_USER, user, "alice");
    CHECK_STATUS(ssh_certificate_set_critical_option(draft, "source-address", "127.0.0.1"), SSH_OK);
    bad = sign(draft);
    /* A pair of UNIX sockets has no address. */
    CHECK_STATUS(login(&p, bad), SSH_ERR_AUTH);
    CHECK(was_told("not from an unknown address"));
    ssh_certificate_free(bad);

    draft = draft_for(SSH_CERTIFICATE_USER, user, "alice");
    CHECK_STATUS(ssh_certificate_set_critical_option(draft, "force-command", "forced"), SSH_OK);
    ssh_certificate *good = sign(draft);
    CHECK_STATUS(login(&p, good), SSH_OK);
    CHECK(atomic_load(&asked) == 1);
    ssh_channel *channel = ssh_transport_open_session(p.client, 20000, &error);
    CHECK(channel != NULL);
    CHECK_STATUS(ssh_channel_request_pty(channel, "xterm", 80, 24, 0, 0, NULL, 0, 20000, NULL), SSH_ERR_DENIED);
    CHECK_OK(ssh_channel_request_exec(channel, "wanted", 20000, &error), error);
    ssh_channel_free(channel);
    ssh_certificate_free(good);
    pair_free(&p);
    CHECK_STATUS(ssh_set_log_callback(NULL, SSH_LOG_WARNING, NULL, NULL), SSH_OK);
}

/* A client by known hosts alone, which know the authority and not the key. */
static ssh_status host_as(const char *principal, ssh_error **error)
{
    pair p;
    pair_make(&p);
    ssh_certificate *certificate = sign(draft_for(SSH_CERTIFICATE_HOST, p.host_key, principal));
    ssh_key *shown = ssh_key_with_certificate(p.host_key, certificate, NULL);
    CHECK_STATUS(ssh_server_add_key(p.server, shown), SSH_OK);
    ssh_known_hosts *known = ssh_known_hosts_new();
    char *line = ssh_key_public_line(authority, ""), text[4096];
    snprintf(text, sizeof text, "@cert-authority *.org %s\n", line);
    CHECK_STATUS(ssh_known_hosts_add_lines(known, text, strlen(text), NULL), SSH_OK);
    CHECK_STATUS(ssh_transport_set_known_hosts(p.client, known, "host.org", 2222, NULL), SSH_OK);
    ssh_event *started = ssh_event_new();
    CHECK_STATUS(ssh_transport_start_server(p.server_transport, p.server, started, 20000, NULL), SSH_OK);
    ssh_status status = ssh_transport_start_client(p.client, NULL, 20000, error);
    if (status == SSH_OK) {
        int32_t verdict = 0;
        CHECK_STATUS(ssh_transport_known_hosts_verdict(p.client, &verdict, NULL), SSH_OK);
        CHECK(verdict == SSH_KNOWN_HOSTS_MATCH);
        status = ssh_transport_auth_password(p.client, "alice", "open sesame", 11, false, NULL, 20000, error);
        CHECK_STATUS(ssh_transport_renegotiate_keys(p.client, 20000, NULL), SSH_OK);
    }
    ssh_event_free(started);
    ssh_memory_free(line);
    ssh_known_hosts_free(known);
    ssh_key_free(shown);
    ssh_certificate_free(certificate);
    pair_free(&p);
    return status;
}

static void hosts(void)
{
    ssh_error *error = NULL;
    CHECK_OK(host_as("host.org", &error), error);
    CHECK_OK(host_as("*.org", &error), error);
    CHECK_STATUS(host_as("other.org", &error), SSH_ERR_HOSTKEY);
    CHECK(strstr(ssh_error_message(error), "is not for host.org") != NULL);
    ssh_error_free(error);
}

static void revoked(void)
{
    ssh_error *error = NULL;
    char *line = ssh_key_public_line(authority, NULL);
    ssh_certificate *certificate = sign(draft_for(SSH_CERTIFICATE_USER, user, "alice"));
    ssh_revocations *list = ssh_revocations_load(line, strlen(line), &error);
    CHECK(list != NULL && ssh_revocations_version(list) == 0 && takes(ssh_revocations_comment(list), ""));
    CHECK_STATUS(ssh_revocations_check_key(list, authority), SSH_ERR_REVOKED);
    CHECK_STATUS(ssh_revocations_check_key(list, user), SSH_OK);
    CHECK_STATUS(ssh_revocations_check_certificate(list, certificate), SSH_ERR_REVOKED);
    CHECK(ssh_revocations_load("nonsense", 8, &error) == NULL && ssh_error_code(error) == SSH_ERR_KEY_MALFORMED);
    ssh_error_free(error);
    CHECK(ssh_revocations_load_file("/nowhere", &error) == NULL && ssh_error_code(error) == SSH_ERR_IO);
    ssh_error_free(error);
    CHECK(ssh_revocations_load_file("/dev/zero", &error) == NULL);
    ssh_error_free(error);

    pair p;
    pair_make(&p);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_KEY_PROVEN, on_never, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_add_user_authority(p.server, authority), SSH_OK);
    CHECK_STATUS(ssh_server_set_revocations(p.server, list), SSH_OK);
    pair_start(&p);
    CHECK_STATUS(login(&p, certificate), SSH_ERR_AUTH);
    CHECK_STATUS(ssh_transport_auth_publickey(p.client, "alice", authority, NULL, 20000, NULL), SSH_ERR_AUTH);
    pair_free(&p);
    ssh_revocations_free(list);
    ssh_certificate_free(certificate);
    ssh_memory_free(line);
}

/* A host key that is revoked: the expected one, and any that the program would take. */
static void revoked_hosts(void)
{
    for (int how = 0; how < 3; how++) {
        pair p;
        ssh_error *error = NULL;
        pair_make(&p);
        char *line = ssh_key_public_line(how == 2 ? user : p.host_key, NULL);
        ssh_revocations *list = ssh_revocations_load(line, strlen(line), &error);
        CHECK_STATUS(ssh_transport_set_revoked_host_keys(p.client, list), SSH_OK);
        ssh_revocations_free(list);
        if (how == 0)
            CHECK_STATUS(ssh_transport_set_expected_host_key(p.client, p.host_key), SSH_OK);
        else
            CHECK_STATUS(ssh_transport_set_insecure_accept_any_host_key(p.client), SSH_OK);
        ssh_event *started = ssh_event_new();
        CHECK_OK(ssh_transport_start_server(p.server_transport, p.server, started, 20000, &error), error);
        ssh_status status = ssh_transport_start_client(p.client, NULL, 20000, &error);
        CHECK_STATUS(status, how == 2 ? SSH_OK : SSH_ERR_HOSTKEY);
        if (how < 2) {
            char *fingerprint = ssh_key_fingerprint(p.host_key);
            CHECK(strcmp(ssh_error_found_fingerprint(error), fingerprint) == 0);
            CHECK(strstr(ssh_error_message(error), "revoked") != NULL);
            ssh_memory_free(fingerprint);
        }
        ssh_error_free(error);
        CHECK_STATUS(ssh_transport_set_revoked_host_keys(p.client, NULL), SSH_ERR_STATE);
        ssh_event_free(started);
        ssh_memory_free(line);
        pair_free(&p);
    }
}

static void on_by_lines(ssh_request *request, void *userdata)
{
    ssh_authorized_keys_answer(userdata, request, NULL, NULL, NULL);
    ssh_request_free(request);
}

/* An authority that only a line knows: it lets nobody in without the program, nor by a plain yes. */
static void authorities_of_lines(void)
{
    char text[2048];
    ssh_error *error = NULL;
    char *line = ssh_key_public_line(authority, NULL);
    snprintf(text, sizeof text, "cert-authority,principals=\"admin\" %s\n", line);
    ssh_authorized_keys *keys = ssh_authorized_keys_load(text, strlen(text), &error);
    CHECK(keys != NULL);
    ssh_certificate *good = sign(draft_for(SSH_CERTIFICATE_USER, user, "admin"));
    ssh_certificate *other = sign(draft_for(SSH_CERTIFICATE_USER, user, "alice"));
    static const struct {
        bool asks, by_lines, is_good;
        ssh_status status;
    } cases[] = {{true, true, true, SSH_OK},
                 {true, true, false, SSH_ERR_AUTH},
                 {true, false, true, SSH_ERR_AUTH},
                 {false, true, true, SSH_ERR_AUTH}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pair p;
        pair_make(&p);
        ssh_request_callback answer = cases[i].by_lines ? on_by_lines : pair_accept;
        CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_KEY_ASKED, answer, keys, NULL), SSH_OK);
        CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_KEY_PROVEN, answer, keys, NULL), SSH_OK);
        CHECK_STATUS(ssh_server_set_ask_certificates(p.server, cases[i].asks), SSH_OK);
        pair_start(&p);
        CHECK_STATUS(login(&p, cases[i].is_good ? good : other), cases[i].status);
        pair_free(&p);
    }
    ssh_certificate_free(good);
    ssh_certificate_free(other);
    ssh_authorized_keys_free(keys);
    ssh_memory_free(line);
}

static void on_authorized(ssh_request *request, void *userdata)
{
    size_t index = 99;
    ssh_error *error = NULL;
    ssh_status status = ssh_authorized_keys_answer(userdata, request, NULL, &index, &error);
    if (status == SSH_OK)
        CHECK(index == 1);
    else
        CHECK(status == SSH_ERR_AUTH && strstr(ssh_error_message(error), "no line has the key") != NULL);
    ssh_error_free(error);
    ssh_request_free(request);
}

static void authorized(void)
{
    char text[4096];
    ssh_error *error = NULL;
    char *one = ssh_key_public_line(authority, "one"), *two = ssh_key_public_line(user, "two");
    snprintf(text, sizeof text, "cert-authority %s\nunknown %s\nrestrict,command=\"forced\",environment=\"A=b\" %s\n", one,
             two, two);
    ssh_authorized_keys *keys = ssh_authorized_keys_load(text, strlen(text), &error);
    CHECK(keys != NULL && ssh_authorized_keys_count(keys) == 2);
    CHECK(takes(ssh_authorized_keys_warnings(keys), "line 2: an unknown option"));
    CHECK(ssh_authorized_keys_line(keys, 1) == 3 && ssh_authorized_keys_line(keys, 2) == 0);
    CHECK((ssh_authorized_keys_permits(keys, 0) & SSH_PERMIT_CERTIFICATES) != 0);
    CHECK(ssh_authorized_keys_permits(keys, 1) == 0 && ssh_authorized_keys_permits(keys, 2) == 0);
    CHECK(takes(ssh_authorized_keys_option(keys, 1, "command"), "forced"));
    CHECK(ssh_authorized_keys_option(keys, 0, "command") == NULL);
    CHECK(ssh_authorized_keys_has_options(keys, 1) && !ssh_authorized_keys_has_options(keys, 2));
    CHECK(takes(ssh_authorized_keys_environment(keys, 1, 0), "A=b"));
    CHECK(ssh_authorized_keys_environment(keys, 1, 1) == NULL);
    ssh_key *key = ssh_authorized_keys_key(keys, 1);
    CHECK(ssh_key_equals(key, user) && takes(ssh_key_comment(key), "two"));
    ssh_key_free(key);

    pair p;
    pair_make(&p);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_KEY_ASKED, on_authorized, keys, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_KEY_PROVEN, on_authorized, keys, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_EXEC, on_exec, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_PTY, on_never, NULL, NULL), SSH_OK);
    pair_start(&p);
    CHECK_STATUS(ssh_transport_auth_publickey(p.client, "alice", authority, NULL, 20000, NULL), SSH_ERR_AUTH);
    CHECK_OK(ssh_transport_auth_publickey(p.client, "alice", user, NULL, 20000, &error), error);
    ssh_channel *channel = ssh_transport_open_session(p.client, 20000, &error);
    CHECK(channel != NULL);
    CHECK_STATUS(ssh_channel_request_pty(channel, "xterm", 80, 24, 0, 0, NULL, 0, 20000, NULL), SSH_ERR_DENIED);
    CHECK_OK(ssh_channel_request_exec(channel, "wanted", 20000, &error), error);
    ssh_channel_free(channel);
    pair_free(&p);
    ssh_authorized_keys_free(keys);
    ssh_memory_free(one);
    ssh_memory_free(two);
}

int main(void)
{
    watchdog(120);
    authority = ssh_key_generate(SSH_KEY_ED25519, 0, "authority", NULL);
    user = ssh_key_generate(SSH_KEY_ED25519, 0, "user", NULL);
    made_and_looked_at();
    users();
    hosts();
    revoked();
    revoked_hosts();
    authorized();
    authorities_of_lines();
    ssh_key_free(authority);
    ssh_key_free(user);
    return 0;
}
