/*
 * What comes on many channels goes back, from one thread: as a server does it that does not want a thread for each of its
 * connections. All channels have one event, which tells whom to look at.
 */
#include <pthread.h>

#include "contract_echoes.h"

#define PART 4096

struct echo {
    /* Read and not yet written back. */
    size_t start, end;
    char bytes[PART];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static ssh_event *changed;

enum outcome { WAITS, ENDED, FAILED };

/* Moves what can be moved without waiting. */
static enum outcome move(ssh_channel *channel, struct echo *echo)
{
    for (;;) {
        size_t done = 0;
        ssh_status status;
        if (echo->start == echo->end) {
            echo->start = echo->end = 0;
            status = ssh_channel_read(channel, echo->bytes, PART, &echo->end, 0);
        } else {
            status = ssh_channel_write(channel, echo->bytes + echo->start, echo->end - echo->start, &done, 0);
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

static void *run_loop(void *unused)
{
    ssh_channel *channel;
    (void)unused;
    for (;;) {
        bench_check("event", ssh_event_wait(changed, SSH_TIMEOUT_FOREVER), NULL);
        /* First, so that nothing is missed that happens meanwhile. */
        ssh_event_reset(changed);
        while ((channel = ssh_event_take_channel(changed)) != NULL) {
            switch (move(channel, ssh_channel_get_userdata(channel))) {
            case WAITS:
                break;
            case ENDED:
                finish(channel);
                break;
            case FAILED:
                ssh_channel_free(channel);
                break;
            }
        }
    }
    return NULL;
}

static void start_loop(void)
{
    pthread_t thread;
    changed = ssh_event_new();
    if (changed == NULL || pthread_create(&thread, NULL, run_loop, NULL) != 0)
        bench_fail("the loop of the echoes", SSH_ERR_RESOURCE, NULL);
    pthread_detach(thread);
}

void echo_in_loop(ssh_channel *channel)
{
    pthread_once(&once, start_loop);
    struct echo *echo = calloc(1, sizeof *echo);
    if (echo == NULL)
        bench_fail("memory", SSH_ERR_RESOURCE, NULL);
    bench_check("userdata", ssh_channel_set_userdata(channel, echo, free), NULL);
    /* The last of it: from now on the channel is the thread's, which may free it. */
    bench_check("event", ssh_channel_set_event(channel, changed, SSH_CHANNEL_READABLE | SSH_CHANNEL_WRITABLE), NULL);
}
