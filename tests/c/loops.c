/* Programs with loops: one around all channels of many clients, one around those of their servers, which send everything back. Both
 * wait for their one event again and again, so they do the work of the I/O threads; now and then one stays away. Beside them a
 * session whose calls wait. Each byte comes back once, in its order, and nobody waits in vain.
 *
 *     loops [SECONDS [PAIRS]]
 */
#include "pair.h"

#define WAIT_MS (120 * 1000)
#define MOST 64
#define LARGEST 600

typedef struct end {
    ssh_channel *channel;
    unsigned number;
    size_t sent, got, wanted;
    unsigned char bytes[LARGEST];
    size_t start, stop;
    bool said_eof, is_over;
} end;

typedef struct loop {
    ssh_event *event;
    end ends[MOST];
    unsigned count, over, seed;
    unsigned long waits;
    /* What a channel does when it can do something. */
    bool (*move)(end *self);
} loop;

/* In the second half of the time nothing but what comes ends a wait. */
static atomic_bool calm, stop;
static atomic_ulong rounds;

static unsigned char pattern(unsigned number, size_t at)
{
    return (unsigned char)(number * 59 + at * 31 + at / 256 * 7);
}

/* Whether something was read; false when there is nothing now. */
static bool fill(end *self, ssh_status *status)
{
    self->start = self->stop = 0;
    *status = ssh_channel_read(self->channel, self->bytes, sizeof self->bytes, &self->stop, 0);
    if (*status != SSH_OK && *status != SSH_EOF)
        CHECK_STATUS(*status, SSH_AGAIN);
    return *status == SSH_OK;
}

/* Whether all that is waiting was written. */
static bool drain(end *self)
{
    while (self->start < self->stop) {
        size_t done = 0;
        ssh_status status =
            ssh_channel_write(self->channel, self->bytes + self->start, self->stop - self->start, &done, 0);
        self->start += done;
        self->sent += done;
        if (status == SSH_AGAIN)
            return false;
        CHECK_STATUS(status, SSH_OK);
    }
    return true;
}

/* The server's: all goes back. */
static bool send_back(end *self)
{
    ssh_status status;
    do {
        if (!drain(self))
            return false;
    } while (fill(self, &status));
    if (status == SSH_EOF) {
        CHECK_STATUS(ssh_channel_send_eof(self->channel), SSH_OK);
        return true;
    }
    return false;
}

/* The client's: one message after the other, each when the one before is back. */
static bool ask(end *self)
{
    for (;;) {
        unsigned char back[LARGEST];
        size_t length = 0;
        if (!drain(self))
            return false;
        ssh_status status = ssh_channel_read(self->channel, back, sizeof back, &length, 0);
        for (size_t at = 0; at < length; at++)
            CHECK(back[at] == pattern(self->number, self->got + at));
        self->got += length;
        if (status == SSH_EOF) {
            CHECK(self->said_eof && self->got == self->wanted);
            return true;
        }
        if (status == SSH_AGAIN && (self->got < self->wanted || self->said_eof))
            return false;
        if (status != SSH_AGAIN)
            CHECK_STATUS(status, SSH_OK);
        if (self->got < self->wanted)
            continue;
        if (atomic_load(&stop)) {
            if (!self->said_eof)
                CHECK_STATUS(ssh_channel_send_eof(self->channel), SSH_OK);
            self->said_eof = true;
            continue;
        }
        atomic_fetch_add(&rounds, 1);
        self->start = 0;
        self->stop = 1 + self->wanted * 7 % LARGEST;
        for (size_t at = 0; at < self->stop; at++)
            self->bytes[at] = pattern(self->number, self->wanted + at);
        self->wanted += self->stop;
    }
}

