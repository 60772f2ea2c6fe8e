/* Known hosts: verdicts and the lines that decide, changes to a file, and a transport that goes by them. */
#include "pair.h"

#include <fcntl.h>
#include <sys/stat.h>

static char folder[] = "/tmp/sshwire-known-XXXXXX", path[64];
static ssh_key *key, *other, *rsa;

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static char *content(void)
{
    static char text[65536];
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static ssh_known_hosts *known(void)
{
    ssh_error *error = NULL;
    ssh_known_hosts *hosts = ssh_known_hosts_new();
    CHECK_OK(ssh_known_hosts_add_file(hosts, path, &error), error);
    return hosts;
}

/* The verdict; the line that decided must be `line`, 0 for none. */
static int32_t verdict_of(ssh_known_hosts *hosts, const char *host, uint16_t port, const ssh_key *shown, uint64_t line)
{
    ssh_error *error = NULL;
    ssh_known_hosts_entry *entry = NULL;
    int32_t verdict = 99;
    CHECK_OK(ssh_known_hosts_check(hosts, host, port, shown, &verdict, &entry, &error), error);
    CHECK(ssh_known_hosts_entry_line(entry) == line);
    if (entry != NULL)
        CHECK(strcmp(ssh_known_hosts_entry_file(entry), path) == 0);
    ssh_known_hosts_entry_free(entry);
    return verdict;
}

static void verdicts(void)
{
    ssh_error *error = NULL;
    ssh_known_hosts *hosts = known(); /* no such file yet */
    CHECK(verdict_of(hosts, "host", 22, key, 0) == SSH_KNOWN_HOSTS_UNKNOWN);
    CHECK_OK(ssh_known_hosts_add(hosts, 0, "Host", 22, key, "a comment", false, &error), error);
    CHECK(verdict_of(hosts, "host", 22, key, 1) == SSH_KNOWN_HOSTS_MATCH);
    CHECK(verdict_of(hosts, "host", 2222, key, 1) == SSH_KNOWN_HOSTS_MATCH);
    CHECK(verdict_of(hosts, "host", 22, other, 1) == SSH_KNOWN_HOSTS_CHANGED);
    CHECK(verdict_of(hosts, "host", 22, rsa, 1) == SSH_KNOWN_HOSTS_OTHER_TYPE);
    CHECK_OK(ssh_known_hosts_add(hosts, 0, "host", 2222, rsa, NULL, true, &error), error);
    CHECK(verdict_of(hosts, "HOST", 2222, rsa, 2) == SSH_KNOWN_HOSTS_MATCH);
    CHECK_OK(ssh_known_hosts_add(hosts, SSH_KNOWN_HOSTS_MARKER_REVOKED, "*", 22, other, NULL, false, &error), error);
    CHECK(verdict_of(hosts, "host", 22, other, 3) == SSH_KNOWN_HOSTS_REVOKED);
    CHECK_OK(ssh_known_hosts_add(hosts, SSH_KNOWN_HOSTS_MARKER_AUTHORITY, "*.org,!bad.org", 0, rsa, NULL, false, &error),
             error);
    int32_t verdict = 0;
    CHECK_OK(ssh_known_hosts_check_authority(hosts, "a.org", 22, rsa, &verdict, NULL, &error), error);
    CHECK(verdict == SSH_KNOWN_HOSTS_MATCH);
    CHECK_OK(ssh_known_hosts_check_authority(hosts, "bad.org", 22, rsa, &verdict, NULL, &error), error);
    CHECK(verdict == SSH_KNOWN_HOSTS_UNKNOWN);
    CHECK(takes(ssh_known_hosts_order(hosts, "host", 2222, "ssh-ed25519,rsa-sha2-512,rsa-sha2-256", &error),
                "rsa-sha2-512,rsa-sha2-256,ssh-ed25519"));
    CHECK(takes(ssh_known_hosts_warnings(hosts, &error), ""));

    /* The parts of a line. */
    ssh_known_hosts_entry *entry = ssh_known_hosts_find(hosts, "host", 22, 0, &error);
    ssh_key *found = ssh_known_hosts_entry_key(entry);
    CHECK(ssh_key_equals(found, key));
    CHECK(takes(ssh_key_fingerprint(found), ssh_known_hosts_entry_fingerprint(entry)));
    CHECK(strcmp(ssh_known_hosts_entry_names(entry), "host") == 0);
    CHECK(strcmp(ssh_known_hosts_entry_key_type(entry), "ssh-ed25519") == 0);
    CHECK(strcmp(ssh_known_hosts_entry_comment(entry), "a comment") == 0);
    CHECK(ssh_known_hosts_entry_marker(entry) == SSH_KNOWN_HOSTS_MARKER_NONE);
    ssh_key_free(found);
    ssh_known_hosts_entry_free(entry);
    entry = ssh_known_hosts_find(hosts, NULL, 0, 2, &error);
    CHECK(ssh_known_hosts_entry_marker(entry) == SSH_KNOWN_HOSTS_MARKER_REVOKED);
    ssh_known_hosts_entry_free(entry);
    CHECK(ssh_known_hosts_find(hosts, NULL, 0, 4, &error) == NULL && error == NULL);

    /* What cannot be read decides nothing. */
    CHECK(unlink(path) == 0 && mkdir(path, 0700) == 0);
    verdict = 99;
    CHECK_STATUS(ssh_known_hosts_check(hosts, "host", 22, key, &verdict, &entry, &error), SSH_ERR_IO);
    CHECK(verdict == 0 && entry == NULL && ssh_error_errno(error) == EISDIR);
    CHECK(strstr(ssh_error_message(error), path) != NULL);
    ssh_error_free(error);
    CHECK(ssh_known_hosts_find(hosts, "host", 22, 0, &error) == NULL && ssh_error_code(error) == SSH_ERR_IO);
    ssh_error_free(error);
    CHECK(rmdir(path) == 0);
    ssh_known_hosts_free(hosts);
}

static void changes(void)
{
    ssh_error *error = NULL;
    struct stat about;
    size_t count = 99;
    write_file("# mine\r\nodd line\n\nhost ssh-ed25519 AAAA\n# no newline at the end");
    CHECK(chmod(path, 0644) == 0);
    ssh_known_hosts *hosts = known();
    char *before = strdup(content());
    CHECK_OK(ssh_known_hosts_add(hosts, 0, "new", 22, key, NULL, false, &error), error);
    CHECK_OK(ssh_known_hosts_add(hosts, 0, "new", 22, key, NULL, false, &error), error);
    CHECK(strncmp(content(), before, strlen(before)) == 0 && content()[strlen(before)] == '\n');
    CHECK(stat(path, &about) == 0 && (about.st_mode & 07777) == 0644);
    CHECK_OK(ssh_known_hosts_replace(hosts, "new", 22, other, NULL, false, &error), error);
    CHECK(verdict_of(hosts, "new", 22, other, 6) == SSH_KNOWN_HOSTS_MATCH);
    CHECK(verdict_of(hosts, "new", 22, key, 6) == SSH_KNOWN_HOSTS_CHANGED);
    CHECK_OK(ssh_known_hosts_hash(hosts, &count, &error), error);
    CHECK(count == 1 && strstr(content(), "\nnew ") == NULL && strstr(content(), "|1|") != NULL);
    CHECK(verdict_of(hosts, "new", 22, other, 6) == SSH_KNOWN_HOSTS_MATCH);
    CHECK_OK(ssh_known_hosts_remove(hosts, "new", 22, &count, &error), error);
    CHECK(count == 1 && strncmp(content(), before, strlen(before)) == 0);
    CHECK_OK(ssh_known_hosts_remove(hosts, "new", 22, &count, &error), error);
    CHECK(count == 0);
    char *warnings = ssh_known_hosts_warnings(hosts, &error);
    CHECK(strstr(warnings, ":2: ") != NULL && strstr(warnings, ":4: ") != NULL);
    ssh_memory_free(warnings);
    free(before);

    /* What cannot be done. */
    CHECK_STATUS(ssh_known_hosts_add(hosts, 7, "a", 22, key, NULL, false, NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_known_hosts_add(hosts, 0, "a b", 22, key, NULL, false, NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_known_hosts_add(hosts, 0, "*", 22, key, NULL, false, NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_known_hosts_add(hosts, 0, "a", 22, key, "b\nc", false, NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_known_hosts_add(hosts, 1, "a", 22, key, NULL, true, NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_known_hosts_add(hosts, 1, "a b", 22, key, NULL, false, NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_known_hosts_add_file(hosts, "", NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_known_hosts_add_file(hosts, folder, NULL), SSH_ERR_IO);
    ssh_known_hosts_free(hosts);

    char line[8192], *text = ssh_key_public_line(key, "");
    snprintf(line, sizeof line, "host %s", text);
    ssh_memory_free(text);
    hosts = ssh_known_hosts_new();
    CHECK_OK(ssh_known_hosts_add_lines(hosts, line, strlen(line), &error), error);
    ssh_known_hosts_entry *entry = ssh_known_hosts_find(hosts, NULL, 0, 0, &error);
    CHECK(entry != NULL && ssh_known_hosts_entry_file(entry) == NULL);
    ssh_known_hosts_entry_free(entry);
    CHECK_STATUS(ssh_known_hosts_add(hosts, 0, "a", 22, key, NULL, false, NULL), SSH_ERR_STATE);
    ssh_known_hosts_free(hosts);
    CHECK(unlink(path) == 0);
}

/* A file of the rules of several threads at once: nothing is lost. */
static void *add_many(void *name)
{
    ssh_known_hosts *hosts = known();
    for (uint16_t port = 1; port <= 20; port++) {
        ssh_error *error = NULL;
        CHECK_OK(ssh_known_hosts_add(hosts, 0, name, (uint16_t)(port + 100), key, NULL, port % 2 == 0, &error), error);
    }
    ssh_known_hosts_free(hosts);
    return NULL;
}

static void writers(void)
{
    pthread_t threads[4];
    static char names[4][8] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, add_many, names[i]) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ssh_known_hosts *hosts = known();
    int lines = 0;
    for (const char *at = content(); (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    CHECK(lines == 80);
    for (int i = 0; i < 4; i++)
        for (uint16_t port = 101; port <= 120; port++) {
            int32_t verdict = 0;
            CHECK_STATUS(ssh_known_hosts_check(hosts, names[i], port, key, &verdict, NULL, NULL), SSH_OK);
            CHECK(verdict == SSH_KNOWN_HOSTS_MATCH);
        }
    ssh_known_hosts_free(hosts);
    CHECK(unlink(path) == 0);
}

struct asked {
    atomic_int count;
    int32_t verdict;
    bool accept;
};

static void on_host_key(ssh_request *request, void *userdata)
{
    struct asked *asked = userdata;
    CHECK_STATUS(ssh_transport_known_hosts_verdict(ssh_request_transport(request), &asked->verdict, NULL), SSH_OK);
    atomic_fetch_add(&asked->count, 1);
    if (asked->accept)
        ssh_request_accept(request);
    ssh_request_free(request);
}

/* A client that goes by known hosts; what starting and logging in come to. */
static void connects(ssh_known_hosts *hosts, struct asked *asked, ssh_status start, ssh_status login)
{
    pair p;
    ssh_error *error = NULL;
    pair_make(&p);
    ssh_key_free(p.host_key);
    p.host_key = NULL;
    CHECK_STATUS(ssh_server_add_key(p.server, key), SSH_OK);
    CHECK_STATUS(ssh_transport_set_known_hosts(p.client, hosts, NULL, 22, NULL), SSH_ERR_STATE);
    CHECK_OK(ssh_transport_set_known_hosts(p.client, hosts, "host", 22, &error), error);
    int32_t verdict = 99;
    CHECK_STATUS(ssh_transport_known_hosts_verdict(p.client, &verdict, NULL), SSH_ERR_STATE);
    if (asked != NULL)
        CHECK_STATUS(ssh_transport_set_callback(p.client, SSH_REQUEST_HOST_KEY, on_host_key, asked, NULL), SSH_OK);
    ssh_event *started = ssh_event_new();
    CHECK_OK(ssh_transport_start_server(p.server_transport, p.server, started, 20000, &error), error);
    CHECK_STATUS(ssh_transport_start_client(p.client, NULL, 20000, &error), start);
    if (start != SSH_OK) {
        CHECK(ssh_error_found_fingerprint(error) != NULL || asked != NULL);
        ssh_error_free(error);
    } else {
        ssh_status status = ssh_transport_auth_password(p.client, "alice", "open sesame", 11, false, NULL, 20000, &error);
        CHECK_STATUS(status, login);
        if (login != SSH_OK)
            CHECK(strstr(ssh_error_message(error), "host") != NULL);
        ssh_error_free(error);
    }
    if (start != SSH_ERR_IO) /* which is before the start */
        CHECK_STATUS(ssh_transport_set_known_hosts(p.client, hosts, "host", 22, NULL), SSH_ERR_STATE);
    ssh_event_free(started);
    pair_free(&p);
}

static void transports(void)
{
    struct asked asked = {.accept = true};
    ssh_error *error = NULL;
    ssh_known_hosts *hosts = known();
    /* Unknown: nobody to ask, somebody who says no, somebody who says yes. */
    connects(hosts, NULL, SSH_OK, SSH_ERR_HOSTKEY);
    asked.accept = false;
    connects(hosts, &asked, SSH_ERR_HOSTKEY, SSH_OK);
    asked.accept = true;
    connects(hosts, &asked, SSH_OK, SSH_OK);
    CHECK(asked.count == 2 && asked.verdict == SSH_KNOWN_HOSTS_UNKNOWN);
    CHECK_OK(ssh_known_hosts_add(hosts, 0, "host", 22, rsa, NULL, false, &error), error);
    connects(hosts, &asked, SSH_ERR_HOSTKEY, SSH_OK);
    /* Known: nobody is asked. */
    CHECK_OK(ssh_known_hosts_add(hosts, 0, "host", 22, key, NULL, false, &error), error);
    connects(hosts, &asked, SSH_OK, SSH_OK);
    /* Changed, and revoked: nobody is asked either. */
    CHECK_OK(ssh_known_hosts_replace(hosts, "host", 22, other, NULL, false, &error), error);
    connects(hosts, &asked, SSH_ERR_HOSTKEY, SSH_OK);
    CHECK_OK(ssh_known_hosts_add(hosts, SSH_KNOWN_HOSTS_MARKER_REVOKED, "*", 22, key, NULL, false, &error), error);
    connects(hosts, &asked, SSH_ERR_HOSTKEY, SSH_OK);
    CHECK(asked.count == 2);
    /* A file that cannot be read. */
    CHECK(unlink(path) == 0 && mkdir(path, 0700) == 0);
    connects(hosts, &asked, SSH_ERR_IO, SSH_OK);
    CHECK(asked.count == 2 && rmdir(path) == 0);
    ssh_known_hosts_free(hosts);
}

int main(void)
{
    watchdog(120);
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/known", folder);
    key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, NULL);
    other = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, NULL);
    rsa = ssh_key_generate(SSH_KEY_RSA, 2048, NULL, NULL);
    CHECK(key != NULL && other != NULL && rsa != NULL);
    verdicts();
    changes();
    writers();
    transports();
    ssh_key_free(key);
    ssh_key_free(other);
    ssh_key_free(rsa);
    CHECK(rmdir(folder) == 0);
    puts("known_hosts: ok");
    return 0;
}
