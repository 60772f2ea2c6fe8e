/* A whole session of a client and a server of this library: handshake, login, a command with data both ways, a file written
 * and read over SFTP. Each of the client's steps may fail; the first failure is what the session comes to. */
#ifndef WHOLE_H
#define WHOLE_H

#include "pair.h"

#include <dirent.h>
#include <semaphore.h>
#include <sys/stat.h>

enum { DATA = 3000, FILE_DATA = 2000, LONG_MS = 20000 };

static char root[] = "/tmp/sshwire-c-whole-XXXXXX";
static pair shared; /* the server's keys and callbacks */
static ssh_sftp_server *files;

static void serve_files(ssh_request *request, void *userdata)
{
    (void)userdata;
    /* The connection may be gone already. */
    ssh_request_accept_sftp(request, files, NULL);
    ssh_request_free(request);
}

/* The server's side of the command: sends back what comes. One thread for all sessions, which is there from the start. */
static sem_t echo_wanted, echo_done;
static ssh_transport *echo_transport;
static pthread_t echo_thread;

static void echo(ssh_transport *transport)
{
    char buffer[1024];
    size_t got, sent;
    ssh_channel *channel = ssh_transport_accept(transport, LONG_MS, NULL);
    if (channel == NULL)
        return;
    while (ssh_channel_read(channel, buffer, sizeof buffer, &got, LONG_MS) == SSH_OK)
        if (ssh_channel_write(channel, buffer, got, &sent, LONG_MS) != SSH_OK)
            break;
    ssh_channel_send_exit_status(channel, 7);
    ssh_channel_free(channel);
}

static void *echoes(void *argument)
{
    (void)argument;
    for (;;) {
        while (sem_wait(&echo_wanted) != 0)
            ;
        if (echo_transport == NULL)
            return NULL;
        echo(echo_transport);
        sem_post(&echo_done);
    }
}

/* What went wrong first, and where. */
typedef struct outcome {
    ssh_status status;
    const char *step;
} outcome;

static bool went(outcome *o, const char *step, ssh_status status)
{
    if (o->status == SSH_OK && status != SSH_OK)
        *o = (outcome){status, step};
    return status == SSH_OK;
}

/* For calls that make something: their error. */
static bool made(outcome *o, const char *step, const void *object, ssh_error *error)
{
    ssh_status status = object != NULL ? SSH_OK : ssh_error_code(error);
    CHECK(object != NULL || (error != NULL && status < 0 && strlen(ssh_error_message(error)) > 0));
    ssh_error_free(error);
    return went(o, step, status);
}

static void run_command(outcome *o, ssh_transport *client, int ms)
{
    static char sent[DATA], got[DATA + 1];
    ssh_error *error = NULL;
    size_t done = 0, length = 0;
    int32_t kind = 0;
    uint32_t exit_status = 0;
    ssh_channel *channel = ssh_transport_open_session(client, ms, &error);
    if (!made(o, "open a session", channel, error))
        return;
    for (int i = 0; i < DATA; i++)
        sent[i] = (char)(i * 7);
    if (went(o, "exec", ssh_channel_request_exec(channel, "echo", ms, NULL))
        && went(o, "write", ssh_channel_write(channel, sent, DATA, &done, ms))
        && went(o, "eof", ssh_channel_send_eof(channel))) {
        ssh_status status = SSH_OK;
        while (length <= DATA
               && (status = ssh_channel_read(channel, got + length, sizeof got - length, &done, ms)) == SSH_OK)
            length += done;
        /* An end that is not the end would be worse than an error. */
        if (status == SSH_EOF)
            CHECK(length == DATA && memcmp(sent, got, DATA) == 0);
        if (went(o, "read", status == SSH_EOF ? SSH_OK : status)
            && went(o, "exit status", ssh_channel_wait_exit(channel, ms, &kind, &exit_status)))
            CHECK(kind == SSH_EXIT_STATUS && exit_status == 7);
    }
    ssh_channel_free(channel);
}

/* Reads back what was written. */
static void read_file(outcome *o, ssh_sftp *sftp, int ms)
{
    static char data[FILE_DATA + 1];
    ssh_error *error = NULL;
    size_t done = 0, length = 0;
    ssh_sftp_file *file = ssh_sftp_open(sftp, "/file", SSH_SFTP_READ, NULL, ms, &error);
    if (!made(o, "open a file to read", file, error))
        return;
    ssh_status status = SSH_OK;
    while (length < sizeof data
           && (status = ssh_sftp_file_read(file, data + length, sizeof data - length, &done, ms, NULL)) == SSH_OK)
        length += done;
    if (went(o, "read a file", status == SSH_EOF ? SSH_OK : status)) {
        CHECK(length == FILE_DATA);
        for (size_t i = 0; i < length; i++)
            CHECK(data[i] == (char)(i * 3));
    }
    ssh_sftp_file_free(file);
}

