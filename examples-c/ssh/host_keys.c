#define _GNU_SOURCE /* open_memstream */
#include "host_keys.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "logging.h"

#define TRIES 3

/*
 * The key of the session
 */

/* A host that is known shows its key to those who know it by sight. One that is not is asked about. */
static void meet(struct asking *asking, ssh_transport *transport)
{
    int32_t verdict = 0;
    if (!asking->shows_art || ssh_transport_known_hosts_verdict(transport, &verdict, NULL) != SSH_OK ||
        verdict != SSH_KNOWN_HOSTS_MATCH)
        return;
    ssh_key *key = ssh_transport_get_remote_server_key(transport, NULL);
    char *fingerprint = asking_fingerprint(asking, key), *drawing = asking_drawing(asking, key);
    note(LEVEL_INFO, "Host key fingerprint is %s", fingerprint != NULL ? fingerprint : "");
    char *rest = drawing, *line;
    while ((line = strsep(&rest, "\n")) != NULL)
        note(LEVEL_INFO, "%s", line);
    ssh_memory_free(fingerprint);
    ssh_memory_free(drawing);
    ssh_key_free(key);
}

/* Programs that read along look for these words. */
static void put_banner(enum level level, bool is_revoked)
{
    static const char frame[] = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";
    note(level, "%s", frame);
    note(level, "%s",
         is_revoked ? "@       WARNING: REVOKED HOST KEY DETECTED!               @"
                    : "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @");
    note(level, "%s", frame);
}

void host_keys_tell_changed(const ssh_error *error)
{
    const char *expected = ssh_error_expected_fingerprint(error), *found = ssh_error_found_fingerprint(error);
    /* What has the very key that was shown, and did not let it pass, revokes it. */
    if (expected != NULL && found != NULL)
        put_banner(LEVEL_FATAL, strcmp(expected, found) == 0);
}

/* A key that is not the known one, and that was let pass because of StrictHostKeyChecking=no. */
static void tell_doubtful(const char *host, ssh_transport *transport)
{
    int32_t verdict = 0;
    ssh_known_hosts_entry *entry = NULL;
    ssh_transport_known_hosts_verdict(transport, &verdict, &entry);
    ssh_key *key = ssh_transport_get_remote_server_key(transport, NULL);
    char *found = ssh_key_fingerprint(key);
    const char *file = ssh_known_hosts_entry_file(entry), *expected = ssh_known_hosts_entry_fingerprint(entry);
    put_banner(LEVEL_ERROR, false);
    note(LEVEL_ERROR, "WARNING: the key of %s is not the known one. Neither a password nor an answer was sent.", host);
    if (file != NULL && expected != NULL) {
        note(LEVEL_ERROR, "It showed %s %s; %s:%llu has %s %s.", key_name(key), found != NULL ? found : "", file,
             (unsigned long long)ssh_known_hosts_entry_line(entry), ssh_known_hosts_entry_key_type(entry), expected);
        note(LEVEL_ERROR, "If it was given a new key, remove the old one: ssh-keygen -f \"%s\" -R \"%s\"", file, host);
    }
    ssh_memory_free(found);
    ssh_key_free(key);
    ssh_known_hosts_entry_free(entry);
}

bool host_keys_are_doubtful(ssh_transport *transport)
{
    int32_t verdict = 0;
    return ssh_transport_known_hosts_verdict(transport, &verdict, NULL) == SSH_OK &&
           (verdict == SSH_KNOWN_HOSTS_CHANGED || verdict == SSH_KNOWN_HOSTS_OTHER_TYPE);
}

void host_keys_tell(const ssh_config_host *host, ssh_transport *transport)
{
    int32_t verdict = 0;
    const char *file, *alias = ssh_config_host_get(host, "HostKeyAlias", 0), *name = ssh_config_host_name(host);
    uint16_t port = alias != NULL ? 22 : ssh_config_host_port(host);
    char shown[512];
    snprintf(shown, sizeof shown, port == 22 ? "%s" : "[%s]:%u", alias != NULL ? alias : name, port);
    if (ssh_transport_known_hosts_verdict(transport, &verdict, NULL) != SSH_OK)
        return;
    if (host_keys_are_doubtful(transport))
        tell_doubtful(shown, transport);
    if (verdict != SSH_KNOWN_HOSTS_UNKNOWN)
        return;
    ssh_known_hosts *known = ssh_known_hosts_new();
    ssh_key *key = ssh_transport_get_remote_server_key(transport, NULL);
    for (size_t i = 0; (file = ssh_config_host_get(host, "UserKnownHostsFile", i)) != NULL; i++)
        ssh_known_hosts_add_file(known, file, NULL);
    ssh_known_hosts_check(known, alias != NULL ? alias : name, port, key, &verdict, NULL, NULL);
    file = ssh_config_host_get(host, "UserKnownHostsFile", 0);
    /* Who names /dev/null wants nothing kept, and ssh says the same of it as of a file. */
    if (verdict == SSH_KNOWN_HOSTS_MATCH || (file != NULL && strcmp(file, "/dev/null") == 0))
        note(LEVEL_INFO, "Warning: Permanently added '%s' (%s) to the list of known hosts.", shown, key_name(key));
    else if (file != NULL)
        note(LEVEL_INFO, "Failed to add the host to the list of known hosts (%s).", file);
    ssh_key_free(key);
    ssh_known_hosts_free(known);
}

