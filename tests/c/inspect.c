/* What a transport tells about itself, groups from a file, and whether the process's exit waits. */
#include "pair.h"

#include <sys/wait.h>

static void algorithms_and_figures(void)
{
    pair p;
    uint64_t before[SSH_STATISTIC_COUNT], after[SSH_STATISTIC_COUNT];
    ssh_error *error = NULL;
    pair_make(&p);
    CHECK(ssh_transport_get_algorithm(p.client, SSH_ALGORITHM_KEX) == NULL);
    CHECK_STATUS(ssh_transport_statistics(p.client, before, SSH_STATISTIC_COUNT), SSH_OK);
    CHECK(before[SSH_STATISTIC_BYTES_SENT] == 0 && before[SSH_STATISTIC_KEY_EXCHANGES] == 0);
    CHECK(before[SSH_STATISTIC_ROUND_TRIP_US] == UINT64_MAX);
    /* Each direction its own cipher and MAC. */
    ssh_security_options *options = ssh_transport_security_options(p.client);
    CHECK_OK(ssh_security_options_set_ciphers(options, "aes256-ctr", &error), error);
    CHECK_OK(ssh_security_options_set_digests(options, "hmac-sha2-512-etm@openssh.com", &error), error);
    CHECK_OK(ssh_security_options_set_kex(options, "curve25519-sha256", &error), error);
    ssh_security_options_free(options);
    pair_login(&p);
    for (int side = 0; side < 2; side++) {
        ssh_transport *t = side == 0 ? p.client : p.server_transport;
        CHECK(takes(ssh_transport_get_algorithm(t, SSH_ALGORITHM_KEX), "curve25519-sha256"));
        CHECK(takes(ssh_transport_get_algorithm(t, SSH_ALGORITHM_HOST_KEY), "ssh-ed25519"));
        for (int direction = 0; direction < 2; direction++) {
            CHECK(takes(ssh_transport_get_algorithm(t, SSH_ALGORITHM_CIPHER_SENT + direction), "aes256-ctr"));
            CHECK(takes(ssh_transport_get_algorithm(t, SSH_ALGORITHM_MAC_SENT + direction),
                        "hmac-sha2-512-etm@openssh.com"));
            CHECK(takes(ssh_transport_get_algorithm(t, SSH_ALGORITHM_COMPRESSION_SENT + direction), "none"));
        }
        CHECK(ssh_transport_get_algorithm(t, 0) == NULL && ssh_transport_get_algorithm(t, 9) == NULL);
    }

    enum { BYTES = 5 * 1000 * 1000 };
    static char data[100 * 1000];
    ssh_channel *theirs, *ours = pair_session(&p, &theirs);
    CHECK_STATUS(ssh_transport_statistics(p.client, before, SSH_STATISTIC_COUNT), SSH_OK);
    CHECK(before[SSH_STATISTIC_CHANNELS] == 1 && before[SSH_STATISTIC_KEY_EXCHANGES] == 1);
    size_t done, taken = 0, sent = 0;
    ssh_status status;
    /* First until the window is used up: the last of these writes waits for more, in vain. */
    while ((status = ssh_channel_write(ours, data, sizeof data, &done, 200)) == SSH_OK)
        sent += done;
    CHECK_STATUS(status, SSH_ERR_TIMEOUT);
    while (taken < sent) {
        CHECK_STATUS(ssh_channel_read(theirs, data, sizeof data, &done, 20000), SSH_OK);
        taken += done;
    }
    while (sent < BYTES) {
        CHECK_STATUS(ssh_channel_write_all(ours, data, sizeof data, &done, 20000), SSH_OK);
        for (sent += done; taken < sent; taken += done)
            CHECK_STATUS(ssh_channel_read(theirs, data, sizeof data, &done, 20000), SSH_OK);
    }
    CHECK_OK(ssh_transport_renegotiate_keys(p.client, 20000, &error), error);
    CHECK_STATUS(ssh_transport_statistics(p.client, after, SSH_STATISTIC_COUNT), SSH_OK);
    CHECK(after[SSH_STATISTIC_BYTES_SENT] - before[SSH_STATISTIC_BYTES_SENT] > sent);
    CHECK(after[SSH_STATISTIC_BYTES_SENT] - before[SSH_STATISTIC_BYTES_SENT] < sent + sent / 50 + 100000);
    CHECK(after[SSH_STATISTIC_PACKETS_SENT] - before[SSH_STATISTIC_PACKETS_SENT] >= sent / (256 * 1024));
    CHECK(after[SSH_STATISTIC_BYTES_RECEIVED] > before[SSH_STATISTIC_BYTES_RECEIVED]);
    CHECK(after[SSH_STATISTIC_KEY_EXCHANGES] == 2);
    CHECK(after[SSH_STATISTIC_WINDOW_STALLS] > 0);
    uint64_t first = 0;
    CHECK_STATUS(ssh_transport_statistics(p.client, &first, 1), SSH_OK);
    CHECK(first >= after[SSH_STATISTIC_PACKETS_SENT]);
    CHECK_STATUS(ssh_transport_statistics(p.client, NULL, 1), SSH_ERR_INVALID_ARG);
    ssh_channel_free(ours);
    ssh_channel_free(theirs);
    ssh_transport_close(p.client);
    CHECK_STATUS(ssh_transport_statistics(p.client, &first, 1), SSH_OK);
    pair_free(&p);
}

