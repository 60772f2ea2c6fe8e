/* What the operating system does to a session: signals without SA_RESTART, SIGPIPE at its default, sockets that break
 * under a write, descriptors that are odd or high. Cases X8 and X9.
 *
 *     system [MEBIBYTES]
 */
#include "pair.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>

#define WAIT_MS (120 * 1000)

/* --- a storm of signals on threads that wait inside the library ------------------------------------ */

static atomic_ulong delivered;
static atomic_bool calm;

static void on_alarm(int number)
{
    (void)number;
    atomic_fetch_add(&delivered, 1);
}

typedef struct storm {
    pthread_t targets[2];
    pthread_t thread;
} storm;

static void *blow(void *argument)
{
    storm *s = argument;
    while (!atomic_load(&calm)) {
        for (int at = 0; at < 2; at++)
            pthread_kill(s->targets[at], SIGALRM);
        usleep(1000 * slow());
    }
    return NULL;
}

static void storm_begin(storm *s, pthread_t other)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm; /* no SA_RESTART: system calls fail with EINTR */
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    atomic_store(&calm, false);
    s->targets[0] = pthread_self();
    s->targets[1] = other;
    CHECK(pthread_create(&s->thread, NULL, blow, s) == 0);
}

static void storm_end(storm *s)
{
    atomic_store(&calm, true);
    CHECK(pthread_join(s->thread, NULL) == 0);
}

static unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 7 + at / 251);
}

typedef struct reading {
    ssh_channel *channel;
    size_t wanted;
    atomic_bool finished;
} reading;

static void *read_all(void *argument)
{
    reading *r = argument;
    unsigned char *buffer = malloc(64 * 1024);
    size_t at = 0, length;
    ssh_status status;
    CHECK(buffer != NULL);
    while ((status = ssh_channel_read(r->channel, buffer, 64 * 1024, &length, WAIT_MS)) == SSH_OK)
        for (size_t i = 0; i < length; i++, at++)
            CHECK(buffer[i] == pattern(at));
    CHECK_STATUS(status, SSH_EOF);
    CHECK(at == r->wanted);
    free(buffer);
    /* Stays until the signals have stopped: one sent to a thread that is gone is an error of ours. */
    atomic_store(&r->finished, true);
    while (!atomic_load(&calm))
        usleep(1000);
    return NULL;
}

static void transfer_in_a_storm(size_t mebibytes)
{
    pair p;
    storm s;
    ssh_channel *server_side;
    pthread_t reader;
    size_t wanted = mebibytes * 1024 * 1024, piece = 96 * 1024 + 13, at = 0;
    unsigned char *data = malloc(piece);
    CHECK(data != NULL);
    pair_make(&p);
    CHECK_STATUS(ssh_transport_set_rekey_limits(p.client, 1024 * 1024, 0, 0), SSH_OK);
    pair_login(&p);
    ssh_channel *channel = pair_session(&p, &server_side);
    reading r = {.channel = server_side, .wanted = wanted};
    atomic_store(&calm, false);
    CHECK(pthread_create(&reader, NULL, read_all, &r) == 0);
    storm_begin(&s, reader);
    while (at < wanted) {
        size_t length = piece < wanted - at ? piece : wanted - at, done = 0;
        for (size_t i = 0; i < length; i++)
            data[i] = pattern(at + i);
        CHECK_STATUS(ssh_channel_write_all(channel, data, length, &done, WAIT_MS), SSH_OK);
        CHECK(done == length);
        at += length;
    }
    CHECK_STATUS(ssh_channel_send_eof(channel), SSH_OK);
    while (!atomic_load(&r.finished))
        usleep(1000);

    /* Waits are as long as they were asked to be. */
    ssh_event *event = ssh_event_new();
    ssh_error *error = NULL;
    char byte;
    size_t done;
    long start = milliseconds();
    CHECK_STATUS(ssh_event_wait(event, 200), SSH_ERR_TIMEOUT);
    CHECK(milliseconds() - start >= 199);
    start = milliseconds();
    CHECK_STATUS(ssh_channel_read(channel, &byte, 1, &done, 200), SSH_ERR_TIMEOUT);
    CHECK(milliseconds() - start >= 199);
    start = milliseconds();
    CHECK(ssh_transport_accept(p.server_transport, 200, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_TIMEOUT && milliseconds() - start >= 199);
    ssh_error_free(error);
    CHECK_OK(ssh_transport_renegotiate_keys(p.client, WAIT_MS, &error), error);
    ssh_event_free(event);

    storm_end(&s);
    CHECK(pthread_join(reader, NULL) == 0);
    CHECK(atomic_load(&delivered) > 20);
    free(data);
    ssh_channel_free(channel);
    ssh_channel_free(server_side);
    pair_free(&p);
}

/* --- threads of the library, and handlers ----------------------------------------------------------- */

/* Each thread of the library blocks every signal that can be blocked. */
static void threads_block_signals(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    int ours = 0;
    CHECK(tasks != NULL);
    while ((entry = readdir(tasks)) != NULL) {
        char path[300], line[256], name[64] = "";
        unsigned long long blocked = 0;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *status = entry->d_name[0] != '.' ? fopen(path, "r") : NULL;
        if (status == NULL)
            continue;
        while (fgets(line, sizeof line, status) != NULL) {
            sscanf(line, "Name: %63s", name);
            sscanf(line, "SigBlk: %llx", &blocked);
        }
        fclose(status);
        if (strncmp(name, "sshwire", 7) != 0)
            continue;
        ours++;
        for (int number = 1; number < 32; number++)
            if (number != SIGKILL && number != SIGSTOP && !(blocked >> (number - 1) & 1)) {
                fprintf(stderr, "%s does not block signal %d\n", name, number);
                exit(1);
            }
    }
    closedir(tasks);
    CHECK(ours >= 1);
}

static void handlers(struct sigaction all[32])
{
    memset(all, 0, 32 * sizeof all[0]);
    for (int number = 1; number < 32; number++)
        sigaction(number, NULL, &all[number]);
}

static void same_handlers(const struct sigaction before[32])
{
    struct sigaction now[32];
    handlers(now);
    for (int number = 1; number < 32; number++)
        CHECK(now[number].sa_handler == before[number].sa_handler);
}

/* --- sockets that break ----------------------------------------------------------------------------- */

static void tcp(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listening, (struct sockaddr *)&address, sizeof address) == 0 && listen(listening, 1) == 0);
    CHECK(getsockname(listening, (struct sockaddr *)&address, &length) == 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fds[0], (struct sockaddr *)&address, length) == 0);
    fds[1] = accept(listening, NULL, NULL);
    CHECK(fds[1] >= 0 && close(listening) == 0);
}

