/*
 * What comes on many channels goes back, from one thread: as a server does it that does not want a thread for each of its
 * connections. The event of all channels says that one of them has something, and a look says which.
 */
#include <pthread.h>

#include "contract_echoes.h"

#define PART 4096

struct echo {
    ssh_channel *channel;
    struct echo *next;
    /* Read and not yet written back. */
    size_t start, end;
    char bytes[PART];
};

static struct {
    pthread_once_t once;
    pthread_mutex_t lock;
    /* Channels that the thread has not seen yet; with the lock. */
    struct echo *added;
    ssh_event *changed;
} loop = {.once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER};

enum outcome { WAITS, ENDED, FAILED };

/* Moves what can be moved without waiting. */
static enum outcome move(struct echo *echo)
{
    for (;;) {
        size_t done = 0;
        ssh_status status;
        if (echo->start == echo->end) {
            echo->start = echo->end = 0;
            status = ssh_channel_read(echo->channel, echo->bytes, PART, &echo->end, 0);
        } else {
            status = ssh_channel_write(echo->channel, echo->bytes + echo->start, echo->end - echo->start, &done, 0);
            echo->start += done;
        }
        if (status == SSH_AGAIN)
            return WAITS;
        if (status == SSH_EOF)
            return ENDED;
        if (status != SSH_OK)
            return FAILED;
    }
}

static void take_added(struct echo **all)
{
    pthread_mutex_lock(&loop.lock);
    while (loop.added != NULL) {
        struct echo *echo = loop.added;
        loop.added = echo->next;
        echo->next = *all;
        *all = echo;
    }
    pthread_mutex_unlock(&loop.lock);
}

static void *run_loop(void *unused)
{
    struct echo *all = NULL;
    (void)unused;
    for (;;) {
        bench_check("event", ssh_event_wait(loop.changed, SSH_TIMEOUT_FOREVER), NULL);
        /* First, so that nothing is missed that happens during the look. */
        ssh_event_reset(loop.changed);
        take_added(&all);
        for (struct echo **place = &all; *place != NULL;) {
            struct echo *echo = *place;
            enum outcome outcome = move(echo);
            if (outcome == WAITS) {
                place = &echo->next;
                continue;
            }
            if (outcome == ENDED)
                finish(echo->channel);
            else
                ssh_channel_free(echo->channel);
            *place = echo->next;
            free(echo);
        }
    }
    return NULL;
}

static void start_loop(void)
{
    pthread_t thread;
    loop.changed = ssh_event_new();
    if (loop.changed == NULL || pthread_create(&thread, NULL, run_loop, NULL) != 0)
        bench_fail("the loop of the echoes", SSH_ERR_RESOURCE, NULL);
    pthread_detach(thread);
}

void echo_in_loop(ssh_channel *channel)
{
    pthread_once(&loop.once, start_loop);
    struct echo *echo = calloc(1, sizeof *echo);
    if (echo == NULL)
        bench_fail("memory", SSH_ERR_RESOURCE, NULL);
    echo->channel = channel;
    /* While the channel is ours: once it is in the list, the thread may free it. */
    bench_check("event", ssh_channel_set_event(channel, loop.changed, SSH_CHANNEL_READABLE | SSH_CHANNEL_WRITABLE), NULL);
    pthread_mutex_lock(&loop.lock);
    echo->next = loop.added;
    loop.added = echo;
    pthread_mutex_unlock(&loop.lock);
    bench_check("event", ssh_event_set(loop.changed), NULL);
}
