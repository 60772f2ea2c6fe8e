/* The peer dies, falls silent or is given up while calls are blocked: every call returns at once, with the
 * cause. Each peer is a process of its own, forked before the library is used here. */
#include "pair.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* What the two sides are at. From LOGIN on the peer speaks SSH, with this library. */
typedef enum phase {
    SILENT,  /* we are the client, and the peer says nothing */
    IDENT,   /* the peer says who it is, and nothing more */
    AWAITED, /* we are the server, and the peer says nothing */
    LOGIN,   /* the server does not answer the password */
    SESSION, /* the server does not answer any more, but its side of the transport works */
    HELD,    /* as before, and the connection no longer carries anything */
    HOST,    /* we are the server; else as before */
    PHASES
} phase;

typedef enum ending { KILLED, RESET, DROPPED, CANCELLED, FREED, ENDINGS } ending;

static const char *const phase_names[] = {"silent", "ident", "awaited", "login", "session", "held", "host"};
static const char *const ending_names[] = {"killed", "reset", "dropped", "cancelled", "freed"};

/* --- the peer ------------------------------------------------------------------------------------ */

typedef struct peer {
    pid_t pid;
    int control;
    int fd; /* our end of the connection */
} peer;

typedef struct way {
    int from, to;
} way;

static atomic_int held, willing;

/* Carries bytes between the peer's transport and the connection, which the library therefore does not own:
 * it can be stopped, and cut off without a word. */
static void *carry(void *argument)
{
    const way *w = argument;
    char buffer[4096];
    for (;;) {
        struct pollfd ready = {w->from, POLLIN, 0};
        if (atomic_load(&held)) {
            usleep(1000);
            continue;
        }
        if (poll(&ready, 1, 5) == 0)
            continue;
        ssize_t got = read(w->from, buffer, sizeof buffer);
        if (got <= 0)
            return NULL;
        for (ssize_t sent = 0, now; sent < got; sent += now)
            if ((now = write(w->to, buffer + sent, (size_t)(got - sent))) <= 0)
                return NULL;
    }
}

static ssh_transport *carried(int fd)
{
    static way ways[2];
    int inner[2];
    pthread_t thread;
    sockets(inner);
    ways[0] = (way){inner[1], fd};
    ways[1] = (way){fd, inner[1]};
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&thread, NULL, carry, &ways[i]) == 0);
    ssh_transport *transport = ssh_transport_new(inner[0], NULL);
    CHECK(transport != NULL);
    CHECK_STATUS(ssh_transport_set_window_cap(transport, 32768), SSH_OK);
    CHECK_STATUS(ssh_transport_pull_requests(transport, true), SSH_OK);
    return transport;
}

static phase peer_phase;
static ssh_request *_Atomic login; /* the question of LOGIN */

/* Lets the user in, opens two channels and runs a command; what else is asked gets no answer, until the peer
 * is told to be willing. */
static void *serve(void *argument)
{
    int opened = 0, started = 0;
    for (;;) {
        ssh_request *request = ssh_transport_next_request(argument, SSH_TIMEOUT_FOREVER, NULL);
        if (request == NULL)
            return NULL;
        int32_t kind = ssh_request_kind(request);
        bool answers = atomic_load(&willing) != 0;
        if (kind == SSH_REQUEST_AUTH_METHODS)
            answers = true;
        else if (kind == SSH_REQUEST_AUTH_PASSWORD)
            answers = answers || peer_phase != LOGIN;
        else if (kind == SSH_REQUEST_CHANNEL_OPEN)
            answers = answers || opened++ < 2;
        else if (kind == SSH_REQUEST_EXEC)
            answers = answers || started++ < 1;
        if (answers) {
            ssh_request_accept(request);
            ssh_request_free(request);
        } else if (kind == SSH_REQUEST_AUTH_PASSWORD) {
            atomic_store(&login, request);
        }
    }
}

