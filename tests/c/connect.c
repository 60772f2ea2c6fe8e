/* ssh_connect_config: known hosts, keys, questions, a proxy and a jump host, all within this process. */
#include "check.h"

#include <sys/stat.h>

#define MOST 64

static char folder[] = "/tmp/sshwire-connect-XXXXXX";
static char config_path[64], known_path[64], key_path[64], plain_path[64], rsa_path[64];
static ssh_server *servers[5];
/* The authority of the last server's certificate. */
static char *authority;
static ssh_transport *served[MOST];
static ssh_event *started[MOST];
static atomic_int served_count, asked_keys, asked_passphrases, asked_passwords, asked_codes;
static const char *passphrase = "correct horse", *password = "open sesame", *code = "42";
static bool accepts_keys = true;
/* Which of the servers a connection leads to. */
static int which;

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static size_t lines_of(const char *path)
{
    size_t count = 0;
    FILE *file = fopen(path, "r");
    for (int c; file != NULL && (c = fgetc(file)) != EOF;)
        count += c == '\n';
    if (file != NULL)
        fclose(file);
    return count;
}

/* The server's side. */

static void serve(ssh_transport *transport)
{
    ssh_error *error = NULL;
    int index = atomic_fetch_add(&served_count, 1);
    CHECK(transport != NULL && index < MOST);
    served[index] = transport;
    started[index] = ssh_event_new();
    CHECK_OK(ssh_transport_start_server(transport, servers[which], started[index], 20000, &error), error);
}

static void check_password(ssh_request *request, void *userdata)
{
    (void)userdata;
    size_t length = 0;
    const char *given = ssh_request_password(request, &length);
    if (length == 11 && memcmp(given, "open sesame", 11) == 0)
        ssh_request_accept(request);
    else
        ssh_request_refuse(request);
    ssh_request_free(request);
}

static void check_key(ssh_request *request, void *userdata)
{
    (void)userdata;
    if (accepts_keys)
        ssh_request_accept(request);
    else
        ssh_request_refuse(request);
    ssh_request_free(request);
}

static void ask_for_code(ssh_request *request, void *userdata)
{
    (void)userdata;
    const char *prompt = "Code: ";
    bool echo = true;
    CHECK_STATUS(ssh_request_ask(request, "Token", "Look at it.", &prompt, &echo, 1), SSH_OK);
    ssh_request_free(request);
}

static void check_code(ssh_request *request, void *userdata)
{
    (void)userdata;
    CHECK(ssh_request_answer_count(request) == 1);
    if (strcmp(ssh_request_answer(request, 0, NULL), "42") == 0)
        CHECK_STATUS(ssh_request_accept(request), SSH_OK);
    else
        CHECK_STATUS(ssh_request_refuse(request), SSH_OK);
    ssh_request_free(request);
}

/* Whoever wants to go on is met by a session within the session. */
static void connect_on(ssh_request *request, void *userdata)
{
    (void)userdata;
    ssh_error *error = NULL;
    uint16_t port = 0;
    const char *host = ssh_request_destination(request, &port);
    CHECK(host != NULL && strcmp(host, "inner.example.org") == 0 && port == 2222);
    ssh_channel *channel = ssh_request_accept_channel(request, &error);
    CHECK(channel != NULL);
    serve(ssh_transport_new_channel(channel, &error));
    ssh_channel_free(channel);
    ssh_request_free(request);
}

/* One with a key, which nobody gets into. */
static ssh_server *closed_server_new(void)
{
    ssh_error *error = NULL;
    ssh_server *server = ssh_server_new();
    ssh_key *key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, &error);
    CHECK_STATUS(ssh_server_add_key(server, key), SSH_OK);
    ssh_key_free(key);
    return server;
}

