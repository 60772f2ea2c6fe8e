/* What a stranger's first program needs of an installation: the header, a constant, functions, threads behind them. */
#include <stdio.h>
#include <string.h>
#include <sshwire.h>

int main(void)
{
    ssh_error *error = NULL;
    ssh_key *key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, &error);
    char *fingerprint = ssh_key_fingerprint(key);
    /* Nobody listens on port 0, so that this fails, with the cause, after an I/O thread has looked. */
    ssh_transport *transport = ssh_transport_new_address("127.0.0.1:0", 10000, &error);
    int good = fingerprint && strncmp(fingerprint, "SHA256:", 7) == 0 && !transport &&
               strlen(ssh_error_message(error)) > 0 &&
               ssh_version_number() ==
                   (uint32_t)(SSH_VERSION_MAJOR << 16 | SSH_VERSION_MINOR << 8 | SSH_VERSION_PATCH);
    printf("libsshwire %s: %s\n", ssh_version_string(), good ? "good" : "BAD");
    ssh_memory_free(fingerprint);
    ssh_key_free(key);
    ssh_error_free(error);
    return good ? 0 : 1;
}