static void begin_peer(int fd)
{
    static const char ident[] = "SSH-2.0-nothing_more\r\n";
    pthread_t thread;
    ssh_error *error = NULL;
    if (peer_phase == IDENT)
        CHECK(write(fd, ident, sizeof ident - 1) == (ssize_t)sizeof ident - 1);
    if (peer_phase < LOGIN)
        return;
    ssh_transport *transport = carried(fd);
    if (peer_phase == HOST) {
        CHECK_STATUS(ssh_transport_set_insecure_accept_any_host_key(transport), SSH_OK);
        CHECK_OK(ssh_transport_connect(transport, NULL, "guest", "password", NULL, 100000, &error), error);
        CHECK(ssh_transport_open_session(transport, 100000, &error) != NULL);
    } else {
        ssh_event *started = ssh_event_new();
        ssh_key *key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, &error);
        CHECK_STATUS(ssh_transport_add_server_key(transport, key), SSH_OK);
        CHECK_OK(ssh_transport_start_server(transport, NULL, started, 100000, &error), error);
    }
    CHECK(pthread_create(&thread, NULL, serve, transport) == 0);
}

static void be_peer(int fd, int control)
{
    const struct linger at_once = {1, 0};
    char command;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    while (read(control, &command, 1) == 1) {
        if (command == 'b') {
            begin_peer(fd);
        } else if (command == 'h') {
            atomic_store(&held, 1);
            usleep(10000);
        } else if (command == 'w') {
            /* Replies bear no mark of the attempt: the client's next one waits for this. */
            ssh_request_free(atomic_exchange(&login, NULL));
            atomic_store(&willing, 1);
            atomic_store(&held, 0);
        } else if (command == 'r') {
            CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
            atomic_store(&held, 1);
            close(fd);
        }
        CHECK(write(control, &command, 1) == 1);
    }
    _exit(0);
}

static void connected(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fds[0], (struct sockaddr *)&address, sizeof address) == 0);
    fds[1] = accept(listener, NULL, NULL);
    CHECK(fds[1] >= 0);
    close(listener);
}

static peer fork_peer(phase at)
{
    int fds[2], control[2];
    const int small = 4096;
    connected(fds);
    sockets(control);
    if (at == HELD || at == HOST) /* so that writers are held up by the socket, too */
        CHECK(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        peer_phase = at;
        close(fds[0]);
        close(control[0]);
        be_peer(fds[1], control[1]);
    }
    close(fds[1]);
    close(control[1]);
    return (peer){pid, control[0], fds[0]};
}

static void tell_peer(const peer *p, char command)
{
    char answer = 0;
    CHECK(write(p->control, &command, 1) == 1);
    CHECK(read(p->control, &answer, 1) == 1 && answer == command);
}

/* --- blocked calls ------------------------------------------------------------------------------- */

typedef enum kind {
    NO_CALL,
    START_CLIENT,
    CONNECT,
    START_SERVER,
    AUTH,
    OPEN,
    EXEC,
    READ,
    READ_STDERR,
    WRITE,
    WAIT_EXIT,
    ACCEPT,
    GLOBAL,
    NEXT_REQUEST,
    RENEGOTIATE,
    KINDS
} kind;

static const char *const kind_names[] = {"",        "start_client", "connect",    "start_server",
                                         "auth",    "open_session", "exec",       "read",
                                         "read_stderr", "write_all", "wait_exit", "accept",
                                         "global_request", "next_request", "renegotiate_keys"};

static const kind blocked[PHASES][KINDS] = {
    [SILENT] = {START_CLIENT},
    [IDENT] = {CONNECT},
    [AWAITED] = {START_SERVER},
    [LOGIN] = {AUTH, ACCEPT, NEXT_REQUEST},
    [SESSION] = {OPEN, EXEC, READ, READ_STDERR, WRITE, WAIT_EXIT, ACCEPT, GLOBAL, NEXT_REQUEST},
    [HELD] = {OPEN, EXEC, READ, READ_STDERR, WRITE, WAIT_EXIT, ACCEPT, GLOBAL, NEXT_REQUEST, RENEGOTIATE},
    [HOST] = {OPEN, READ, WRITE, ACCEPT, GLOBAL, NEXT_REQUEST, RENEGOTIATE},
};

