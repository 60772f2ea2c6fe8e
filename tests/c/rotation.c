/* Host keys that change: a server tells of its keys, and a client is asked what becomes of what it knows. */
#include "pair.h"

static char folder[] = "/tmp/sshwire-rotation-XXXXXX", path[64];
static ssh_key *next, *gone;

static void write_line(const char *mode, const char *host, const ssh_key *key)
{
    char *text = ssh_key_public_line(key, "");
    FILE *file = fopen(path, mode);
    CHECK(file != NULL && fprintf(file, "%s %s\n", host, text) > 0 && fclose(file) == 0);
    ssh_memory_free(text);
}

static char *content(void)
{
    static char text[65536];
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static bool knows(const char *host, const ssh_key *key)
{
    ssh_error *error = NULL;
    int32_t verdict = 0;
    ssh_known_hosts *hosts = ssh_known_hosts_new();
    CHECK_OK(ssh_known_hosts_add_file(hosts, path, &error), error);
    CHECK_OK(ssh_known_hosts_check(hosts, host, 22, key, &verdict, NULL, &error), error);
    ssh_known_hosts_free(hosts);
    return verdict == SSH_KNOWN_HOSTS_MATCH;
}

struct asked {
    atomic_int count;
    ssh_key *host_key;
    enum { ACCEPT, REFUSE, FORGET, UPDATE, ANOTHER } how;
};

static void on_host_keys(ssh_request *request, void *userdata)
{
    struct asked *asked = userdata;
    ssh_error *error = NULL;
    CHECK(ssh_request_kind(request) == SSH_REQUEST_HOST_KEYS);
    CHECK(ssh_request_host_key_count(request, SSH_HOST_KEYS_NEW) == 1);
    CHECK(ssh_request_host_key_count(request, SSH_HOST_KEYS_KNOWN) == 1);
    CHECK(ssh_request_host_key_count(request, SSH_HOST_KEYS_GONE) == 1);
    CHECK(ssh_request_host_key_count(request, 0) == 0 && ssh_request_host_key_count(request, 4) == 0);
    const ssh_key *expected[] = {next, asked->host_key, gone};
    for (int32_t sort = SSH_HOST_KEYS_NEW; sort <= SSH_HOST_KEYS_GONE; sort++) {
        ssh_key *key = ssh_request_host_key(request, sort, 0);
        CHECK(ssh_key_equals(key, expected[sort - 1]) && !ssh_key_is_private(key));
        ssh_key_free(key);
        CHECK(ssh_request_host_key(request, sort, 1) == NULL);
    }
    CHECK(ssh_request_host_key(request, 9, 0) == NULL && ssh_request_key(request) == NULL);
    CHECK_STATUS(ssh_request_accept_port(request, 1), SSH_ERR_STATE);
    ssh_known_hosts *hosts = ssh_known_hosts_new();
    switch (asked->how) {
    case ACCEPT: CHECK_STATUS(ssh_request_accept(request), SSH_OK); break;
    case REFUSE: CHECK_STATUS(ssh_request_refuse(request), SSH_OK); break;
    case FORGET: break;
    case UPDATE:
    case ANOTHER:
        CHECK_STATUS(ssh_known_hosts_update(hosts, request, NULL, 0, true, NULL), SSH_ERR_STATE);
        CHECK_OK(ssh_known_hosts_add_file(hosts, path, &error), error);
        CHECK_STATUS(ssh_known_hosts_update(hosts, request, "a b", 0, true, NULL), SSH_ERR_INVALID_ARG);
        CHECK_OK(ssh_known_hosts_update(hosts, request, asked->how == ANOTHER ? "another" : NULL, 2222, true, &error),
                 error);
        break;
    }
    ssh_known_hosts_free(hosts);
    ssh_request_free(request);
    atomic_fetch_add(&asked->count, 1);
}

/* A server with a key that is known and one that is not, and without one that is; `told` is whether it says so. */
static void rotates(struct asked *asked, bool told)
{
    pair p;
    ssh_error *error = NULL;
    pair_make(&p);
    asked->host_key = p.host_key;
    /* A key of the host under another name would keep the file as it is. */
    ssh_key *own = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, NULL);
    write_line("w", "host", p.host_key);
    write_line("a", "host", gone);
    write_line("a", "bystander", own);
    char *before = strdup(content());
    CHECK_STATUS(ssh_server_add_next_key(p.server, next), SSH_OK);
    CHECK_STATUS(ssh_server_set_tell_host_keys(p.server, told), SSH_OK);
    ssh_known_hosts *hosts = ssh_known_hosts_new();
    CHECK_OK(ssh_known_hosts_add_file(hosts, path, &error), error);
    CHECK_OK(ssh_transport_set_known_hosts(p.client, hosts, "host", 22, &error), error);
    ssh_known_hosts_free(hosts);
    CHECK_STATUS(ssh_transport_set_callback(p.client, SSH_REQUEST_HOST_KEYS, on_host_keys, asked, NULL), SSH_OK);
    ssh_event *started = ssh_event_new();
    CHECK_OK(ssh_transport_start_server(p.server_transport, p.server, started, 20000, &error), error);
    CHECK_OK(ssh_transport_start_client(p.client, NULL, 20000, &error), error);
    CHECK_STATUS(ssh_event_wait(started, 20000), SSH_OK);
    ssh_event_free(started);
    CHECK_OK(ssh_transport_auth_password(p.client, "alice", "open sesame", 11, false, NULL, 20000, &error), error);
    /* Whatever the server answers comes behind what it has told. */
    CHECK_STATUS(ssh_transport_global_request(p.client, "nothing@example.org", NULL, 0, true, 20000, NULL, NULL, NULL),
                 SSH_ERR_DENIED);
    CHECK_STATUS(ssh_transport_wait_host_keys(p.client, 20000), SSH_OK);
    if (told)
        wait_for(&asked->count, 1);
    /* The session goes on whatever is decided. */
    ssh_channel *theirs, *channel = pair_session(&p, &theirs);
    ssh_channel_free(channel);
    ssh_channel_free(theirs);
    CHECK(knows("bystander", own) && knows("host", p.host_key));
    if (told && asked->how == ANOTHER)
        CHECK(!knows("host", next) && knows("host", gone) && strstr(content(), "|1|") != NULL);
    else if (told && (asked->how == ACCEPT || asked->how == UPDATE))
        CHECK(knows("host", next) && !knows("host", gone));
    else
        CHECK(strcmp(content(), before) == 0);
    CHECK((strstr(content(), "|1|") != NULL) == (told && asked->how >= UPDATE));
    free(before);
    ssh_key_free(own);
    pair_free(&p);
}

