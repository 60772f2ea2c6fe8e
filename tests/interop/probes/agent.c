/*
 * agent SOCKET COMMAND...: asks the agent at SOCKET.
 *
 *     list                            a line for each key: TYPE FINGERPRINT COMMENT, or TYPE BASE64 for what ssh_key knows
 *     sign INDEX ALGORITHM|-          the algorithm of the signature; "good" when the key verifies it
 *     add FILE LIFETIME CONFIRM [CERTIFICATE]
 *     remove INDEX
 *     remove-all
 *     lock PASSPHRASE
 *     unlock PASSPHRASE
 *
 * A refusal or fault is told on standard error; the exit status is then 1.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sshwire.h>

static ssh_agent_identities *known(ssh_agent *agent, ssh_error **error)
{
    return ssh_agent_list(agent, SSH_TIMEOUT_DEFAULT, error);
}

static ssh_status list(ssh_agent *agent, ssh_error **error)
{
    ssh_agent_identities *found = known(agent, error);
    if (found == NULL)
        return ssh_error_code(*error);
    for (size_t i = 0; i < ssh_agent_identities_count(found); i++) {
        ssh_key *key = ssh_agent_identities_key(found, i);
        char *line = ssh_key_public_line(key, NULL);
        printf("%s %s %s|%s\n", ssh_agent_identities_type(found, i), ssh_agent_identities_fingerprint(found, i),
               ssh_agent_identities_comment(found, i), line != NULL ? line : "");
        ssh_memory_free(line);
        ssh_key_free(key);
    }
    ssh_agent_identities_free(found);
    return SSH_OK;
}

static ssh_status sign(ssh_agent *agent, size_t index, const char *algorithm, ssh_error **error)
{
    static const char data[] = "what is signed";
    ssh_agent_identities *found = known(agent, error);
    size_t blob_length = 0, length = 0;
    void *signature = NULL;
    if (found == NULL)
        return ssh_error_code(*error);
    const void *blob = ssh_agent_identities_blob(found, index, &blob_length);
    ssh_status status = ssh_agent_sign(agent, blob, blob_length, strcmp(algorithm, "-") == 0 ? NULL : algorithm, data,
                                       sizeof data, &signature, &length, SSH_TIMEOUT_DEFAULT, error);
    if (status == SSH_OK) {
        const unsigned char *bytes = signature;
        char label[64];
        ssh_key *key = ssh_agent_identities_key(found, index);
        snprintf(label, sizeof label, "%.*s", (int)bytes[3], (const char *)bytes + 4);
        printf("%s", label);
        if (key != NULL)
            printf(" %s", ssh_key_verify(key, label, data, sizeof data, signature, length) == SSH_OK ? "good" : "bad");
        puts("");
        ssh_key_free(key);
    }
    ssh_memory_free(signature);
    ssh_agent_identities_free(found);
    return status;
}

/* The blob in the line of a certificate's file. */
static size_t decode(const char *path, unsigned char *blob, size_t room)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static char line[16384];
    FILE *file = fopen(path, "r");
    size_t length = 0;
    unsigned bits = 0, count = 0;
    if (file == NULL || fgets(line, sizeof line, file) == NULL)
        exit(2);
    fclose(file);
    strtok(line, " ");
    for (const char *at = strtok(NULL, " "), *digit; at != NULL && *at != '\0'; at++) {
        if ((digit = strchr(digits, *at)) == NULL)
            break;
        bits = bits << 6 | (unsigned)(digit - digits);
        count += 6;
        if (count >= 8 && length < room) {
            count -= 8;
            blob[length++] = (unsigned char)(bits >> count);
        }
    }
    return length;
}

static ssh_status add(ssh_agent *agent, char **words, ssh_error **error)
{
    static unsigned char certificate[16384];
    size_t length = words[3] != NULL ? decode(words[3], certificate, sizeof certificate) : 0;
    ssh_key *key = ssh_key_load_file(words[0], NULL, error);
    if (key == NULL)
        return ssh_error_code(*error);
    ssh_status status = ssh_agent_add(agent, key, certificate, length, (uint32_t)strtoul(words[1], NULL, 10),
                                      strcmp(words[2], "0") != 0, SSH_TIMEOUT_DEFAULT, error);
    ssh_key_free(key);
    return status;
}

static ssh_status forget(ssh_agent *agent, size_t index, ssh_error **error)
{
    ssh_agent_identities *found = known(agent, error);
    size_t length = 0;
    if (found == NULL)
        return ssh_error_code(*error);
    const void *blob = ssh_agent_identities_blob(found, index, &length);
    ssh_status status = ssh_agent_remove(agent, blob, length, SSH_TIMEOUT_DEFAULT, error);
    ssh_agent_identities_free(found);
    return status;
}

int main(int argc, char **argv)
{
    char *words[4] = {NULL};
    ssh_error *error = NULL;
    ssh_status status = SSH_ERR_INVALID_ARG;
    if (argc < 3)
        return 2;
    for (int i = 3; i < argc && i < 7; i++)
        words[i - 3] = argv[i];
    ssh_agent *agent = ssh_agent_new(argv[1][0] != '\0' ? argv[1] : NULL, SSH_TIMEOUT_DEFAULT, &error);
    const char *what = argv[2];
    if (agent == NULL)
        status = ssh_error_code(error);
    else if (strcmp(what, "list") == 0)
        status = list(agent, &error);
    else if (strcmp(what, "sign") == 0 && words[1] != NULL)
        status = sign(agent, strtoul(words[0], NULL, 10), words[1], &error);
    else if (strcmp(what, "add") == 0 && words[2] != NULL)
        status = add(agent, words, &error);
    else if (strcmp(what, "remove") == 0 && words[0] != NULL)
        status = forget(agent, strtoul(words[0], NULL, 10), &error);
    else if (strcmp(what, "remove-all") == 0)
        status = ssh_agent_remove_all(agent, SSH_TIMEOUT_DEFAULT, &error);
    else if (strcmp(what, "lock") == 0 && words[0] != NULL)
        status = ssh_agent_lock(agent, words[0], strlen(words[0]), SSH_TIMEOUT_DEFAULT, &error);
    else if (strcmp(what, "unlock") == 0 && words[0] != NULL)
        status = ssh_agent_unlock(agent, words[0], strlen(words[0]), SSH_TIMEOUT_DEFAULT, &error);
    if (status != SSH_OK)
        fprintf(stderr, "%s: %s\n", ssh_status_name(status), ssh_error_message(error));
    ssh_error_free(error);
    ssh_agent_free(agent);
    return status == SSH_OK ? 0 : 1;
}