typedef struct session {
    ssh_server *server;
    ssh_transport *transport;
    ssh_channel *channel, *second;
    int32_t timeout;
} session;

typedef struct call {
    const session *session;
    kind kind;
    pthread_t thread;
    atomic_int entered, returned;
    ssh_status status;
    long at;
} call;

static const char zeros[1024 * 1024];

static ssh_status perform(const session *s, kind what, ssh_error **error)
{
    char buffer[100];
    size_t done = 0;
    int32_t how;
    uint32_t exit_status;
    switch (what) {
    case START_CLIENT:
        return ssh_transport_start_client(s->transport, NULL, s->timeout, error);
    case CONNECT:
        return ssh_transport_connect(s->transport, NULL, "guest", "password", NULL, s->timeout, error);
    case START_SERVER:
        return ssh_transport_start_server(s->transport, s->server, NULL, s->timeout, error);
    case AUTH:
        return ssh_transport_auth_password(s->transport, "guest", "password", 8, false, NULL, s->timeout,
                                           error);
    case OPEN:
        CHECK(ssh_transport_open_session(s->transport, s->timeout, error) == NULL);
        break;
    case EXEC:
        return ssh_channel_request_exec(s->second, "work", s->timeout, error);
    case READ:
        return ssh_channel_read(s->channel, buffer, sizeof buffer, &done, s->timeout);
    case READ_STDERR:
        return ssh_channel_read_stderr(s->channel, buffer, sizeof buffer, &done, s->timeout);
    case WRITE: {
        ssh_status status = ssh_channel_write_all(s->channel, zeros, sizeof zeros, &done, s->timeout);
        CHECK(done < sizeof zeros);
        return status;
    }
    case WAIT_EXIT:
        return ssh_channel_wait_exit(s->channel, s->timeout, &how, &exit_status);
    case ACCEPT:
        CHECK(ssh_transport_accept(s->transport, s->timeout, error) == NULL);
        break;
    case GLOBAL:
        return ssh_transport_global_request(s->transport, "question@example.org", NULL, 0, true, s->timeout,
                                            NULL, NULL, error);
    case NEXT_REQUEST:
        CHECK(ssh_transport_next_request(s->transport, s->timeout, error) == NULL);
        break;
    default:
        return ssh_transport_renegotiate_keys(s->transport, s->timeout, error);
    }
    CHECK(*error != NULL);
    return ssh_error_code(*error);
}

static void *run_call(void *argument)
{
    call *c = argument;
    ssh_error *error = NULL;
    atomic_store(&c->entered, 1);
    c->status = perform(c->session, c->kind, &error);
    c->at = milliseconds();
    atomic_store(&c->returned, 1);
    CHECK(error == NULL || (ssh_error_code(error) == c->status && strlen(ssh_error_message(error)) > 0));
    ssh_error_free(error);
    return NULL;
}

/* --- our side ------------------------------------------------------------------------------------ */

