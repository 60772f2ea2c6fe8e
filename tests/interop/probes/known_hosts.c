/*
 * known_hosts FILE...: does what the lines of its input say, and prints one line for each.
 *
 *     check HOST PORT TYPE BASE64        the verdict and, where a line has decided, its file and number
 *     find HOST PORT                     the numbers of the lines that name the host, of the first file
 *     order HOST PORT NAMES              the names in their order
 *     add HOST PORT hashed|plain TYPE BASE64
 *     replace HOST PORT hashed|plain TYPE BASE64
 *     remove HOST PORT                   how many lines
 *     hash                               how many lines
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sshwire.h>

static const char *const verdicts[] = {"nothing", "match", "unknown", "other-type", "changed", "revoked"};

static void settle(ssh_status status, ssh_error *error, const char *outcome)
{
    printf("%s\n", status == SSH_OK ? outcome : ssh_error_message(error));
    ssh_error_free(error);
}

static void check(ssh_known_hosts *hosts, const char *host, uint16_t port, const ssh_key *key)
{
    char text[4200];
    int32_t verdict = 0;
    ssh_error *error = NULL;
    ssh_known_hosts_entry *entry = NULL;
    ssh_status status = ssh_known_hosts_check(hosts, host, port, key, &verdict, &entry, &error);
    if (entry != NULL)
        snprintf(text, sizeof text, "%s %s:%llu", verdicts[verdict], ssh_known_hosts_entry_file(entry),
                 (unsigned long long)ssh_known_hosts_entry_line(entry));
    else
        snprintf(text, sizeof text, "%s", verdicts[verdict]);
    settle(status, error, text);
    ssh_known_hosts_entry_free(entry);
}

static void find(ssh_known_hosts *hosts, const char *host, uint16_t port)
{
    ssh_known_hosts_entry *entry;
    ssh_error *error = NULL;
    printf("lines");
    for (size_t i = 0; (entry = ssh_known_hosts_find(hosts, host, port, i, &error)) != NULL; i++) {
        printf(" %llu", (unsigned long long)ssh_known_hosts_entry_line(entry));
        ssh_known_hosts_entry_free(entry);
    }
    settle(error == NULL ? SSH_OK : ssh_error_code(error), error, "");
}

int main(int argc, char **argv)
{
    ssh_known_hosts *hosts = ssh_known_hosts_new();
    static char line[65536];
    for (int i = 1; i < argc; i++)
        if (ssh_known_hosts_add_file(hosts, argv[i], NULL) != SSH_OK)
            return 1;
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *words[6] = {NULL}, text[32];
        ssh_error *error = NULL;
        ssh_key *key = NULL;
        size_t count = 0;
        line[strcspn(line, "\n")] = '\0';
        words[0] = strtok(line, " ");
        for (int i = 1; i < 6 && words[i - 1] != NULL; i++)
            words[i] = strtok(NULL, " ");
        const char *what = words[0], *host = words[1];
        uint16_t port = words[2] != NULL ? (uint16_t)atoi(words[2]) : 0;
        int at = strcmp(what, "check") == 0 ? 3 : 4;
        if (words[at] != NULL && words[at + 1] != NULL) {
            char *public = malloc(strlen(words[at]) + strlen(words[at + 1]) + 2);
            sprintf(public, "%s %s", words[at], words[at + 1]);
            key = ssh_key_from_line(public, &error);
            free(public);
            if (key == NULL) {
                settle(SSH_ERR_KEY_MALFORMED, error, "");
                continue;
            }
        }
        bool hashed = words[3] != NULL && strcmp(words[3], "hashed") == 0;
        if (strcmp(what, "check") == 0) {
            check(hosts, host, port, key);
        } else if (strcmp(what, "find") == 0) {
            find(hosts, host, port);
        } else if (strcmp(what, "order") == 0) {
            char *names = ssh_known_hosts_order(hosts, host, port, words[3], &error);
            settle(names != NULL ? SSH_OK : SSH_ERR_IO, error, names);
            ssh_memory_free(names);
        } else if (strcmp(what, "add") == 0) {
            ssh_status status = ssh_known_hosts_add(hosts, 0, host, port, key, NULL, hashed, &error);
            settle(status, error, "ok");
        } else if (strcmp(what, "replace") == 0) {
            ssh_status status = ssh_known_hosts_replace(hosts, host, port, key, NULL, hashed, &error);
            settle(status, error, "ok");
        } else if (strcmp(what, "remove") == 0 || strcmp(what, "hash") == 0) {
            ssh_status status = *what == 'r' ? ssh_known_hosts_remove(hosts, host, port, &count, &error)
                                             : ssh_known_hosts_hash(hosts, &count, &error);
            snprintf(text, sizeof text, "%zu", count);
            settle(status, error, text);
        } else {
            printf("what is %s?\n", what);
        }
        ssh_key_free(key);
    }
    ssh_known_hosts_free(hosts);
    return 0;
}
