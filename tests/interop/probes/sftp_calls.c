/*
 * sftp_calls HOST:PORT USER KEY DIRECTORY: makes every call of the SFTP client once in an empty directory of the server's.
 */
#include "sftp_calls.h"

int main(int argc, char **argv)
{
    ssh_error *error = NULL;
    char local[] = "/tmp/sshwire-sftp-XXXXXX";
    if (argc != 5) {
        fprintf(stderr, "usage: sftp_calls HOST:PORT USER KEY DIRECTORY\n");
        return 2;
    }
    watchdog(300);
    CHECK(mkdtemp(local) != NULL);
    ssh_transport *transport = ssh_transport_new_address(argv[1], SFTP_MS, &error);
    ssh_key *key = ssh_key_load_file(argv[3], NULL, &error);
    CHECK(transport != NULL && key != NULL);
    /* The peer is a server that the test has just started; the host key checks have tests of their own. */
    ssh_transport_set_insecure_accept_any_host_key(transport);
    CHECK_OK(ssh_transport_connect(transport, NULL, argv[2], NULL, key, SFTP_MS, &error), error);
    ssh_sftp *sftp = ssh_transport_open_sftp_client(transport, SFTP_MS, &error);
    if (sftp == NULL)
        fprintf(stderr, "%s\n", ssh_error_message(error));
    CHECK(sftp != NULL);
    sftp_calls(sftp, argv[4], local);
    ssh_sftp_free(sftp);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
    ssh_key_free(key);
    CHECK(rmdir(local) == 0);
    puts("sftp_calls: ok");
    return 0;
}
