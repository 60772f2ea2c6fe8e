/* A session whose bytes pass through a relay, which cuts, resets, delays, crumbles or stalls them at a chosen place: a
 * handshake, a login, a command with data both ways, a file written over SFTP. Whatever the place, the client's call that
 * is under way succeeds or says what happened, never later than it must, and nothing is left behind.
 *
 *     relay          the end of each piece that a side writes, a byte before and after it, and some places by chance
 *     relay all      every place
 */
#include "pair.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>

enum { DATA = 3000, FILE_DATA = 2000, LONG_MS = 20000, STALL_MS = 700, CRUMBS_BYTES = 64, MAX_ENDS = 400 };

/* --- the relay ----------------------------------------------------------------------------------- */

typedef enum action { CARRY, CUT, RESET, PAUSE, CRUMBLE, STALL } action;
static const char *const action_names[] = {"carry", "cut", "reset", "pause", "crumble", "stall"};

/* Direction 0 is from the client to the server. */
typedef struct relay {
    int ends[2]; /* the relay's end of the client's connection, and of the server's */
    action action;
    int direction;
    long place;
    long carried[2];
    long pieces[2][MAX_ENDS]; /* where pieces ended */
    int piece_count[2];
    bool done;
    atomic_int stop;
} relay;

static void give(int fd, const char *data, ssize_t length, ssize_t piece)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, (size_t)(piece < length ? piece : length), MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* nobody takes it any more */
        data += sent;
        length -= sent;
    }
}

