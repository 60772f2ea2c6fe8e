/* fork(): the child leaves the parent's session alone, gets SSH_ERR_FORKED, and can make sessions of its own. */
#include "pair.h"

#include <sys/wait.h>

static void child(pair *p, ssh_channel *channel, ssh_event *event)
{
    ssh_error *error = NULL;
    char buffer[8];
    size_t done;
    int fds[2];
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

    /* Keys may be used on, and new transports work. */
    pair own;
    ssh_channel *server_side;
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
    exit(0); /* with everything that runs at exit */
}

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
    puts("forked: ok");
    return 0;
}