static void limits(void)
{
    ssh_server *server = ssh_server_new();
    char *line = ssh_key_public_line(next, "");
    ssh_key *public = ssh_key_from_line(line, NULL);
    CHECK_STATUS(ssh_server_add_next_key(server, public), SSH_ERR_INVALID_ARG);
    for (int i = 0; i < 32; i++)
        CHECK_STATUS(ssh_server_add_next_key(server, next), SSH_OK);
    CHECK_STATUS(ssh_server_add_next_key(server, next), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_server_set_tell_host_keys(NULL, true), SSH_ERR_BAD_HANDLE);
    CHECK_STATUS(ssh_transport_wait_host_keys(NULL, 0), SSH_ERR_BAD_HANDLE);
    ssh_key_free(public);
    ssh_memory_free(line);
    ssh_server_free(server);
}

int main(void)
{
    watchdog(120);
    ssh_error *error = NULL;
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/known_hosts", folder);
    next = ssh_key_generate(SSH_KEY_ED25519, 0, "next", &error);
    gone = ssh_key_generate(SSH_KEY_ECDSA_P256, 0, "gone", &error);
    CHECK(next != NULL && gone != NULL);
    for (int how = ACCEPT; how <= ANOTHER; how++) {
        struct asked asked = {.how = how};
        rotates(&asked, true);
        CHECK(atomic_load(&asked.count) == 1);
    }
    struct asked never = {.how = ACCEPT};
    rotates(&never, false);
    CHECK(atomic_load(&never.count) == 0);
    limits();
    ssh_key_free(next);
    ssh_key_free(gone);
    CHECK(unlink(path) == 0 && rmdir(folder) == 0);
    puts("rotation: ok");
    return 0;
}
