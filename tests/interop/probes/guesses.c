/*
 * guesses KEX HOST-KEY-ALGORITHM USER KEY: for each line of input, "HOST:PORT", connects to that with these two alone, logs
 * in with the key, and runs a command. Prints what the library says of its guess of what the server prefers, "right" or
 * "wrong", or "none", and ends with a word on standard error where anything else goes wrong.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sshwire.h>

#define TIMEOUT_MS 20000

/* The error is looked at when the call before it has set it. */
static void must(const char *what, bool went_well, ssh_error *const *error)
{
    if (went_well)
        return;
    fprintf(stderr, "guesses: %s: %s\n", what, error == NULL ? "" : ssh_error_message(*error));
    exit(1);
}

struct heard {
    char outcome[16];
    atomic_bool is_all;
};

static void hear(int32_t level, const char *channel, const char *text, void *context)
{
    struct heard *heard = context;
    (void)level;
    (void)channel;
    if (strncmp(text, "the guess of what the server prefers was ", 41) == 0)
        snprintf(heard->outcome, sizeof heard->outcome, "%s", text + 41);
}

static void stop_hearing(void *context)
{
    struct heard *heard = context;
    atomic_store(&heard->is_all, true);
}

static void talk(const char *address, char **names, const ssh_key *key)
{
    ssh_error *error = NULL;
    struct heard heard = {.outcome = "none"};
    ssh_transport *transport = ssh_transport_new_address(address, TIMEOUT_MS, &error);
    must("address", transport != NULL, &error);
    must("log", ssh_transport_set_log_callback(transport, hear, SSH_LOG_DEBUG, &heard, stop_hearing) == SSH_OK, &error);
    ssh_security_options *options = ssh_transport_security_options(transport);
    must("method", ssh_security_options_set_kex(options, names[0], &error) == SSH_OK, &error);
    must("host key", ssh_security_options_set_key_types(options, names[1], &error) == SSH_OK, &error);
    ssh_security_options_free(options);
    /* The peer is a server that the test has just started; the host key checks have tests of their own. */
    ssh_transport_set_insecure_accept_any_host_key(transport);
    must("connect", ssh_transport_connect(transport, NULL, names[2], NULL, key, TIMEOUT_MS, &error) == SSH_OK, &error);
    ssh_channel *channel = ssh_transport_open_session(transport, TIMEOUT_MS, &error);
    must("session", channel != NULL, &error);
    char text[64] = "";
    size_t length = 0, count = 0;
    ssh_status status = ssh_channel_request_exec(channel, "echo fine", TIMEOUT_MS, &error);
    while (status == SSH_OK && length < sizeof text - 1) {
        status = ssh_channel_read(channel, text + length, sizeof text - 1 - length, &count, TIMEOUT_MS);
        length += count;
    }
    must("output", strcmp(text, "fine\n") == 0, &error);
    ssh_channel_free(channel);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
    /* Lines of the log come on another thread. */
    for (int waits = 0; !atomic_load(&heard.is_all); waits++) {
        must("the end of the log", waits < TIMEOUT_MS, NULL);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    puts(heard.outcome);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[512];
    if (argc != 5)
        return 2;
    ssh_key *key = ssh_key_load_file(argv[4], NULL, NULL);
    must("key", key != NULL, NULL);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        talk(line, argv + 1, key);
    }
    ssh_key_free(key);
    return 0;
}