static session begin(phase at, peer *p)
{
    session s = {.timeout = 60000 * (int32_t)slow()};
    ssh_error *error = NULL;
    s.transport = ssh_transport_new(p->fd, &error);
    CHECK(s.transport != NULL);
    if (at == AWAITED || at == HOST) {
        ssh_key *key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, &error);
        s.server = ssh_server_new();
        CHECK_STATUS(ssh_server_add_key(s.server, key), SSH_OK);
        ssh_server_set_callback(s.server, SSH_REQUEST_AUTH_PASSWORD, pair_accept, NULL, NULL);
        ssh_server_set_callback(s.server, SSH_REQUEST_CHANNEL_OPEN, pair_accept, NULL, NULL);
        ssh_key_free(key);
    } else {
        CHECK_STATUS(ssh_transport_set_insecure_accept_any_host_key(s.transport), SSH_OK);
    }
    if (at == HOST) {
        char command = 'b', answer;
        CHECK(write(p->control, &command, 1) == 1);
        CHECK_OK(ssh_transport_start_server(s.transport, s.server, NULL, 100000, &error), error);
        s.channel = ssh_transport_accept(s.transport, 100000, &error);
        CHECK(s.channel != NULL);
        CHECK(read(p->control, &answer, 1) == 1);
    } else {
        tell_peer(p, 'b');
    }
    if (at == LOGIN || at == SESSION || at == HELD)
        CHECK_OK(ssh_transport_start_client(s.transport, NULL, 100000, &error), error);
    if (at == SESSION || at == HELD) {
        CHECK_OK(ssh_transport_auth_password(s.transport, "guest", "password", 8, false, NULL, 100000, &error),
                 error);
        s.channel = ssh_transport_open_session(s.transport, 100000, &error);
        s.second = ssh_transport_open_session(s.transport, 100000, &error);
        CHECK(s.channel != NULL && s.second != NULL);
        CHECK_OK(ssh_channel_request_exec(s.channel, "work", 100000, &error), error);
    }
    if (at == SESSION) { /* takes what the window lets through, and does not wait for more */
        size_t done = 0;
        CHECK_STATUS(ssh_channel_write(s.channel, zeros, sizeof zeros, &done, s.timeout), SSH_OK);
        CHECK(done > 0 && done < sizeof zeros);
    }
    if (at == HELD || at == HOST)
        tell_peer(p, 'h');
    return s;
}

static void end(ending how, phase at, const peer *p, session *s)
{
    switch (how) {
    case KILLED:
        CHECK(kill(p->pid, SIGKILL) == 0);
        break;
    case RESET:
        tell_peer(p, 'r');
        break;
    case DROPPED:
        CHECK(kill(p->pid, SIGSTOP) == 0);
        if (at >= SESSION) /* before that, the calls' own deadlines */
            CHECK_STATUS(ssh_transport_set_keepalive(s->transport, 200, 2, NULL, NULL, NULL), SSH_OK);
        break;
    case CANCELLED:
        CHECK_STATUS(ssh_transport_cancel(s->transport), SSH_OK);
        break;
    default:
        ssh_transport_free(s->transport);
        s->transport = NULL;
    }
}

static bool fits(ending how, ssh_status status)
{
    switch (how) {
    case KILLED:
    case RESET:
        return status == SSH_ERR_CONN_LOST;
    case DROPPED:
        return status == SSH_ERR_TIMEOUT;
    case CANCELLED:
        return status == SSH_ERR_CANCELLED;
    default:
        return status == SSH_ERR_CLOSED || status == SSH_ERR_BAD_HANDLE;
    }
}

/* What is true afterwards: the cause is kept, or the session goes on. */
static void look_after(ending how, phase at, const peer *p, session *s)
{
    ssh_error *error = NULL;
    char byte;
    size_t done;
    if (how == FREED)
        return;
    if (how == CANCELLED) {
        CHECK(ssh_transport_is_alive(s->transport) && ssh_transport_error(s->transport) == NULL);
        if (at < LOGIN)
            return;
        tell_peer(p, 'w');
        if (at == LOGIN)
            CHECK_OK(ssh_transport_auth_password(s->transport, "guest", "password", 8, false, NULL,
                                                 10000 * (int32_t)slow(), &error),
                     error);
        CHECK_OK(ssh_transport_renegotiate_keys(s->transport, 10000 * (int32_t)slow(), &error), error);
        if (at != HOST) {
            ssh_channel *channel = ssh_transport_open_session(s->transport, 10000 * (int32_t)slow(), &error);
            CHECK(channel != NULL);
            CHECK_OK(ssh_channel_request_exec(channel, "work", 10000 * (int32_t)slow(), &error), error);
            ssh_channel_free(channel);
        }
        if (s->channel != NULL)
            CHECK_STATUS(ssh_channel_read(s->channel, &byte, 1, &done, 10), SSH_ERR_TIMEOUT);
    } else if (how != DROPPED || at != LOGIN) { /* a login that took too long does not end the session */
        if (how != DROPPED) /* where the goodbye waits for its second */
            CHECK_STATUS(ssh_transport_join(s->transport, 5000 * (int32_t)slow()), SSH_OK);
        CHECK(!ssh_transport_is_active(s->transport));
        error = ssh_transport_error(s->transport);
        if (error == NULL || !fits(how, ssh_error_code(error)))
            fprintf(stderr, "the session ended with: %s\n", ssh_error_message(error));
        CHECK(error != NULL && fits(how, ssh_error_code(error)));
        CHECK(ssh_error_class(error) == SSH_CLASS_ENDED);
        ssh_error_free(error);
        CHECK(ssh_transport_open_session(s->transport, 5000, &error) == NULL);
        CHECK(fits(how, ssh_error_code(error)));
        ssh_error_free(error);
        if (s->channel != NULL) /* that nothing will come is said also to who does not wait */
            CHECK(fits(how, ssh_channel_read(s->channel, &byte, 1, &done, 0)));
    }
}