static void *run(void *argument)
{
    loop *self = argument;
    while (self->over < self->count) {
        ssh_channel *channel;
        int timeout_ms = !atomic_load(&calm) && rand_r(&self->seed) % 8 == 0 ? 1 : WAIT_MS;
        ssh_status status = ssh_event_wait(self->event, timeout_ms);
        if (status != SSH_OK) {
            CHECK(timeout_ms == 1);
            CHECK_STATUS(status, SSH_ERR_TIMEOUT);
        }
        self->waits++;
        CHECK_STATUS(ssh_event_reset(self->event), SSH_OK);
        while ((channel = ssh_event_take_channel(self->event)) != NULL) {
            end *one = ssh_channel_get_userdata(channel);
            if (one->is_over)
                continue;
            one->is_over = self->move(one);
            self->over += one->is_over;
        }
        if (rand_r(&self->seed) % 1024 == 0)
            usleep((useconds_t)rand_r(&self->seed) % 10000);
    }
    return NULL;
}

static void add(loop *to, ssh_channel *channel)
{
    end *one = &to->ends[to->count];
    one->channel = channel;
    one->number = to->count++;
    CHECK_STATUS(ssh_channel_set_userdata(channel, one, NULL), SSH_OK);
    CHECK_STATUS(ssh_channel_set_event(channel, to->event,
                                       SSH_CHANNEL_READABLE | SSH_CHANNEL_WRITABLE | SSH_CHANNEL_EOF),
                 SSH_OK);
}

static void *echo(void *channel)
{
    pair_echo(channel, LARGEST, WAIT_MS);
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 2;
    unsigned count = argc > 2 ? (unsigned)atoi(argv[2]) : 8;
    static pair pairs[MOST], patient;
    static loop clients = {.move = ask, .seed = 1}, servers = {.move = send_back, .seed = 2};
    pthread_t asking, answering, echoing;
    ssh_channel *theirs, *ours;
    unsigned long waited = 0;
    CHECK(count >= 1 && count <= MOST);
    watchdog(seconds + 60);
    clients.event = ssh_event_new();
    servers.event = ssh_event_new();
    for (unsigned at = 0; at < count; at++) {
        pair_make(&pairs[at]);
        pair_login(&pairs[at]);
        ours = pair_session(&pairs[at], &theirs);
        add(&clients, ours);
        add(&servers, theirs);
    }
    pair_make(&patient);
    pair_login(&patient);
    ours = pair_session(&patient, &theirs);
    CHECK(pthread_create(&echoing, NULL, echo, theirs) == 0);
    CHECK(pthread_create(&answering, NULL, run, &servers) == 0);
    CHECK(pthread_create(&asking, NULL, run, &clients) == 0);
    long half = milliseconds() + 500L * seconds, until = half + 500L * seconds;
    for (long time; (time = milliseconds()) < until; waited++) {
        char byte = (char)waited, back = 0;
        size_t length = 0;
        CHECK_STATUS(ssh_channel_write_all(ours, &byte, 1, NULL, WAIT_MS), SSH_OK);
        CHECK_STATUS(ssh_channel_read(ours, &back, 1, &length, WAIT_MS), SSH_OK);
        CHECK(length == 1 && back == byte);
        /* From somewhere else, for nothing. */
        atomic_store(&calm, time >= half);
        if (waited % 16 == 0 && time < half)
            CHECK_STATUS(ssh_event_set(waited % 32 == 0 ? clients.event : servers.event), SSH_OK);
    }
    atomic_store(&stop, true);
    CHECK(pthread_join(asking, NULL) == 0);
    CHECK(pthread_join(answering, NULL) == 0);
    CHECK_STATUS(ssh_channel_send_eof(ours), SSH_OK);
    CHECK(pthread_join(echoing, NULL) == 0);
    for (unsigned at = 0; at < count; at++) {
        CHECK(clients.ends[at].got == clients.ends[at].wanted && clients.ends[at].wanted == servers.ends[at].sent);
        ssh_channel_free(clients.ends[at].channel);
        ssh_channel_free(servers.ends[at].channel);
        pair_free(&pairs[at]);
    }
    ssh_channel_free(ours);
    ssh_channel_free(theirs);
    pair_free(&patient);
    ssh_event_free(clients.event);
    ssh_event_free(servers.event);
    CHECK(atomic_load(&rounds) > 0 && waited > 0);
    printf("%u pairs, %u s: %lu messages there and back, %lu and %lu waits, %lu bytes asleep\n", count, seconds,
           atomic_load(&rounds), clients.waits, servers.waits, waited);
    return 0;
}