/*
 * The keys beside it
 */

/* A person is asked under this lock, so that whoever has it knows that nobody is. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Guarded by the lock: the terminal is the session's. */
static bool is_settled;

static void list(FILE *text, const struct asking *asking, const ssh_request *request, int32_t sort, const char *what)
{
    for (size_t i = 0; i < ssh_request_host_key_count(request, sort); i++) {
        ssh_key *key = ssh_request_host_key(request, sort, i);
        /* A drawing of each would push the question out of sight. */
        char *fingerprint = asking_fingerprint(asking, key);
        fprintf(text, "%s: %s %s\n", what, key_name(key), fingerprint != NULL ? fingerprint : "");
        ssh_memory_free(fingerprint);
        ssh_key_free(key);
    }
}

static bool is_agreed(const struct asking *asking, const ssh_request *request)
{
    static const char question[] = "Accept updated host keys? (yes/no): ";
    char *prompt = NULL;
    size_t length = 0;
    bool yes = false, no = false;
    FILE *text = open_memstream(&prompt, &length);
    if (text == NULL)
        fail("out of memory");
    fputs("The server has told of a change of its host keys, and has proven to have those that are new.\n", text);
    list(text, asking, request, SSH_HOST_KEYS_NEW, "New host key");
    list(text, asking, request, SSH_HOST_KEYS_GONE, "Host key that it has no longer");
    fputs(question, text);
    if (fclose(text) != 0)
        fail("out of memory");
    for (int i = 0; i < TRIES && !yes && !no; i++) {
        char *answer = ask_person(i == 0 ? prompt : question, true);
        yes = answer != NULL && strcasecmp(answer, "yes") == 0;
        no = answer == NULL || strcasecmp(answer, "no") == 0;
        if (!yes && !no)
            note(LEVEL_INFO, "Please enter \"yes\" or \"no\"");
        free(answer);
    }
    free(prompt);
    return yes;
}

/* Keys that come when a session is on are left for the next time: the terminal is not ours, and whoever types means the
 * other side. */
static void answer(ssh_request *request, void *userdata)
{
    const struct asking *asking = userdata;
    pthread_mutex_lock(&lock);
    ssh_status status = !is_settled && is_agreed(asking, request) ? ssh_request_accept(request) : SSH_OK;
    pthread_mutex_unlock(&lock);
    if (status != SSH_OK)
        note(LEVEL_ERROR, "the server's new host keys are not kept: %s", ssh_status_name(status));
    /* One that is freed without an answer is refused. */
    ssh_request_free(request);
}

void host_keys_install(ssh_config *config, const ssh_config_host *host, struct asking *asking, bool is_shell)
{
    const char *updates = ssh_config_host_get(host, "UpdateHostKeys", 0);
    const char *hash = ssh_config_host_get(host, "FingerprintHash", 0);
    asking->fingerprint_hash = hash != NULL && strcmp(hash, "md5") == 0 ? SSH_HASH_MD5 : SSH_HASH_SHA256;
    asking->shows_art = ssh_config_host_is_yes(host, "VisualHostKey");
    asking->meets = meet;
    ssh_config_set_callback(config, SSH_REQUEST_HOST_KEYS, answer, asking, NULL);
    bool asks = updates != NULL && strcmp(updates, "ask") == 0 && !ssh_config_host_is_yes(host, "BatchMode");
    if (asks && !is_shell)
        note(LEVEL_DEBUG1, "debug1: UpdateHostKeys=ask asks nobody when a command is run; disabling");
    /* Nobody asks yet, so the lock is not needed. */
    is_settled = !asks || !is_shell;
}

void host_keys_settle(ssh_transport *transport)
{
    pthread_mutex_lock(&lock);
    bool asks = !is_settled;
    pthread_mutex_unlock(&lock);
    if (asks) {
        /* A server tells of its keys right behind the word that the user is in, so before its answer to this, which is a
         * refusal. */
        ssh_transport_global_request(transport, "keepalive@openssh.com", NULL, 0, true, SSH_TIMEOUT_DEFAULT, NULL, NULL,
                                     NULL);
        ssh_transport_wait_host_keys(transport, SSH_TIMEOUT_FOREVER);
    }
    pthread_mutex_lock(&lock);
    is_settled = true;
    pthread_mutex_unlock(&lock);
}
