/* What a transport tells about itself: algorithms, numbers, and whether exit waits for it. */
#include "pair.h"

#include <signal.h>
#include <sys/wait.h>

static uint64_t number(const ssh_transport *transport, int32_t which)
{
    uint64_t value = 99;
    CHECK_STATUS(ssh_transport_get_statistic(transport, which, &value), SSH_OK);
    return value;
}

static void algorithms(pair *p)
{
    ssh_security_options *options = ssh_transport_security_options(p->client);
    CHECK_STATUS(ssh_security_options_set_ciphers(options, "aes128-ctr", NULL), SSH_OK);
    CHECK_STATUS(ssh_security_options_set_digests(options, "hmac-sha2-256", NULL), SSH_OK);
    CHECK_STATUS(ssh_security_options_set_kex(options, "curve25519-sha256", NULL), SSH_OK);
    ssh_security_options_free(options);
    CHECK(ssh_transport_get_algorithm(p->client, SSH_ALGORITHM_KEX) == NULL);
    pair_login(p);
    CHECK(takes(ssh_transport_get_algorithm(p->client, SSH_ALGORITHM_KEX), "curve25519-sha256"));
    CHECK(takes(ssh_transport_get_algorithm(p->server_transport, SSH_ALGORITHM_HOST_KEY), "ssh-ed25519"));
    for (int32_t which = SSH_ALGORITHM_CIPHER_CLIENT_TO_SERVER; which <= SSH_ALGORITHM_CIPHER_SERVER_TO_CLIENT; which++)
        CHECK(takes(ssh_transport_get_algorithm(p->client, which), "aes128-ctr"));
    for (int32_t which = SSH_ALGORITHM_MAC_CLIENT_TO_SERVER; which <= SSH_ALGORITHM_MAC_SERVER_TO_CLIENT; which++)
        CHECK(takes(ssh_transport_get_algorithm(p->client, which), "hmac-sha2-256"));
    for (int32_t which = SSH_ALGORITHM_COMPRESSION_CLIENT_TO_SERVER;
         which <= SSH_ALGORITHM_COMPRESSION_SERVER_TO_CLIENT; which++)
        CHECK(takes(ssh_transport_get_algorithm(p->client, which), "none"));
    CHECK(ssh_transport_get_algorithm(p->client, 0) == NULL);
    CHECK(ssh_transport_get_algorithm(p->client, 9) == NULL);
}

static void numbers(pair *p)
{
    ssh_error *error = NULL;
    uint64_t value = 99;
    ssh_channel *channel = ssh_transport_open_session(p->client, 20000, &error);
    CHECK(channel != NULL);
    CHECK(number(p->client, SSH_STATISTIC_ROUND_TRIP_US) > 0);
    CHECK(number(p->client, SSH_STATISTIC_REKEYS) == 0);
    CHECK(number(p->client, SSH_STATISTIC_WINDOW_STALLS) == 0);
    CHECK_OK(ssh_transport_renegotiate_keys(p->client, 20000, &error), error);
    CHECK(number(p->client, SSH_STATISTIC_REKEYS) == 1);

    /* Nobody reads at the other end, so its window fills up. */
    ssh_channel *server = ssh_transport_accept(p->server_transport, 20000, &error);
    CHECK(server != NULL);
    uint64_t packets = number(p->client, SSH_STATISTIC_PACKETS_SENT);
    uint64_t sent = number(p->client, SSH_STATISTIC_BYTES_SENT);
    static char block[65536];
    size_t count = 0, total = 0;
    ssh_status status;
    do {
        status = ssh_channel_write(channel, block, sizeof block, &count, 200);
        total += count;
    } while (count > 0);
    CHECK(status == SSH_ERR_TIMEOUT && total > 0);
    CHECK(number(p->client, SSH_STATISTIC_WINDOW_STALLS) > 0);
    CHECK(number(p->client, SSH_STATISTIC_BYTES_SENT) > sent + total);
    CHECK(number(p->client, SSH_STATISTIC_PACKETS_SENT) > packets);
    CHECK(number(p->server_transport, SSH_STATISTIC_PACKETS_RECEIVED) > 0);
    CHECK(number(p->server_transport, SSH_STATISTIC_BYTES_RECEIVED) > 0);

    CHECK_STATUS(ssh_transport_get_statistic(p->client, 0, &value), SSH_ERR_INVALID_ARG);
    CHECK(value == 0);
    CHECK_STATUS(ssh_transport_get_statistic(p->client, 8, &value), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_transport_get_statistic(NULL, SSH_STATISTIC_REKEYS, &value), SSH_ERR_BAD_HANDLE);
    ssh_transport_close(p->client);
    CHECK(number(p->client, SSH_STATISTIC_BYTES_SENT) > sent + total);
    ssh_channel_free(server);
    ssh_channel_free(channel);
}

/* A child that returns from main() with a live transport; `daemon` as it was set. */
static void leave(bool daemon)
{
    pair p;

    pair_make(&p);
    CHECK(ssh_transport_is_daemon(p.client));
    CHECK_STATUS(ssh_transport_set_daemon(p.client, daemon), SSH_OK);
    CHECK(ssh_transport_is_daemon(p.client) == daemon);
    pair_start(&p);
    exit(7);
}

static void exit_waits(void)
{
    int status;
    for (int daemon = 0; daemon < 2; daemon++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            leave(daemon);
        if (daemon) {
            CHECK(waitpid(child, &status, 0) == child);
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
        } else {
            /* Its session goes on for ever, so it is there until it is killed. */
            usleep(700000 * slow());
            CHECK(waitpid(child, &status, WNOHANG) == 0);
            CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
        }
    }
}

int main(void)
{
    pair p;
    watchdog(300);
    exit_waits();
    CHECK_STATUS(ssh_transport_load_server_moduli("/nonexistent", NULL), SSH_ERR_IO);
    CHECK_STATUS(ssh_transport_load_server_moduli("/dev/null", NULL), SSH_ERR_INVALID_ARG);
    pair_make(&p);
    algorithms(&p);
    numbers(&p);
    pair_free(&p);
    puts("statistics: ok");
    return 0;
}
