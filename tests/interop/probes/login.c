/*
 * login PORT USER HOSTKEY ORDER TRIES [KEY...]: logs in at 127.0.0.1 with the agent of SSH_AUTH_SOCK, where that is set, and
 * with keys. ORDER is agent, named or only; a KEY is the file of a private key, or of a public one (.pub).
 *
 * Prints the outcome: "in", "partial METHODS" or what went wrong. A KEY of the form "slow:FILE" signs through a callback.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sshwire.h>

enum { MOST = 16 };

static ssh_status sign(const char *algorithm, const void *data, size_t length, void *signature, size_t capacity,
                       size_t *signature_length, void *userdata)
{
    void *made = NULL;
    ssh_status status = ssh_key_sign(userdata, algorithm, data, length, &made, signature_length, NULL);
    if (status == SSH_OK && *signature_length <= capacity)
        memcpy(signature, made, *signature_length);
    ssh_memory_free(made);
    return status;
}

static void destroy(void *userdata)
{
    ssh_key_free(userdata);
}

static ssh_key *public_key(const char *path)
{
    static char line[8192];
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(line, sizeof line, file) == NULL)
        exit(2);
    fclose(file);
    return ssh_key_from_line(line, NULL);
}

static ssh_key *key_of(const char *name)
{
    size_t length = strlen(name);
    if (strncmp(name, "slow:", 5) == 0) {
        ssh_key *real = ssh_key_load_file(name + 5, NULL, NULL);
        return ssh_key_new_signer(real, sign, real, destroy, NULL);
    }
    if (length > 4 && strcmp(name + length - 4, ".pub") == 0)
        return public_key(name);
    return ssh_key_load_file(name, NULL, NULL);
}

int main(int argc, char **argv)
{
    const ssh_key *keys[MOST];
    char address[64];
    ssh_error *error = NULL;
    ssh_agent *agent = NULL;
    size_t count = 0;
    if (argc < 6)
        return 2;
    for (int i = 6; i < argc && count < MOST; i++)
        if ((keys[count++] = key_of(argv[i])) == NULL)
            return 2;
    int32_t order = SSH_AUTH_AGENT_FIRST;
    if (strcmp(argv[4], "named") == 0)
        order = SSH_AUTH_NAMED_FIRST;
    else if (strcmp(argv[4], "only") == 0)
        order = SSH_AUTH_NAMED_ONLY;
    if (getenv("SSH_AUTH_SOCK") != NULL)
        agent = ssh_agent_new(NULL, SSH_TIMEOUT_DEFAULT, &error);
    ssh_error_free(error);
    error = NULL;
    snprintf(address, sizeof address, "127.0.0.1:%s", argv[1]);
    ssh_key *host_key = public_key(argv[3]);
    ssh_transport *transport = ssh_transport_new_address(address, SSH_TIMEOUT_DEFAULT, &error);
    ssh_status status = ssh_error_code(error);
    if (transport != NULL)
        status = ssh_transport_connect(transport, host_key, NULL, NULL, NULL, SSH_TIMEOUT_DEFAULT, &error);
    if (status == SSH_OK)
        status = ssh_transport_auth_agent(transport, argv[2], agent, keys, count, order,
                                          (uint32_t)strtoul(argv[5], NULL, 10), NULL, 20000, &error);
    char *methods = ssh_transport_auth_methods(transport);
    if (status == SSH_OK)
        puts("in");
    else if (status == SSH_PARTIAL)
        printf("partial %s\n", methods);
    else
        printf("%s: %s\n", ssh_status_name(status), ssh_error_message(error));
    ssh_memory_free(methods);
    ssh_error_free(error);
    ssh_transport_free(transport);
    ssh_agent_free(agent);
    for (size_t i = 0; i < count; i++)
        ssh_key_free((ssh_key *)keys[i]);
    ssh_key_free(host_key);
    return status == SSH_OK ? 0 : 1;
}