static long try_ending(phase at, ending how, peer *p)
{
    call calls[KINDS];
    int count = 0, bad = 0;
    long longest = 0, settle = slow() > 1 ? 400 : 80;
    /* By the time the silence is noticed: deadline or three intervals of keepalives. */
    long allowed = (how == DROPPED ? 1600 : 1000) * (long)slow();
    session s = begin(at, p);
    if (how == DROPPED && at < SESSION)
        s.timeout = (int32_t)settle + 600;
    memset(calls, 0, sizeof calls);
    for (; blocked[at][count] != NO_CALL; count++) {
        calls[count].session = &s;
        calls[count].kind = blocked[at][count];
        CHECK(pthread_create(&calls[count].thread, NULL, run_call, &calls[count]) == 0);
    }
    for (int i = 0; i < count; i++)
        while (!atomic_load(&calls[i].entered))
            usleep(1000);
    usleep((useconds_t)settle * 1000);
    for (int i = 0; i < count && (how != DROPPED || at >= SESSION); i++)
        if (atomic_load(&calls[i].returned)) {
            fprintf(stderr, "%s: %s did not block: %s\n", phase_names[at], kind_names[calls[i].kind],
                    ssh_status_name(calls[i].status));
            bad = 1;
        }

    long ended = milliseconds();
    session shown = s; /* what the calls were given stays theirs */
    end(how, at, p, &shown);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 5 * (time_t)slow();
    for (int i = 0; i < count; i++) {
        if (pthread_timedjoin_np(calls[i].thread, NULL, &until) != 0) {
            fprintf(stderr, "%s, %s: %s hangs\n", phase_names[at], ending_names[how],
                    kind_names[calls[i].kind]);
            exit(1);
        }
        long took = calls[i].at - ended;
        longest = took > longest ? took : longest;
        if (!fits(how, calls[i].status) || took > allowed) {
            fprintf(stderr, "%s, %s: %s gave %s after %ld ms\n", phase_names[at], ending_names[how],
                    kind_names[calls[i].kind], ssh_status_name(calls[i].status), took);
            bad = 1;
        }
    }
    CHECK(!bad);
    look_after(how, at, p, &shown);

    ssh_channel_free(s.channel);
    ssh_channel_free(s.second);
    ssh_transport_free(shown.transport);
    ssh_server_free(s.server);
    kill(p->pid, SIGKILL);
    CHECK(waitpid(p->pid, NULL, 0) == p->pid);
    close(p->control);
    return longest;
}

int main(void)
{
    static peer peers[PHASES][ENDINGS];
    watchdog(120);
    for (int at = 0; at < PHASES; at++)
        for (int how = 0; how < ENDINGS; how++)
            peers[at][how] = fork_peer((phase)at);
    for (int at = 0; at < PHASES; at++) {
        printf("%-8s", phase_names[at]);
        for (int how = 0; how < ENDINGS; how++)
            printf(" %s %ld ms", ending_names[how], try_ending((phase)at, (ending)how, &peers[at][how]));
        puts("");
    }
    puts("death: ok");
    return 0;
}