/* Writes into a connection that is gone: a status, never SIGPIPE, which would end this program. */
static void broken_sockets(void)
{
    for (int reset = 0; reset < 2; reset++) {
        int fds[2];
        ssh_error *error = NULL;
        if (reset)
            tcp(fds);
        else
            sockets(fds);
        ssh_transport *transport = ssh_transport_new(fds[0], &error);
        CHECK(transport != NULL);
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        if (reset)
            CHECK(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
        CHECK(close(fds[1]) == 0);
        ssh_status status = ssh_transport_start_client(transport, NULL, 5000, &error);
        CHECK(status == SSH_ERR_CONN_LOST || status == SSH_ERR_IO);
        CHECK(ssh_error_code(error) == status);
        ssh_error_free(error);
        ssh_transport_free(transport);
    }
    pair p;
    ssh_channel *server_side;
    static const char data[4096];
    size_t done;
    ssh_status status;
    pair_make(&p);
    pair_login(&p);
    ssh_channel *channel = pair_session(&p, &server_side);
    CHECK_STATUS(ssh_transport_atfork(p.server_transport), SSH_OK); /* closes the descriptor without a word */
    do
        status = ssh_channel_write(channel, data, sizeof data, &done, 5000);
    while (status == SSH_OK);
    CHECK_STATUS(status, SSH_ERR_CONN_LOST);
    ssh_channel_free(server_side);
    ssh_channel_free(channel);
    pair_free(&p);
}

/* --- descriptors ------------------------------------------------------------------------------------ */

static void odd_descriptors(void)
{
    ssh_error *error = NULL;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), fds[2];
    CHECK(ssh_transport_new(file, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_INVALID_ARG || ssh_error_code(error) == SSH_ERR_IO);
    ssh_error_free(error);
    CHECK(close(file) == 0); /* it stayed ours */
    int unconnected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(ssh_transport_new(unconnected, &error) == NULL && ssh_error_code(error) < 0);
    ssh_error_free(error);
    CHECK(close(unconnected) == 0);
    sockets(fds);
    CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
    CHECK(ssh_transport_new(fds[0], &error) == NULL && ssh_error_errno(error) == EBADF);
    ssh_error_free(error);
}

/* Numbers that select() could not take. */
static void high_descriptors(void)
{
    struct rlimit limit;
    pair p;
    ssh_channel *server_side;
    char byte;
    size_t done;
    int filler[1100], used = 0;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur < 1300) {
        limit.rlim_cur = 1300;
        if (limit.rlim_cur > limit.rlim_max || setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            puts("system: LEFT OUT: the limit of descriptors is too low for high ones");
            return;
        }
    }
    while (used < 1100 && (filler[used] = dup(2)) >= 0 && filler[used] < 1060)
        used++;
    pair_make(&p);
    pair_login(&p);
    ssh_channel *channel = pair_session(&p, &server_side);
    CHECK_STATUS(ssh_channel_write_all(channel, "x", 1, NULL, WAIT_MS), SSH_OK);
    CHECK_STATUS(ssh_channel_read(server_side, &byte, 1, &done, WAIT_MS), SSH_OK);
    CHECK(done == 1 && byte == 'x');
    ssh_event *event = ssh_event_new();
    CHECK(ssh_event_fd(event) > 1024);
    ssh_event_free(event);
    ssh_channel_free(channel);
    ssh_channel_free(server_side);
    pair_free(&p);
    for (int at = 0; at < used; at++)
        close(filler[at]);
}

static void *too_long(void *seconds)
{
    sleep((unsigned)(size_t)seconds);
    fputs("system: does not come to an end\n", stderr);
    _exit(14);
}

int main(int argc, char **argv)
{
    size_t mebibytes = argc > 1 ? (size_t)atoi(argv[1]) : slow() > 1 ? 4 : 64;
    struct sigaction before[32];
    pthread_t limit;
    /* The usual watchdog is an alarm, which this test has another use for. */
    CHECK(pthread_create(&limit, NULL, too_long, (void *)(size_t)(60 * slow())) == 0);
    CHECK(pthread_detach(limit) == 0);
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    handlers(before);
    broken_sockets();
    odd_descriptors();
    high_descriptors();
    same_handlers(before);
    threads_block_signals();
    transfer_in_a_storm(mebibytes);
    printf("system: ok, %lu signals\n", atomic_load(&delivered));
    return 0;
}