static void part(relay *r, bool rudely)
{
    for (int i = 0; i < 2; i++) {
        struct linger now = {1, 0};
        if (rudely)
            CHECK(setsockopt(r->ends[i], SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
        close(r->ends[i]);
        r->ends[i] = -1;
    }
}

/* Does what is to be done at the place; false where nothing is carried any more. */
static bool act(relay *r)
{
    if (r->done || r->action == CARRY || r->carried[r->direction] < r->place)
        return true;
    r->done = true;
    switch (r->action) {
    case CUT:
    case RESET:
        part(r, r->action == RESET);
        return false;
    case PAUSE:
        usleep(30000);
        return true;
    case STALL:
        while (!atomic_load(&r->stop))
            usleep(20000);
        return false;
    default:
        return true;
    }
}

/* Carries what has come from one side, as far as the place. False at the end. */
static bool carry(relay *r, int from)
{
    char buffer[65536];
    size_t most = sizeof buffer;
    bool crumbles = r->done && r->action == CRUMBLE && r->carried[r->direction] < r->place + CRUMBS_BYTES;
    if (!r->done && r->action != CARRY && from == r->direction && r->place - r->carried[from] < (long)most)
        most = (size_t)(r->place - r->carried[from]);
    ssize_t got = recv(r->ends[from], buffer, most, 0);
    if (got <= 0) {
        shutdown(r->ends[!from], SHUT_WR);
        return false;
    }
    give(r->ends[!from], buffer, got, crumbles ? 1 : got);
    r->carried[from] += got;
    if (r->piece_count[from] < MAX_ENDS)
        r->pieces[from][r->piece_count[from]++] = r->carried[from];
    return true;
}

static void *relaying(void *argument)
{
    relay *r = argument;
    bool open[2] = {true, true};
    while ((open[0] || open[1]) && !atomic_load(&r->stop)) {
        if (!act(r))
            break;
        struct pollfd ready[2] = {{open[0] ? r->ends[0] : -1, POLLIN, 0}, {open[1] ? r->ends[1] : -1, POLLIN, 0}};
        if (poll(ready, 2, 100) <= 0)
            continue;
        for (int from = 0; from < 2; from++) {
            if (ready[from].revents == 0)
                continue;
            open[from] = carry(r, from);
            if (!act(r))
                goto out;
        }
    }
out:
    if (r->ends[0] >= 0)
        part(r, false);
    return NULL;
}

/* Two ends of a TCP connection. */
static void connected(int both[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    both[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(both[0] >= 0 && connect(both[0], (struct sockaddr *)&address, sizeof address) == 0);
    both[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(both[1] >= 0);
    CHECK(setsockopt(both[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
    close(listener);
}

/* --- the session ---------------------------------------------------------------------------------- */

static char root[] = "/tmp/sshwire-c-relay-XXXXXX";
static pair shared; /* the server's keys and callbacks */
static ssh_sftp_server *files;

static void serve_files(ssh_request *request, void *userdata)
{
    (void)userdata;
    /* The connection may be gone already. */
    ssh_request_accept_sftp(request, files, NULL);
    ssh_request_free(request);
}

/* The server's side of the command: sends back what comes. */
static void *echo(void *argument)
{
    char buffer[1024];
    size_t got, sent;
    ssh_channel *channel = ssh_transport_accept(argument, LONG_MS, NULL);
    if (channel == NULL)
        return NULL;
    while (ssh_channel_read(channel, buffer, sizeof buffer, &got, LONG_MS) == SSH_OK)
        if (ssh_channel_write(channel, buffer, got, &sent, LONG_MS) != SSH_OK)
            break;
    ssh_channel_send_exit_status(channel, 7);
    ssh_channel_free(channel);
    return NULL;
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

static void write_file(outcome *o, ssh_transport *client, int ms)
{
    static char data[FILE_DATA];
    ssh_error *error = NULL;
    size_t done = 0;
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
        }
        ssh_sftp_file_free(file);
    }
    ssh_sftp_free(sftp);
}

static outcome session(relay *r)
{
    int client_ends[2], server_ends[2], ms = r->action == STALL ? STALL_MS : LONG_MS;
    pthread_t relay_thread, echo_thread;
    outcome o = {SSH_OK, "all"};
    connected(client_ends);
    connected(server_ends);
    r->ends[0] = client_ends[1];
    r->ends[1] = server_ends[1];
    CHECK(pthread_create(&relay_thread, NULL, relaying, r) == 0);
    ssh_transport *client = ssh_transport_new(client_ends[0], NULL);
    ssh_transport *server = ssh_transport_new(server_ends[0], NULL);
    ssh_event *started = ssh_event_new();
    CHECK(client != NULL && server != NULL && started != NULL);
    /* Where the bytes are cut at once, the start may fail at once. */
    ssh_transport_start_server(server, shared.server, started, LONG_MS, NULL);
    CHECK(pthread_create(&echo_thread, NULL, echo, server) == 0);
    CHECK_STATUS(ssh_transport_set_expected_host_key(client, shared.host_key), SSH_OK);
    if (went(&o, "start", ssh_transport_start_client(client, NULL, ms, NULL))
        && went(&o, "log in",
                ssh_transport_auth_password(client, "alice", "open sesame", 11, false, NULL, ms, NULL)))
        run_command(&o, client, ms);
    if (o.status == SSH_OK)
        write_file(&o, client, ms);
    ssh_transport_free(client);
    ssh_transport_free(server);
    CHECK(pthread_join(echo_thread, NULL) == 0);
    atomic_store(&r->stop, 1);
    CHECK(pthread_join(relay_thread, NULL) == 0);
    ssh_event_free(started);
    return o;
}

/* --- what must hold -------------------------------------------------------------------------------- */

static int entries(const char *path)
{
    int count = 0;
    DIR *folder = opendir(path);
    CHECK(folder != NULL);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* Waits for a count to come down again: what frees the last of a session may be another thread. */
static void comes_down(const char *path, int wanted)
{
    long until = milliseconds() + 15000L * slow();
    while (entries(path) > wanted && milliseconds() < until)
        usleep(2000);
    if (entries(path) > wanted)
        fprintf(stderr, "%s has %d entries, not %d\n", path, entries(path), wanted);
    CHECK(entries(path) <= wanted);
}

static long cpu_milliseconds(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * 1000L + used.tv_nsec / 1000000L;
}

/* A cut is noticed when it happens, and not when a call's time is over. */
static bool fits(action a, ssh_status status)
{
    switch (a) {
    case CUT:
    case RESET:
        return status == SSH_OK || status == SSH_ERR_CONN_LOST || status == SSH_ERR_IO || status == SSH_ERR_DISCONNECTED;
    case STALL:
        return status == SSH_OK || status == SSH_ERR_TIMEOUT;
    default:
        return status == SSH_OK;
    }
}

static int descriptors;
static int went_well[STALL + 1], failed[STALL + 1];

static void check(action a, int direction, long place)
{
    relay r = {.action = a, .direction = direction, .place = place};
    long cpu = cpu_milliseconds();
    outcome o = session(&r);
    if (!fits(a, o.status)) {
        fprintf(stderr, "%s at byte %ld %s: %s fails with %s\n", action_names[a], place,
                direction == 0 ? "to the server" : "to the client", o.step, ssh_status_name(o.status));
        exit(1);
    }
    if (o.status == SSH_OK)
        went_well[a]++;
    else
        failed[a]++;
    /* Waiting costs nothing. The session itself does, so the bound is generous: whoever spins uses all of the time. */
    if (a == STALL && slow() == 1)
        CHECK(cpu_milliseconds() - cpu < STALL_MS / 2 + 200);
    comes_down("/proc/self/fd", descriptors);
}

static unsigned long dice = 1;

static long roll(long sides)
{
    dice = dice * 6364136223846793005UL + 1442695040888963407UL;
    return (long)((dice >> 33) % (unsigned long)sides);
}

static void some_places(const relay *clean)
{
    int turn = 0;
    for (int direction = 0; direction < 2; direction++) {
        long total = clean->carried[direction];
        int count = clean->piece_count[direction];
        for (int i = 0; i < count; i++)
            for (int aside = -1; aside <= 1; aside++) {
                long place = clean->pieces[direction][i] + aside;
                check(turn++ % 2 == 0 ? CUT : RESET, direction, place);
            }
        for (int i = 0; i < 20; i++)
            check(i % 2 == 0 ? CUT : RESET, direction, roll(total));
        for (int i = 0; i < 6; i++) {
            check(PAUSE, direction, roll(total));
            check(CRUMBLE, direction, roll(total));
        }
        for (int i = 0; i < 4; i++)
            check(STALL, direction, roll(total));
    }
}

static void all_places(const relay *clean)
{
    for (int direction = 0; direction < 2; direction++)
        for (long place = 0; place <= clean->carried[direction] + 1; place++) {
            check(CUT, direction, place);
            check(RESET, direction, place);
            if (place % 7 == 0) {
                check(CRUMBLE, direction, place);
                check(PAUSE, direction, place);
            }
            if (place % 50 == 0)
                check(STALL, direction, place);
        }
}

int main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "all") == 0;
    relay clean = {.action = CARRY};
    watchdog(all ? 7200 : 240);
    CHECK(mkdtemp(root) != NULL);
    files = ssh_sftp_server_new_directory(root, NULL);
    CHECK(files != NULL);
    pair_make(&shared);
    CHECK_STATUS(ssh_server_set_callback(shared.server, SSH_REQUEST_SUBSYSTEM, serve_files, NULL, NULL), SSH_OK);
    /* Whoever asks may be gone when the answer comes, which is no failure here. */
    CHECK_STATUS(ssh_server_set_callback(shared.server, SSH_REQUEST_AUTH_PASSWORD, pair_accept, NULL, NULL), SSH_OK);
    /* Threads and descriptors that stay are there after the first session. */
    for (int i = 0; i < 3; i++) {
        relay again = {.action = CARRY};
        CHECK(session(&again).status == SSH_OK);
    }
    usleep(200000);
    descriptors = entries("/proc/self/fd");
    int threads = entries("/proc/self/task");
    CHECK(session(&clean).status == SSH_OK);
    printf("%ld bytes to the server in %d pieces, %ld to the client in %d\n", clean.carried[0], clean.piece_count[0],
           clean.carried[1], clean.piece_count[1]);
    if (all)
        all_places(&clean);
    else
        some_places(&clean);
    for (int a = CUT; a <= STALL; a++) {
        printf("%s: %d fail as they should, %d go well\n", action_names[a], failed[a], went_well[a]);
        CHECK(failed[a] + went_well[a] > 0 && (failed[a] > 0) == (a == CUT || a == RESET || a == STALL));
    }
    /* The pool may keep a few threads for a while. */
    comes_down("/proc/self/task", threads + 4);
    pair_free(&shared);
    ssh_sftp_server_free(files);
    char path[128];
    snprintf(path, sizeof path, "%s/file", root);
    CHECK(unlink(path) == 0 && rmdir(root) == 0);
    return 0;
}
