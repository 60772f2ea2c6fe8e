#include <sshwire.h>

#include <stdio.h>

#include "two_libraries.h"

static int run(ssh_transport *transport, const char *user, const ssh_key *key, char *text, unsigned size)
{
    int32_t kind = SSH_EXIT_NONE;
    uint32_t code = 1;
    size_t length = 0, count = 0;
    ssh_transport_set_insecure_accept_any_host_key(transport);
    if (ssh_transport_connect(transport, NULL, user, NULL, key, 20000, NULL) != SSH_OK)
        return 3;
    ssh_channel *channel = ssh_transport_open_session(transport, 20000, NULL);
    if (channel == NULL)
        return 4;
    if (ssh_channel_request_exec(channel, "echo hello from libsshwire", 20000, NULL) != SSH_OK)
        return 5;
    while (length < size - 1 && ssh_channel_read(channel, text + length, size - 1 - length, &count, 20000) == SSH_OK)
        length += count;
    text[length] = '\0';
    if (ssh_channel_wait_exit(channel, 20000, &kind, &code) != SSH_OK || kind != SSH_EXIT_STATUS)
        return 6;
    ssh_channel_free(channel);
    return (int)code;
}

int exec_with_libsshwire(const char *host, int port, const char *user, const char *key_file, char *text,
                         unsigned size)
{
    char address[256];
    snprintf(address, sizeof address, "%s:%d", host, port);
    ssh_key *key = ssh_key_load_file(key_file, NULL, NULL);
    ssh_transport *transport = ssh_transport_new_address(address, 20000, NULL);
    int outcome = transport != NULL && key != NULL ? run(transport, user, key, text, size) : 2;
    ssh_transport_free(transport);
    ssh_key_free(key);
    return outcome;
}