static ssh_server *server_new(void)
{
    ssh_server *server = closed_server_new();
    CHECK_STATUS(ssh_server_set_callback(server, SSH_REQUEST_AUTH_PASSWORD, check_password, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(server, SSH_REQUEST_AUTH_KEY_ASKED, check_key, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(server, SSH_REQUEST_AUTH_KEY_PROVEN, check_key, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(server, SSH_REQUEST_CONNECT, connect_on, NULL, NULL), SSH_OK);
    return server;
}

/* One that lets in by a code alone. */
static ssh_server *code_server_new(void)
{
    ssh_server *server = closed_server_new();
    CHECK_STATUS(ssh_server_set_callback(server, SSH_REQUEST_AUTH_INTERACTIVE, ask_for_code, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(server, SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS, check_code, NULL, NULL), SSH_OK);
    return server;
}

/* One with an RSA key of 2048 bits. */
static ssh_server *rsa_server_new(void)
{
    ssh_error *error = NULL;
    ssh_server *server = ssh_server_new();
    ssh_key *key = ssh_key_load_file(rsa_path, NULL, &error);
    CHECK_OK(ssh_server_add_key(server, key), error);
    ssh_key_free(key);
    CHECK_STATUS(ssh_server_set_callback(server, SSH_REQUEST_AUTH_PASSWORD, check_password, NULL, NULL), SSH_OK);
    return server;
}

/* One with a certificate for "there", signed by an RSA key. */
static ssh_server *certified_server_new(void)
{
    ssh_error *error = NULL;
    ssh_server *server = ssh_server_new();
    ssh_key *signer = ssh_key_load_file(rsa_path, NULL, &error);
    ssh_key *key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, &error);
    ssh_certificate *draft = ssh_certificate_new(SSH_CERTIFICATE_HOST, key);
    CHECK_STATUS(ssh_certificate_add_principal(draft, "there"), SSH_OK);
    ssh_certificate *certificate = ssh_certificate_sign(draft, signer, NULL, &error);
    ssh_key *shown = ssh_key_with_certificate(key, certificate, &error);
    CHECK_OK(ssh_server_add_key(server, shown), error);
    authority = ssh_key_public_line(signer, NULL);
    CHECK(authority != NULL);
    ssh_key_free(shown);
    ssh_certificate_free(certificate);
    ssh_certificate_free(draft);
    ssh_key_free(key);
    ssh_key_free(signer);
    CHECK_STATUS(ssh_server_set_callback(server, SSH_REQUEST_AUTH_PASSWORD, check_password, NULL, NULL), SSH_OK);
    return server;
}

static int32_t proxy(const char *command, void *userdata)
{
    (void)userdata;
    ssh_error *error = NULL;
    int fds[2];
    if (strcmp(command, "broken") == 0)
        return -1;
    CHECK(strncmp(command, "to ", 3) == 0);
    sockets(fds);
    serve(ssh_transport_new(fds[0], &error));
    return fds[1];
}

/* The client's side. */

static bool says_yes = true;

static void answer(ssh_request *request, void *userdata)
{
    (void)userdata;
    const char *text = NULL;
    switch (ssh_request_kind(request)) {
    case SSH_REQUEST_HOST_KEY:
        atomic_fetch_add(&asked_keys, 1);
        if (says_yes)
            ssh_request_accept(request);
        else
            ssh_request_refuse(request);
        break;
    case SSH_REQUEST_PASSPHRASE:
        atomic_fetch_add(&asked_passphrases, 1);
        CHECK(strcmp(ssh_request_name(request), key_path) == 0);
        text = passphrase;
        break;
    case SSH_REQUEST_PASSWORD:
        atomic_fetch_add(&asked_passwords, 1);
        CHECK(strncmp(ssh_request_name(request), "alice@", 6) == 0);
        text = password;
        break;
    case SSH_REQUEST_PROMPTS:
        atomic_fetch_add(&asked_codes, 1);
        CHECK(strcmp(ssh_request_title(request), "Token") == 0);
        CHECK(strcmp(ssh_request_instructions(request), "Look at it.") == 0);
        CHECK_STATUS(ssh_request_answer_prompts(request, &code, 1), SSH_OK);
        break;
    default: CHECK(false);
    }
    if (text != NULL) {
        bool echo = true;
        CHECK(ssh_request_prompt_count(request) == 1);
        CHECK(strstr(ssh_request_prompt(request, 0, &echo), "ass") != NULL && !echo);
        CHECK_STATUS(ssh_request_answer_prompts(request, &text, 1), SSH_OK);
    }
    ssh_request_free(request);
}

/* Connects with `lines` before what all have in common. */
static ssh_transport *connect_with(const char *lines, const char *destination, bool asks, ssh_error **error)
{
    char text[2048];
    snprintf(text, sizeof text,
             "%s"
             "Host there inner\n User alice\n"
             "Host inner\n HostName inner.example.org\n Port 2222\n ProxyJump there\n"
             "Host *\n ProxyCommand to %%h\n UserKnownHostsFile %s\n GlobalKnownHostsFile none\n"
             " IdentityFile none\n IdentityAgent none\n StrictHostKeyChecking accept-new\n",
             lines, known_path);
    write_file(config_path, text);
    ssh_config *config = ssh_config_new();
    CHECK_OK(ssh_config_load_file(config, config_path, error), *error);
    CHECK_STATUS(ssh_config_set_proxy_callback(config, proxy, NULL, NULL), SSH_OK);
    if (asks)
        CHECK_STATUS(ssh_config_set_callback(config, SSH_REQUEST_ANY, answer, NULL, NULL), SSH_OK);
    ssh_transport *transport = ssh_connect_config(config, destination, 60000, error);
    ssh_config_free(config);
    return transport;
}

static void reaches(const char *lines, const char *destination)
{
    ssh_error *error = NULL;
    ssh_transport *transport = connect_with(lines, destination, true, &error);
    CHECK_OK(transport != NULL ? SSH_OK : ssh_error_code(error), error);
    CHECK(ssh_transport_is_authenticated(transport));
    CHECK(takes(ssh_transport_get_username(transport), "alice"));
    ssh_transport_close(transport);
    ssh_transport_free(transport);
}

static void fails(const char *lines, const char *destination, bool asks, ssh_status expected, const char *why)
{
    ssh_error *error = NULL;
    CHECK(connect_with(lines, destination, asks, &error) == NULL);
    CHECK_STATUS(ssh_error_code(error), expected);
    if (strstr(ssh_error_message(error), why) == NULL) {
        fprintf(stderr, "\"%s\" does not say \"%s\"\n", ssh_error_message(error), why);
        CHECK(false);
    }
    ssh_error_free(error);
}

static void known_hosts(void)
{
    unlink(known_path);
    fails("StrictHostKeyChecking yes\n", "there", true, SSH_ERR_HOSTKEY, "no key of there is known");
    fails("StrictHostKeyChecking ask\n", "there", false, SSH_ERR_HOSTKEY, "no key of there is known");
    fails("StrictHostKeyChecking ask\nBatchMode yes\n", "there", true, SSH_ERR_HOSTKEY, "no key of there is known");
    says_yes = false;
    fails("StrictHostKeyChecking ask\n", "there", true, SSH_ERR_HOSTKEY, "refused by the application");
    says_yes = true;
    CHECK(lines_of(known_path) == 0 && atomic_load(&asked_keys) == 1);
    reaches("StrictHostKeyChecking ask\n", "there");
    CHECK(lines_of(known_path) == 1 && atomic_load(&asked_keys) == 2);
    reaches("StrictHostKeyChecking yes\n", "there");
    /* Another server in its place. */
    which = 1;
    fails("", "there", true, SSH_ERR_HOSTKEY, "has changed");
    fails("StrictHostKeyChecking no\n", "there", true, SSH_ERR_AUTH, "no password was sent");
    reaches("HostKeyAlias other\n", "there");
    CHECK(lines_of(known_path) == 2);
    which = 0;
    unlink(known_path);
    reaches("HashKnownHosts yes\nStrictHostKeyChecking no\n", "there");
    CHECK(lines_of(known_path) == 1);
}

static void passwords(void)
{
    int before = atomic_load(&asked_passwords);
    reaches("", "there");
    CHECK(atomic_load(&asked_passwords) == before + 1);
    password = "wrong";
    fails("NumberOfPasswordPrompts 2\n", "there", true, SSH_ERR_AUTH, "alice@there: refused password");
    CHECK(atomic_load(&asked_passwords) == before + 3);
    password = "open sesame";
    fails("", "there", false, SSH_ERR_AUTH, "there was nothing to log in with; the server allows publickey, password");
    fails("PasswordAuthentication no\n", "there", true, SSH_ERR_AUTH, "there was nothing to log in with");
    fails("PreferredAuthentications publickey\n", "there", true, SSH_ERR_AUTH, "there was nothing to log in with");
    fails("BatchMode yes\n", "there", true, SSH_ERR_AUTH, "there was nothing to log in with");
    CHECK(atomic_load(&asked_passwords) == before + 3);
}

static void codes(void)
{
    which = 2;
    fails("StrictHostKeyChecking no\n", "there", true, SSH_ERR_AUTH, "no prompt was answered");
    CHECK(atomic_load(&asked_codes) == 0);
    reaches("HostKeyAlias codes\n", "there");
    CHECK(atomic_load(&asked_codes) == 1);
    code = "41";
    fails("HostKeyAlias codes\nNumberOfPasswordPrompts 2\n", "there", true, SSH_ERR_AUTH,
          "alice@there: refused keyboard-interactive");
    CHECK(atomic_load(&asked_codes) == 3);
    code = "42";
    const char *nothing = "there was nothing to log in with; the server allows keyboard-interactive";
    fails("HostKeyAlias codes\n", "there", false, SSH_ERR_AUTH, nothing);
    fails("HostKeyAlias codes\nBatchMode yes\n", "there", true, SSH_ERR_AUTH, nothing);
    fails("HostKeyAlias codes\nKbdInteractiveAuthentication no\n", "there", true, SSH_ERR_AUTH, nothing);
    CHECK(atomic_load(&asked_codes) == 3);
    which = 0;
}

static void keys(void)
{
    char lines[256];
    int before = atomic_load(&asked_passwords);
    snprintf(lines, sizeof lines, "PasswordAuthentication no\nIdentityFile %s\n", plain_path);
    reaches(lines, "there");
    CHECK(atomic_load(&asked_passphrases) == 0);
    snprintf(lines, sizeof lines, "PasswordAuthentication no\nIdentityFile %s\n", key_path);
    reaches(lines, "there");
    CHECK(atomic_load(&asked_passphrases) == 1);
    passphrase = "wrong";
    fails(lines, "there", true, SSH_ERR_AUTH, "is not used: no passphrase fits");
    CHECK(atomic_load(&asked_passphrases) == 4);
    passphrase = "";
    fails(lines, "there", true, SSH_ERR_AUTH, "is not used: no passphrase was given");
    passphrase = "correct horse";
    snprintf(lines, sizeof lines, "BatchMode yes\nIdentityFile %s\nIdentityFile /none/at/all\n", key_path);
    fails(lines, "there", true, SSH_ERR_AUTH, "nobody may be asked for its passphrase");
    fails(lines, "there", true, SSH_ERR_AUTH, "/none/at/all, which /tmp/");
    CHECK(chmod(plain_path, 0644) == 0);
    snprintf(lines, sizeof lines, "BatchMode yes\nIdentityFile %s\n", plain_path);
    fails(lines, "there", true, SSH_ERR_AUTH, "run chmod 600 on it");
    CHECK(chmod(plain_path, 0600) == 0);
    accepts_keys = false;
    fails(lines, "there", true, SSH_ERR_AUTH, "refused publickey (1 key)");
    /* Nobody types a passphrase for a server that does not want the key. */
    int asked = atomic_load(&asked_passphrases);
    snprintf(lines, sizeof lines, "PasswordAuthentication no\nIdentityFile %s\n", key_path);
    fails(lines, "there", true, SSH_ERR_AUTH, "refused publickey (1 key)");
    CHECK(atomic_load(&asked_passphrases) == asked);
    accepts_keys = true;
    snprintf(lines, sizeof lines, "PubkeyAcceptedAlgorithms rsa-sha2-*\nBatchMode yes\nIdentityFile %s\n", plain_path);
    fails(lines, "there", true, SSH_ERR_AUTH, "PubkeyAcceptedAlgorithms leaves none of its algorithms");
    snprintf(lines, sizeof lines, "IdentityAgent %s/nobody\nBatchMode yes\n", folder);
    fails(lines, "there", true, SSH_ERR_AUTH, "start one with ssh-agent");
    CHECK(atomic_load(&asked_passwords) == before);
}

/* RequiredRSASize, for the server's key and for the user's. */
static void sizes(void)
{
    char lines[256];
    which = 3;
    fails("HostKeyAlias rsa\nRequiredRSASize 3072\n", "there", true, SSH_ERR_HOSTKEY, "has 2048 bits, 3072 is the least");
    fails("HostKeyAlias rsa\nRequiredRSASize 3072\nStrictHostKeyChecking no\n", "there", true, SSH_ERR_HOSTKEY, "2048");
    reaches("HostKeyAlias rsa\nRequiredRSASize 2048\n", "there");
    fails("HostKeyAlias rsa\nRequiredRSASize 2049\n", "there", true, SSH_ERR_HOSTKEY, "2049 is the least");
    which = 0;
    const char *format = "BatchMode yes\nRequiredRSASize %d\nIdentityFile %s\n";
    snprintf(lines, sizeof lines, format, 1024, rsa_path);
    reaches(lines, "there");
    snprintf(lines, sizeof lines, format, 3072, rsa_path);
    fails(lines, "there", true, SSH_ERR_AUTH, "is not used: it has 2048 bits, 3072 is the least (RequiredRSASize)");
    snprintf(lines, sizeof lines, format, 16384, plain_path);
    reaches(lines, "there");
}

static void authorities(void)
{
    char text[1024];
    which = 4;
    snprintf(text, sizeof text, "@cert-authority there %s\n", authority);
    write_file(known_path, text);
    reaches("StrictHostKeyChecking yes\n", "there");
    reaches("StrictHostKeyChecking yes\nCASignatureAlgorithms rsa-sha2-512\n", "there");
    fails("CASignatureAlgorithms ssh-ed25519\n", "there", true, SSH_ERR_HOSTKEY, "its authority signed with rsa-sha2-512");
    fails("CASignatureAlgorithms -rsa-*\nStrictHostKeyChecking no\n", "there", true, SSH_ERR_HOSTKEY,
          "its authority signed with rsa-sha2-512");
    unlink(known_path);
    which = 0;
}

static void ways(void)
{
    fails("ProxyCommand broken\n", "there", true, SSH_ERR_CALLBACK, "ProxyCommand");
    int before = atomic_load(&served_count);
    reaches("Compression yes\nCiphers aes256-ctr\nRekeyLimit 1M 1h\nServerAliveInterval 5\n", "inner");
    CHECK(atomic_load(&served_count) == before + 2);
    fails("Host there\nProxyJump inner\n", "inner", true, SSH_ERR_LIMIT, "reached through each other");
    fails("Ciphers -*\n", "there", true, SSH_ERR_CONFIG, "Ciphers leaves no algorithm");
    fails("Port x\n", "there", true, SSH_ERR_CONFIG, "/config:1: \"x\" is not a port");
    ssh_error *error = NULL;
    ssh_config *config = ssh_config_new();
    CHECK_STATUS(ssh_config_set_callback(config, 99, answer, NULL, NULL), SSH_ERR_INVALID_ARG);
    CHECK(ssh_connect_config(config, "me@", 1000, &error) == NULL);
    CHECK_STATUS(ssh_error_code(error), SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    ssh_config_free(config);
}

/* The transport outlives the configuration and ends those below it. */
static void endings(void)
{
    ssh_error *error = NULL;
    ssh_transport *transport = connect_with("", "inner", true, &error);
    CHECK_OK(transport != NULL ? SSH_OK : ssh_error_code(error), error);
    int count = atomic_load(&served_count);
    ssh_transport_free(transport);
    for (int i = count - 2; i < count; i++)
        CHECK_STATUS(ssh_transport_join(served[i], 20000), SSH_OK);
}

int main(void)
{
    ssh_error *error = NULL;
    umask(022);
    CHECK(mkdtemp(folder) != NULL);
    snprintf(config_path, sizeof config_path, "%s/config", folder);
    snprintf(known_path, sizeof known_path, "%s/known", folder);
    snprintf(key_path, sizeof key_path, "%s/key", folder);
    snprintf(plain_path, sizeof plain_path, "%s/plain", folder);
    snprintf(rsa_path, sizeof rsa_path, "%s/rsa", folder);
    ssh_key *key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, &error);
    CHECK_OK(ssh_key_save_file(key, key_path, SSH_KEY_FORMAT_OPENSSH, passphrase, &error), error);
    CHECK_OK(ssh_key_save_file(key, plain_path, SSH_KEY_FORMAT_OPENSSH, NULL, &error), error);
    ssh_key_free(key);
    key = ssh_key_generate(SSH_KEY_RSA, 2048, NULL, &error);
    CHECK_OK(ssh_key_save_file(key, rsa_path, SSH_KEY_FORMAT_OPENSSH, NULL, &error), error);
    ssh_key_free(key);
    for (int i = 0; i < 2; i++)
        servers[i] = server_new();
    servers[2] = code_server_new();
    servers[3] = rsa_server_new();
    servers[4] = certified_server_new();
    known_hosts();
    passwords();
    codes();
    keys();
    sizes();
    ways();
    endings();
    authorities();
    for (int i = 0; i < atomic_load(&served_count); i++) {
        ssh_transport_free(served[i]);
        ssh_event_free(started[i]);
    }
    for (int i = 0; i < 5; i++)
        ssh_server_free(servers[i]);
    ssh_memory_free(authority);
    char *paths[] = {config_path, known_path, key_path, plain_path, rsa_path};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        unlink(paths[i]);
    rmdir(folder);
    return 0;
}