static void moduli(void)
{
    ssh_error *error = NULL;
    char path[] = "/tmp/sshwire-moduli-XXXXXX";
    ssh_server *server = ssh_server_new();
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    CHECK_STATUS(ssh_server_load_moduli(server, path, &error), SSH_ERR_INVALID_ARG); /* empty */
    ssh_error_free(error);
    const char *text = "# comment\n20200101000000 2 6 100 2047 2 FF\nnonsense\n";
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    CHECK_STATUS(ssh_server_load_moduli(server, path, &error), SSH_ERR_INVALID_ARG); /* nothing usable */
    ssh_error_free(error);
    CHECK_STATUS(ssh_server_load_moduli(server, "/nowhere/at/all", &error), SSH_ERR_IO);
    ssh_error_free(error);
    CHECK_STATUS(ssh_server_load_moduli(server, "/dev/zero", NULL), SSH_ERR_INVALID_ARG);
    CHECK(close(fd) == 0 && unlink(path) == 0);
    ssh_server_free(server);
}

/* Hex dumps go to the log of one transport, at DEBUG, and no password is in them. */

#define LOG_ROOM (4 * 1024 * 1024)

struct log {
    pthread_mutex_t lock;
    char *text;
    size_t length;
    atomic_int destroyed;
};

static void keep_line(int32_t level, const char *channel, const char *message, void *userdata)
{
    struct log *log = userdata;
    CHECK(level <= SSH_LOG_DEBUG && strcmp(channel, "dumped") == 0);
    pthread_mutex_lock(&log->lock);
    size_t length = strlen(message);
    if (log->length + length + 2 < LOG_ROOM) {
        memcpy(log->text + log->length, message, length);
        log->length += length;
        log->text[log->length++] = '\n';
    }
    pthread_mutex_unlock(&log->lock);
}

static void log_done(void *userdata)
{
    atomic_fetch_add(&((struct log *)userdata)->destroyed, 1);
}

static void hexdump(bool on)
{
    pair p;
    struct log log = {.lock = PTHREAD_MUTEX_INITIALIZER, .text = calloc(1, LOG_ROOM)};
    CHECK(log.text != NULL);
    pair_make(&p);
    CHECK(!ssh_transport_get_hexdump(p.client));
    CHECK_STATUS(ssh_transport_set_log_channel(p.client, "dumped"), SSH_OK);
    CHECK_STATUS(ssh_transport_set_log_callback(p.client, keep_line, SSH_LOG_DEBUG, &log, log_done), SSH_OK);
    CHECK_STATUS(ssh_transport_set_hexdump(p.client, on), SSH_OK);
    CHECK(ssh_transport_get_hexdump(p.client) == on);
    pair_login(&p);
    ssh_channel *theirs, *ours = pair_session(&p, &theirs);
    CHECK_STATUS(ssh_channel_write_all(ours, "plainly seen", 12, NULL, 20000), SSH_OK);
    ssh_channel_free(ours);
    ssh_channel_free(theirs);
    pair_free(&p);
    wait_for(&log.destroyed, 1);
    /* The command of the session, "work", is 77 6f 72 6b; the password "open sesame" begins with 6f 70 65 6e 20 73. */
    CHECK((strstr(log.text, "77 6f 72 6b") != NULL) == on);
    CHECK(strstr(log.text, "6f 70 65 6e 20 73") == NULL && strstr(log.text, "open sesame") == NULL);
    free(log.text);
}

