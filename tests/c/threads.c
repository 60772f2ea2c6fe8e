/* Many threads, one transport: each opens channels, writes, reads back and closes, for a while, with new keys each
 * megabyte. Every byte is accounted for.
 *
 *     threads [SECONDS [THREADS]]
 */
#include "pair.h"

#include <dirent.h>

#define LARGEST (600 * 1024)
#define WAIT_MS (120 * 1000)

static pair both;
static atomic_bool stop;
static atomic_ulong sessions, bytes, echoed;
static atomic_int echoing;

static void *echo(void *argument)
{
    ssh_channel *channel = argument;
    atomic_fetch_add(&echoed, pair_echo(channel, 64 * 1024, WAIT_MS));
    CHECK_STATUS(ssh_channel_send_exit_status(channel, 7), SSH_OK);
    CHECK_STATUS(ssh_channel_close(channel), SSH_OK);
    ssh_channel_free(channel);
    atomic_fetch_sub(&echoing, 1);
    return NULL;
}

static void *serve(void *unused)
{
    ssh_channel *channel;
    (void)unused;
    while ((channel = ssh_transport_accept(both.server_transport, SSH_TIMEOUT_FOREVER, NULL)) != NULL) {
        pthread_t thread;
        atomic_fetch_add(&echoing, 1);
        CHECK(pthread_create(&thread, NULL, echo, channel) == 0);
        CHECK(pthread_detach(thread) == 0);
    }
    return NULL;
}

static unsigned char pattern(unsigned seed, size_t at)
{
    return (unsigned char)(seed * 131 + at * 7 + at / 251);
}

/* One session: writes in pieces of odd lengths, reads everything back, sees the status. */
static void session(unsigned *seed)
{
    ssh_error *error = NULL;
    unsigned mine = *seed;
    size_t wanted = 1 + (size_t)rand_r(seed) % LARGEST;
    unsigned char *sent = malloc(wanted), *got = malloc(wanted + 1);
    CHECK(sent != NULL && got != NULL);
    for (size_t at = 0; at < wanted; at++)
        sent[at] = pattern(mine, at);
    ssh_channel *channel = ssh_transport_open_session(both.client, WAIT_MS, &error);
    if (channel == NULL)
        fprintf(stderr, "open: %s\n", ssh_error_message(error));
    CHECK(channel != NULL);
    for (size_t at = 0; at < wanted;) {
        size_t piece = 1 + (size_t)rand_r(seed) % (100 * 1024), done = 0;
        if (piece > wanted - at)
            piece = wanted - at;
        CHECK_STATUS(ssh_channel_write_all(channel, sent + at, piece, &done, WAIT_MS), SSH_OK);
        CHECK(done == piece);
        at += piece;
    }
    CHECK_STATUS(ssh_channel_send_eof(channel), SSH_OK);
    size_t read = 0, length;
    ssh_status status;
    while ((status = ssh_channel_read(channel, got + read, wanted + 1 - read, &length, WAIT_MS)) == SSH_OK)
        read += length;
    CHECK_STATUS(status, SSH_EOF);
    CHECK(read == wanted && memcmp(sent, got, wanted) == 0);
    int32_t kind = 0;
    uint32_t code = 0;
    CHECK_STATUS(ssh_channel_wait_exit(channel, WAIT_MS, &kind, &code), SSH_OK);
    CHECK(code == 7);
    if (rand_r(seed) % 2 == 0)
        CHECK_STATUS(ssh_channel_close(channel), SSH_OK);
    ssh_channel_free(channel);
    atomic_fetch_add(&sessions, 1);
    atomic_fetch_add(&bytes, wanted);
    free(sent);
    free(got);
}

static void *work(void *argument)
{
    unsigned seed = (unsigned)(size_t)argument;
    do
        session(&seed);
    while (!atomic_load(&stop));
    return NULL;
}

/* How many threads of this process have the name. */
static int threads_named(const char *wanted)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[sizeof task->d_name + 32], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        if (fgets(name, sizeof name, file) != NULL)
            name[strcspn(name, "\n")] = '\0';
        fclose(file);
        count += strcmp(name, wanted) == 0;
    }
    closedir(tasks);
    return count;
}

/* As many threads as the program asks for; what it asks for later comes too late. */
static void io_threads_are_asked_for(void)
{
    CHECK_STATUS(ssh_set_io_threads(0), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_set_io_threads(65), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_set_io_threads(5), SSH_OK);
    CHECK_STATUS(ssh_set_io_threads(3), SSH_OK);
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 2;
    size_t count = argc > 2 ? (size_t)atoi(argv[2]) : 8;
    pthread_t server, threads[64];
    CHECK(count >= 1 && count <= 64);
    watchdog(seconds + 60);
    io_threads_are_asked_for();
    pair_make(&both);
    CHECK_STATUS(ssh_transport_set_rekey_limits(both.client, 1024 * 1024, 0, 0), SSH_OK);
    pair_login(&both);
    CHECK_STATUS(ssh_set_io_threads(4), SSH_OK);
    /* A thread names itself, when it runs for the first time. */
    while (threads_named("sshwire-io") < 3)
        usleep(1000);
    CHECK(pthread_create(&server, NULL, serve, NULL) == 0);
    for (size_t at = 0; at < count; at++)
        CHECK(pthread_create(&threads[at], NULL, work, (void *)(at + 1)) == 0);
    sleep(seconds);
    atomic_store(&stop, true);
    for (size_t at = 0; at < count; at++)
        CHECK(pthread_join(threads[at], NULL) == 0);
    while (atomic_load(&echoing) > 0)
        usleep(1000);
    CHECK(threads_named("sshwire-io") == 3);
    CHECK(atomic_load(&bytes) == atomic_load(&echoed));
    printf("%zu threads, %u s: %lu sessions, %.1f MiB each way\n", count, seconds,
           atomic_load(&sessions), (double)atomic_load(&bytes) / (1024 * 1024));
    ssh_transport_close(both.client);
    CHECK(pthread_join(server, NULL) == 0);
    pair_free(&both);
    return 0;
}