static void write_file(outcome *o, ssh_transport *client, int ms)
{
    static char data[FILE_DATA];
    ssh_error *error = NULL;
    size_t done = 0;
    for (int i = 0; i < FILE_DATA; i++)
        data[i] = (char)(i * 3);
    ssh_sftp *sftp = ssh_transport_open_sftp_client(client, ms, &error);
    if (!made(o, "open SFTP", sftp, error))
        return;
    error = NULL;
    uint32_t flags = SSH_SFTP_WRITE | SSH_SFTP_CREATE | SSH_SFTP_TRUNCATE;
    ssh_sftp_file *file = ssh_sftp_open(sftp, "/file", flags, NULL, ms, &error);
    if (made(o, "open a file", file, error)) {
        went(o, "write a file", ssh_sftp_file_write(file, data, FILE_DATA, &done, ms, NULL));
        if (went(o, "close a file", ssh_sftp_file_close(file, ms, NULL)) && o->status == SSH_OK) {
            char path[128];
            struct stat found;
            snprintf(path, sizeof path, "%s/file", root);
            CHECK(stat(path, &found) == 0 && found.st_size == FILE_DATA);
            read_file(o, sftp, ms);
        }
        ssh_sftp_file_free(file);
    }
    ssh_sftp_free(sftp);
}

/* Both sides over two descriptors that are connected in some way. */
static outcome whole_session(int client_fd, int server_fd, int ms)
{
    outcome o = {SSH_OK, "all"};
    ssh_error *error = NULL;
    ssh_transport *server = NULL, *client = ssh_transport_new(client_fd, &error);
    if (!made(&o, "make a client", client, error)) {
        close(client_fd);
        close(server_fd);
        return o;
    }
    error = NULL;
    server = ssh_transport_new(server_fd, &error);
    if (!made(&o, "make a server", server, error)) {
        close(server_fd);
        ssh_transport_free(client);
        return o;
    }
    error = NULL;
    ssh_event *started = ssh_event_new();
    if (started == NULL) {
        /* The only way to say that there is none. */
        went(&o, "make an event", SSH_ERR_RESOURCE);
    } else {
        CHECK_STATUS(ssh_transport_set_expected_host_key(client, shared.host_key), SSH_OK);
        echo_transport = server;
        sem_post(&echo_wanted);
        if (went(&o, "start the server", ssh_transport_start_server(server, shared.server, started, LONG_MS, NULL))
            && went(&o, "start", ssh_transport_start_client(client, NULL, ms, NULL))
            && went(&o, "log in",
                    ssh_transport_auth_password(client, "alice", "open sesame", 11, false, NULL, ms, NULL)))
            run_command(&o, client, ms);
        if (o.status == SSH_OK)
            write_file(&o, client, ms);
    }
    ssh_transport_free(client);
    ssh_transport_free(server);
    if (started != NULL)
        while (sem_wait(&echo_done) != 0)
            ;
    ssh_event_free(started);
    return o;
}

/* The server's keys, callbacks and files, and the thread. */
static void whole_begin(void)
{
    CHECK(mkdtemp(root) != NULL);
    files = ssh_sftp_server_new_directory(root, NULL);
    CHECK(files != NULL);
    pair_make(&shared);
    CHECK_STATUS(ssh_server_set_callback(shared.server, SSH_REQUEST_SUBSYSTEM, serve_files, NULL, NULL), SSH_OK);
    /* Whoever asks may be gone when the answer comes, which is no failure here. */
    CHECK_STATUS(ssh_server_set_callback(shared.server, SSH_REQUEST_AUTH_PASSWORD, pair_accept, NULL, NULL), SSH_OK);
    CHECK(sem_init(&echo_wanted, 0, 0) == 0 && sem_init(&echo_done, 0, 0) == 0);
    CHECK(pthread_create(&echo_thread, NULL, echoes, NULL) == 0);
}

static void whole_end(void)
{
    char path[128];
    echo_transport = NULL;
    sem_post(&echo_wanted);
    CHECK(pthread_join(echo_thread, NULL) == 0);
    pair_free(&shared);
    ssh_sftp_server_free(files);
    snprintf(path, sizeof path, "%s/file", root);
    CHECK(unlink(path) == 0 && rmdir(root) == 0);
}

static inline int threads(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder != NULL);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* Open descriptors, without eventfds: the library keeps a few of these for callers that wait. */
static int descriptors(void)
{
    int count = 0;
    struct dirent *entry;
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder != NULL);
    while ((entry = readdir(folder)) != NULL) {
        char target[64] = "";
        if (readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1) > 0)
            count += strstr(target, "eventfd") == NULL;
    }
    closedir(folder);
    return count;
}

/* Waits for a count to come down again: what frees the last of a session may be another thread. It may rise again in the next
 * moment, where the library's threads come and go. */
static void comes_down(int (*count)(void), const char *what, int wanted)
{
    long until = milliseconds() + 15000L * slow();
    int now;
    while ((now = count()) > wanted && milliseconds() < until)
        usleep(2000);
    if (now > wanted)
        fprintf(stderr, "%d %s, not %d\n", now, what, wanted);
    CHECK(now <= wanted);
}

#endif
