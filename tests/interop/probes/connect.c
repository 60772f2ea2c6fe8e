/*
 * connect FILE DESTINATION COMMAND [yes|no]: goes to a destination as a configuration says, asking nobody, runs a command
 * there and shows what it says. With a fourth argument that is the answer when the server has other host keys.
 */
#include <stdio.h>
#include <string.h>

#include <sshwire.h>

static int complain(ssh_error *error)
{
    fprintf(stderr, "connect: %s\n", ssh_error_message(error));
    ssh_error_free(error);
    return 255;
}

static void on_host_keys(ssh_request *request, void *answer)
{
    if (strcmp(answer, "yes") == 0 && ssh_request_accept(request) != SSH_OK)
        fprintf(stderr, "connect: the host keys are not kept\n");
    ssh_request_free(request);
}

int main(int argc, char **argv)
{
    char buffer[65536];
    size_t got = 0;
    ssh_error *error = NULL;
    if (argc != 4 && argc != 5)
        return 2;
    ssh_config *config = ssh_config_new();
    if (argc == 5)
        ssh_config_set_callback(config, SSH_REQUEST_HOST_KEYS, on_host_keys, argv[4], NULL);
    if (ssh_config_load_file(config, argv[1], &error) != SSH_OK)
        return complain(error);
    ssh_transport *transport = ssh_connect_config(config, argv[2], 60000, &error);
    ssh_config_free(config);
    if (transport == NULL)
        return complain(error);
    ssh_channel *channel = ssh_transport_open_session(transport, 30000, &error);
    if (channel == NULL || ssh_channel_request_exec(channel, argv[3], 30000, &error) != SSH_OK)
        return complain(error);
    while (ssh_channel_read(channel, buffer, sizeof buffer, &got, 60000) == SSH_OK)
        fwrite(buffer, 1, got, stdout);
    ssh_channel_free(channel);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
    return 0;
}
