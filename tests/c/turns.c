/* Several streams over one transport, whose calls often have little time and are cancelled: all the same every byte arrives once, in
 * its order, and no call waits in vain.
 *
 *     turns [SECONDS [CHANNELS]]
 */
#include "pair.h"

#define LARGEST (1024 * 1024)
#define WAIT_MS (120 * 1000)
#define MOST 64

typedef struct stream {
    ssh_channel *channel;
    unsigned number;
    size_t sent, got;
} stream;

static pair both;
static atomic_bool stop, over;
static atomic_ulong echoed, late, cancelled;

static unsigned char pattern(unsigned number, size_t at)
{
    return (unsigned char)(number * 101 + at * 31 + at / 256 * 7 + at / 65536);
}

static void *echo(void *argument)
{
    ssh_channel *channel = argument;
    atomic_fetch_add(&echoed, pair_echo(channel, 128 * 1024, WAIT_MS));
    ssh_channel_free(channel);
    return NULL;
}

/* Writes all of it in as many calls as that takes: some wait for as long as need be, others for next to nothing. */
static void write_on(stream *mine, const unsigned char *data, size_t length, unsigned *seed)
{
    while (length > 0) {
        size_t done = 0;
        bool patient = rand_r(seed) % 3 != 0, all = rand_r(seed) % 2 == 0;
        int timeout = patient ? WAIT_MS : rand_r(seed) % 3;
        ssh_status status = all ? ssh_channel_write_all(mine->channel, data, length, &done, timeout)
                                : ssh_channel_write(mine->channel, data, length, &done, timeout);
        data += done;
        length -= done;
        mine->sent += done;
        if (status == SSH_ERR_CANCELLED) {
            atomic_fetch_add(&cancelled, 1);
        } else if (status == SSH_ERR_TIMEOUT || status == SSH_AGAIN) {
            CHECK(!patient);
            atomic_fetch_add(&late, 1);
        } else {
            CHECK_STATUS(status, SSH_OK);
        }
    }
}

static void *write_all(void *argument)
{
    stream *mine = argument;
    unsigned seed = mine->number + 1;
    unsigned char *data = malloc(LARGEST);
    CHECK(data != NULL);
    while (!atomic_load(&stop)) {
        size_t most = rand_r(&seed) % 4 == 0 ? 2000 : LARGEST, length = 1 + (size_t)rand_r(&seed) % most;
        for (size_t at = 0; at < length; at++)
            data[at] = pattern(mine->number, mine->sent + at);
        write_on(mine, data, length, &seed);
        /* Some do something else now and then. */
        if (rand_r(&seed) % 16 == 0)
            usleep((useconds_t)rand_r(&seed) % 2000);
    }
    CHECK_STATUS(ssh_channel_send_eof(mine->channel), SSH_OK);
    free(data);
    return NULL;
}

static void *read_all(void *argument)
{
    stream *mine = argument;
    unsigned seed = mine->number + 1000;
    unsigned char *data = malloc(LARGEST / 4);
    ssh_status status;
    CHECK(data != NULL);
    do {
        size_t most = 1 + (size_t)rand_r(&seed) % (LARGEST / 4), length = 0;
        status = ssh_channel_read(mine->channel, data, most, &length, WAIT_MS);
        for (size_t at = 0; at < length; at++)
            CHECK(data[at] == pattern(mine->number, mine->got + at));
        mine->got += length;
        if (status == SSH_ERR_CANCELLED)
            atomic_fetch_add(&cancelled, 1);
    } while (status == SSH_OK || status == SSH_ERR_CANCELLED);
    CHECK_STATUS(status, SSH_EOF);
    free(data);
    return NULL;
}

static void *cancel(void *unused)
{
    unsigned seed = 7;
    (void)unused;
    while (!atomic_load(&over)) {
        usleep(1000 + (useconds_t)rand_r(&seed) % 20000);
        ssh_transport_cancel(both.client);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 2;
    unsigned count = argc > 2 ? (unsigned)atoi(argv[2]) : 4;
    static stream streams[MOST];
    pthread_t echoes[MOST], writers[MOST], readers[MOST], canceller;
    size_t bytes = 0;
    CHECK(count >= 1 && count <= MOST);
    watchdog(seconds + 60);
    pair_make(&both);
    pair_login(&both);
    for (unsigned at = 0; at < count; at++) {
        ssh_error *error = NULL;
        stream *mine = &streams[at];
        mine->number = at;
        mine->channel = ssh_transport_open_session(both.client, WAIT_MS, &error);
        CHECK(mine->channel != NULL);
        ssh_channel *theirs = ssh_transport_accept(both.server_transport, WAIT_MS, &error);
        CHECK(theirs != NULL);
        CHECK(pthread_create(&echoes[at], NULL, echo, theirs) == 0);
    }
    for (unsigned at = 0; at < count; at++) {
        CHECK(pthread_create(&writers[at], NULL, write_all, &streams[at]) == 0);
        CHECK(pthread_create(&readers[at], NULL, read_all, &streams[at]) == 0);
    }
    CHECK(pthread_create(&canceller, NULL, cancel, NULL) == 0);
    sleep(seconds);
    atomic_store(&stop, true);
    for (unsigned at = 0; at < count; at++) {
        CHECK(pthread_join(writers[at], NULL) == 0);
        CHECK(pthread_join(readers[at], NULL) == 0);
        CHECK(pthread_join(echoes[at], NULL) == 0);
        CHECK(streams[at].sent == streams[at].got);
        bytes += streams[at].got;
        ssh_channel_free(streams[at].channel);
    }
    atomic_store(&over, true);
    CHECK(pthread_join(canceller, NULL) == 0);
    CHECK(bytes == atomic_load(&echoed));
    printf("%u streams, %u s: %.1f MiB each way, %lu calls late, %lu cancelled\n", count, seconds,
           (double)bytes / (1024 * 1024), atomic_load(&late), atomic_load(&cancelled));
    ssh_transport_close(both.client);
    pair_free(&both);
    return 0;
}
