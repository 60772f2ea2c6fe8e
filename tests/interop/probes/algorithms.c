/*
 * algorithms HOST:PORT USER KEY: for each line of input, "KEX HOST-KEY-ALGORITHM CIPHER MAC", connects with exactly
 * these, logs in with the key, and runs a command. A MAC of "-" is left open, for ciphers that bring their own.
 * Prints "ok LINE", or "FAILED LINE: why", for each.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <sshwire.h>

#define TIMEOUT_MS 20000

/* NULL when all went well, otherwise what went wrong. */
static const char *attempt(ssh_transport *transport, char *names[4], const char *user, const ssh_key *key,
                           ssh_error **error)
{
    ssh_security_options *options = ssh_transport_security_options(transport);
    bool set = ssh_security_options_set_kex(options, names[0], error) == SSH_OK &&
               ssh_security_options_set_key_types(options, names[1], error) == SSH_OK &&
               ssh_security_options_set_ciphers(options, names[2], error) == SSH_OK &&
               (strcmp(names[3], "-") == 0 || ssh_security_options_set_digests(options, names[3], error) == SSH_OK);
    ssh_security_options_free(options);
    if (!set)
        return "options";
    /* The peer is a server that the test has just started; the host key checks have tests of their own. */
    ssh_transport_set_insecure_accept_any_host_key(transport);
    if (ssh_transport_connect(transport, NULL, user, NULL, key, TIMEOUT_MS, error) != SSH_OK)
        return "connect";
    ssh_channel *channel = ssh_transport_open_session(transport, TIMEOUT_MS, error);
    if (channel == NULL)
        return "session";
    char text[64] = "";
    size_t length = 0, count = 0;
    ssh_status status = ssh_channel_request_exec(channel, "echo fine", TIMEOUT_MS, error);
    while (status == SSH_OK && length < sizeof text - 1) {
        status = ssh_channel_read(channel, text + length, sizeof text - 1 - length, &count, TIMEOUT_MS);
        length += count;
    }
    text[length] = '\0';
    ssh_channel_free(channel);
    return strcmp(text, "fine\n") == 0 ? NULL : "output";
}

int main(int argc, char **argv)
{
    char line[512], copy[512], *names[4];
    int failures = 0;
    if (argc != 4)
        return 2;
    ssh_key *key = ssh_key_load_file(argv[3], NULL, NULL);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        memcpy(copy, line, sizeof copy);
        char *rest = copy;
        for (int i = 0; i < 4; i++) {
            names[i] = rest;
            rest += strcspn(rest, " ");
            if (*rest != '\0')
                *rest++ = '\0';
        }
        ssh_error *error = NULL;
        const char *trouble = "address";
        ssh_transport *transport = ssh_transport_new_address(argv[1], TIMEOUT_MS, &error);
        if (transport != NULL)
            trouble = attempt(transport, names, argv[2], key, &error);
        if (trouble == NULL)
            printf("ok %s\n", line);
        else
            printf("FAILED %s: %s: %s\n", line, trouble, ssh_error_message(error));
        fflush(stdout);
        failures += trouble != NULL;
        ssh_error_free(error);
        ssh_transport_close(transport);
        ssh_transport_free(transport);
    }
    ssh_key_free(key);
    return failures > 0;
}
