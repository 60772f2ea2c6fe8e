/* fork(): the child leaves the parent's session alone, gets SSH_ERR_FORKED, and can make sessions of its own. */
#include "pair.h"

#include <sys/wait.h>

/* Keys may be used on, and new transports work. */
static void own_session(pair *p)
{
    pair own;
    ssh_channel *server_side;
    char buffer[8];
    size_t done;
    int fds[2];
    pair_make(&own);
    CHECK_STATUS(ssh_server_add_key(own.server, p->host_key), SSH_OK);
    ssh_key_free(own.host_key);
    own.host_key = p->host_key;
    pair_login(&own);
    ssh_channel *mine = pair_session(&own, &server_side);
    CHECK_STATUS(ssh_channel_write_all(mine, "own", 3, &done, 5000), SSH_OK);
    CHECK_STATUS(ssh_channel_read(server_side, buffer, sizeof buffer, &done, 5000), SSH_OK);
    CHECK(done == 3);
    sockets(fds);
    close(fds[0]);
    close(fds[1]);
    pair_free(&own);
    ssh_channel_free(mine);
    ssh_channel_free(server_side);
}

static void child(pair *p, ssh_channel *channel, ssh_event *event)
{
    ssh_error *error = NULL;
    char buffer[8];
    size_t done;
    CHECK(ssh_handle_count() == 0);
    CHECK_STATUS(ssh_channel_write(channel, "child", 5, &done, 100), SSH_ERR_FORKED);
    CHECK_STATUS(ssh_channel_read(channel, buffer, sizeof buffer, &done, 100), SSH_ERR_FORKED);
    CHECK_STATUS(ssh_transport_close(p->client), SSH_ERR_FORKED);
    CHECK_STATUS(ssh_event_wait(event, 100), SSH_ERR_FORKED);
    CHECK(ssh_transport_open_session(p->client, 100, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_FORKED);
    ssh_error_free(error);
    ssh_channel_free(channel);
    ssh_transport_free(p->client);
    CHECK_STATUS(ssh_transport_atfork(p->client), SSH_OK);
    CHECK_STATUS(ssh_transport_atfork(p->client), SSH_ERR_BAD_HANDLE);
    CHECK_STATUS(ssh_transport_atfork(p->server_transport), SSH_OK);

    own_session(p);
    exit(0); /* with everything that runs at exit */
}

/* The sanitizer's own allocator has locks that do not survive the fork of a busy process. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static atomic_bool stop;

static void *write_on(void *argument)
{
    static char block[16 * 1024];
    while (!atomic_load(&stop))
        CHECK_STATUS(ssh_channel_write_all(argument, block, sizeof block, NULL, 60000), SSH_OK);
    CHECK_STATUS(ssh_channel_send_eof(argument), SSH_OK);
    return NULL;
}

static void *read_on(void *argument)
{
    char buffer[8 * 1024];
    size_t length;
    ssh_status status;
    while ((status = ssh_channel_read(argument, buffer, sizeof buffer, &length, 60000)) == SSH_OK) {
    }
    CHECK_STATUS(status, SSH_EOF);
    return NULL;
}

/* Forks in the midst of threads that sleep, wake and take locks: the child has none of them. */
static void busy_parent(void)
{
    enum { CHANNELS = 3 };
    int forks = getenv("SSHWIRE_TEST_SLOW") == NULL ? 60 : 5;
    pair p;
    ssh_channel *ours[CHANNELS], *theirs[CHANNELS];
    pthread_t threads[2 * CHANNELS];
    pair_make(&p);
    pair_login(&p);
    for (int i = 0; i < CHANNELS; i++) {
        ours[i] = pair_session(&p, &theirs[i]);
        CHECK(pthread_create(&threads[2 * i], NULL, write_on, ours[i]) == 0);
        CHECK(pthread_create(&threads[2 * i + 1], NULL, read_on, theirs[i]) == 0);
    }
    for (int i = 0; i < forks; i++) {
        int status = -1;
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            alarm(60);
            own_session(&p);
            _exit(0);
        }
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2 * CHANNELS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < CHANNELS; i++) {
        ssh_channel_free(ours[i]);
        ssh_channel_free(theirs[i]);
    }
    pair_free(&p);
}
#else
static void busy_parent(void)
{
}
#endif

int main(void)
{
    watchdog(120);
    for (int round = 0; round < 5; round++) {
        pair p;
        ssh_channel *server_side;
        int status = -1;
        pair_make(&p);
        pair_login(&p);
        ssh_event *event = ssh_event_new();
        ssh_channel *channel = pair_session(&p, &server_side);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            child(&p, channel, event);
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
        /* The parent's session has not noticed. */
        char buffer[8];
        size_t done;
        CHECK_STATUS(ssh_channel_write_all(channel, "parent", 6, &done, 5000), SSH_OK);
        CHECK_STATUS(ssh_channel_read(server_side, buffer, sizeof buffer, &done, 5000), SSH_OK);
        CHECK(done == 6 && memcmp(buffer, "parent", 6) == 0);
        ssh_event_free(event);
        ssh_channel_free(channel);
        ssh_channel_free(server_side);
        pair_free(&p);
    }
    busy_parent();
    puts("forked: ok");
    return 0;
}
