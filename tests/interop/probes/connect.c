/*
 * connect FILE DESTINATION COMMAND [ANSWER...]: goes to a destination as a configuration says, lends the agent as it says,
 * runs a command there and shows what that says. What is asked is told on standard error and gets the answers in turn, and
 * a no when there are no more.
 */
#include <stdio.h>
#include <string.h>

#include <sshwire.h>

static char **answers;

static int complain(ssh_error *error)
{
    fprintf(stderr, "connect: %s\n", ssh_error_message(error));
    ssh_error_free(error);
    return 255;
}

static void answer(ssh_request *request, void *userdata)
{
    (void)userdata;
    fprintf(stderr, "asked %d %s\n", (int)ssh_request_kind(request), ssh_request_name(request));
    if (*answers != NULL && ssh_request_kind(request) == SSH_REQUEST_HOST_KEYS) {
        if (strcmp(*answers++, "yes") == 0 && ssh_request_accept(request) != SSH_OK)
            fprintf(stderr, "connect: the host keys are not kept\n");
    } else if (*answers != NULL) {
        const char *given = *answers++;
        ssh_request_answer_prompts(request, &given, 1);
    }
    ssh_request_free(request);
}

int main(int argc, char **argv)
{
    char buffer[65536];
    size_t got = 0;
    ssh_error *error = NULL;
    if (argc < 4)
        return 2;
    answers = argv + 4;
    ssh_config *config = ssh_config_new();
    if (ssh_config_load_file(config, argv[1], &error) != SSH_OK)
        return complain(error);
    ssh_config_set_callback(config, SSH_REQUEST_ANY, answer, NULL, NULL);
    ssh_transport *transport = ssh_connect_config(config, argv[2], 60000, &error);
    if (transport == NULL)
        return complain(error);
    ssh_config_host *host = ssh_config_resolve(config, argv[2], &error);
    ssh_config_free(config);
    if (host == NULL)
        return complain(error);
    ssh_channel *channel = ssh_transport_open_session(transport, 30000, &error);
    if (channel == NULL || ssh_config_host_request_agent_forward(host, channel, 30000, &error) != SSH_OK ||
        ssh_channel_request_exec(channel, argv[3], 30000, &error) != SSH_OK)
        return complain(error);
    ssh_config_host_free(host);
    while (ssh_channel_read(channel, buffer, sizeof buffer, &got, 60000) == SSH_OK)
        fwrite(buffer, 1, got, stdout);
    ssh_channel_free(channel);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
    return 0;
}