static void compressed(void)
{
    pair p;
    uint64_t figures[SSH_STATISTIC_COUNT];
    static char data[2 * 1000 * 1000];
    size_t done;
    pair_make(&p);
    CHECK_STATUS(ssh_transport_use_compression(p.client, true), SSH_OK);
    CHECK_STATUS(ssh_transport_use_compression(p.server_transport, true), SSH_OK);
    pair_login(&p);
    CHECK_STATUS(ssh_transport_use_compression(p.client, false), SSH_ERR_STATE);
    CHECK(takes(ssh_transport_get_algorithm(p.client, SSH_ALGORITHM_COMPRESSION_SENT), "zlib@openssh.com"));
    ssh_channel *theirs, *ours = pair_session(&p, &theirs);
    for (size_t sent = 0, taken = 0; sent < sizeof data;) {
        CHECK_STATUS(ssh_channel_write_all(ours, data, 100 * 1000, NULL, 20000), SSH_OK);
        for (sent += 100 * 1000; taken < sent; taken += done)
            CHECK_STATUS(ssh_channel_read(theirs, data, sizeof data, &done, 20000), SSH_OK);
    }
    CHECK_STATUS(ssh_transport_statistics(p.client, figures, SSH_STATISTIC_COUNT), SSH_OK);
    CHECK(figures[SSH_STATISTIC_BYTES_SENT] < sizeof data / 10);
    ssh_channel_free(ours);
    ssh_channel_free(theirs);
    pair_free(&p);
}

/* A subsystem of one transport goes before that of its server. */
static int32_t gives_its_name(ssh_channel *channel, const char *name, void *userdata)
{
    CHECK_STATUS(ssh_channel_write_all(channel, userdata, strlen(userdata), NULL, 20000), SSH_OK);
    CHECK(strcmp(name, "who") == 0);
    return 3;
}

static void subsystem_of_a_transport(void)
{
    pair p;
    char text[16];
    size_t done;
    int32_t kind;
    uint32_t code;
    ssh_error *error = NULL;
    pair_make(&p);
    CHECK_STATUS(ssh_server_set_subsystem_handler(p.server, "who", gives_its_name, "server", NULL), SSH_OK);
    CHECK_STATUS(ssh_transport_set_subsystem_handler(p.server_transport, "who", gives_its_name, "transport", NULL),
                 SSH_OK);
    pair_login(&p);
    ssh_channel *channel = ssh_transport_open_session(p.client, 20000, &error);
    CHECK(channel != NULL);
    CHECK_OK(ssh_channel_request_subsystem(channel, "who", 20000, &error), error);
    CHECK_STATUS(ssh_channel_read(channel, text, sizeof text, &done, 20000), SSH_OK);
    CHECK(done == 9 && memcmp(text, "transport", 9) == 0);
    CHECK_STATUS(ssh_channel_wait_exit(channel, 20000, &kind, &code), SSH_OK);
    CHECK(code == 3);
    ssh_channel_free(channel);
    pair_free(&p);
}

/* Nobody has asked for X11: the client lets no such channel in. */
static void unrequested(void)
{
    pair p;
    ssh_error *error = NULL;
    pair_make(&p);
    pair_login(&p);
    CHECK(ssh_transport_open_x11_channel(p.server_transport, "127.0.0.1", 6010, 20000, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_CHANNEL);
    ssh_error_free(error);
    pair_free(&p);
}

struct late {
    pair *p;
    int fd;
};

static void *closes_later(void *argument)
{
    struct late *late = argument;
    usleep(200 * 1000);
    CHECK(write(late->fd, "x", 1) == 1);
    ssh_transport_close(late->p->client);
    return NULL;
}

/* A process that returns from main while a thread is about to end the transport. */
static void exiting(bool daemon, int fd)
{
    static pair p;
    static struct late late;
    pthread_t thread;
    pair_make(&p);
    pair_login(&p);
    CHECK(ssh_transport_is_daemon(p.client));
    CHECK_STATUS(ssh_transport_set_daemon(p.client, false), SSH_OK);
    CHECK(!ssh_transport_is_daemon(p.client));
    CHECK_STATUS(ssh_transport_set_daemon(p.client, daemon), SSH_OK);
    late = (struct late){.p = &p, .fd = fd};
    CHECK(pthread_create(&thread, NULL, closes_later, &late) == 0);
    exit(0);
}

static void waits_at_exit(void)
{
    for (int daemon = 0; daemon < 2; daemon++) {
        int fds[2], status = -1;
        char byte;
        CHECK(pipe(fds) == 0);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            alarm(60);
            exiting(daemon != 0, fds[1]);
        }
        CHECK(close(fds[1]) == 0);
        CHECK(read(fds[0], &byte, 1) == (daemon != 0 ? 0 : 1));
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
        CHECK(close(fds[0]) == 0);
    }
    CHECK_STATUS(ssh_transport_set_daemon(NULL, false), SSH_ERR_BAD_HANDLE);
    CHECK(ssh_transport_is_daemon(NULL));
}

int main(void)
{
    watchdog(120);
    waits_at_exit(); /* first: its processes shall have a library that was not used yet */
    algorithms_and_figures();
    hexdump(true);
    hexdump(false);
    compressed();
    subsystem_of_a_transport();
    unrequested();
    moduli();
    puts("inspect: ok");
    return 0;
}
