#define _GNU_SOURCE /* F_SETPIPE_SZ, syscall */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "process.h"
#include "xauth.h"

#define BLOCK (128 * 1024)
#define MAX_VARIABLES 64
#define MAX_VARIABLE_BYTES 4096

/*
 * A session is prepared by the questions of its channel, which the library puts one at a time, and then run by a
 * thread of its own. Both find it by its number, so that a question that comes late finds nothing instead of memory
 * that was freed.
 */
struct session {
    struct session *next; /* guarded by `sessions_lock`, as `users` and `started` are */
    uintptr_t number;
    unsigned users;
    bool started;

    ssh_channel *channel;
    char *term;
    uint32_t columns, rows, pixel_width, pixel_height;
    char *cookie_file; /* for the programs of the session, while it lasts */
    char *variables[MAX_VARIABLES + 1];
    size_t variable_count;

    pthread_mutex_t lock; /* guards `running`; while that is true the process may be signalled and resized */
    bool running;
    struct process process;
};

static pthread_mutex_t sessions_lock = PTHREAD_MUTEX_INITIALIZER;

/* Set before the first session. */
static const char *shell_wanted;
static ssh_sftp_server *sftp_offered;
static struct session *sessions;
static uintptr_t last_number;

static struct session *session_new(ssh_channel *channel)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    session->channel = channel;
    session->users = 1;
    pthread_mutex_init(&session->lock, NULL);
    pthread_mutex_lock(&sessions_lock);
    session->number = ++last_number;
    session->next = sessions;
    sessions = session;
    pthread_mutex_unlock(&sessions_lock);
    return session;
}

/* Lets go of a session; the last one to do so frees it. */
static void session_release(struct session *session)
{
    pthread_mutex_lock(&sessions_lock);
    bool last = --session->users == 0;
    if (last) {
        struct session **link = &sessions;
        while (*link != session)
            link = &(*link)->next;
        *link = session->next;
    }
    pthread_mutex_unlock(&sessions_lock);
    if (!last)
        return;
    ssh_channel_free(session->channel);
    for (size_t i = 0; i < session->variable_count; i++)
        free(session->variables[i]);
    free(session->term);
    if (session->cookie_file != NULL)
        unlink(session->cookie_file);
    free(session->cookie_file);
    pthread_mutex_destroy(&session->lock);
    free(session);
}

/* Ends a session that its thread, or the lack of one, is done with. */
static void session_end(struct session *session)
{
    ssh_channel_close(session->channel);
    session_release(session);
}

/* The session that a request is about, held until session_release(). */
static struct session *session_of(ssh_request *request)
{
    ssh_channel *channel = ssh_request_channel(request);
    uintptr_t number = (uintptr_t)ssh_channel_get_userdata(channel);
    pthread_mutex_lock(&sessions_lock);
    struct session *session = sessions;
    while (session != NULL && session->number != number)
        session = session->next;
    if (session != NULL)
        session->users++;
    pthread_mutex_unlock(&sessions_lock);
    return session;
}

void sessions_sweep(void)
{
    struct session *closed[64];
    size_t count = 0;
    pthread_mutex_lock(&sessions_lock);
    for (struct session *session = sessions; session != NULL && count < 64; session = session->next) {
        if (!session->started && session->users == 1 && ssh_channel_is_closed(session->channel)) {
            session->started = true; /* so that nothing starts on it any more */
            closed[count++] = session;
        }
    }
    pthread_mutex_unlock(&sessions_lock);
    while (count > 0)
        session_release(closed[--count]);
}

/*
 * Running
 */

/* Bytes on their way from one side to the other. */
struct flow {
    char *block;
    size_t start, end;
    bool ended; /* nothing more comes in */
};

static bool flow_is_empty(const struct flow *flow)
{
    return flow->start == flow->end;
}

struct run {
    struct session *session;
    ssh_event *event;
    int exit_fd; /* readable once the process has ended */
    bool exited, channel_gone;
    struct flow input, output, errors;
};

static void make_nonblocking(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* From the channel to the process. True when something moved. */
static bool pump_input(struct run *run)
{
    struct process *process = &run->session->process;
    struct flow *flow = &run->input;
    bool moved = false;
    if (flow_is_empty(flow) && !flow->ended) {
        size_t count = 0;
        ssh_status status = ssh_channel_read(run->session->channel, flow->block, BLOCK, &count, 0);
        if (status == SSH_OK) {
            flow->start = 0;
            flow->end = count;
            moved = true;
        } else if (status == SSH_EOF) {
            flow->ended = true;
            moved = true;
        } else if (status != SSH_AGAIN) {
            run->channel_gone = true;
        }
    }
    while (!flow_is_empty(flow) && process->input >= 0) {
        ssize_t count = write(process->input, flow->block + flow->start, flow->end - flow->start);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            break;
        if (count <= 0) {
            /* It does not want to read any more. What comes is thrown away from now on. */
            if (!process->terminal)
                close(process->input);
            process->input = -1;
            break;
        }
        flow->start += (size_t)count;
        moved = true;
    }
    if (process->input < 0)
        flow->start = flow->end;
    if (flow->ended && flow_is_empty(flow) && process->input >= 0) {
        if (process->terminal) {
            /* A terminal has no end of file but the key for it. */
            static const char end_of_file = 4;
            (void)!write(process->input, &end_of_file, 1);
        } else {
            close(process->input);
        }
        process->input = -1;
    }
    return moved;
}

typedef ssh_status channel_writer(ssh_channel *channel, const void *data, size_t length, size_t *done,
                                  int32_t timeout_ms);

/* From the process to the channel. True when something moved. */
static bool pump_output(struct run *run, struct flow *flow, int fd, channel_writer *write_to_channel)
{
    bool moved = false;
    if (flow_is_empty(flow) && !flow->ended) {
        ssize_t count = read(fd, flow->block, BLOCK);
        if (count > 0) {
            flow->start = 0;
            flow->end = (size_t)count;
            moved = true;
        } else if (count < 0 && errno == EINTR) {
            moved = true;
        } else if (count == 0 || errno != EAGAIN) {
            /* A terminal says EIO once nobody has it open. */
            flow->ended = true;
            moved = true;
        }
    }
    if (!flow_is_empty(flow)) {
        size_t count = 0;
        ssh_status status =
            write_to_channel(run->session->channel, flow->block + flow->start, flow->end - flow->start, &count, 0);
        if (status == SSH_OK) {
            flow->start += count;
            moved = true;
        } else if (status != SSH_AGAIN) {
            run->channel_gone = true;
        }
    }
    return moved;
}

/* Sleeps until there may be something to do. */
static void wait_for_work(struct run *run)
{
    const struct process *process = &run->session->process;
    struct pollfd fds[5];
    nfds_t count = 0;
    fds[count++] = (struct pollfd){.fd = ssh_event_fd(run->event), .events = POLLIN};
    if (!run->exited)
        fds[count++] = (struct pollfd){.fd = run->exit_fd, .events = POLLIN};
    if (!flow_is_empty(&run->input) && process->input >= 0)
        fds[count++] = (struct pollfd){.fd = process->input, .events = POLLOUT};
    if (flow_is_empty(&run->output) && !run->output.ended)
        fds[count++] = (struct pollfd){.fd = process->output, .events = POLLIN};
    if (flow_is_empty(&run->errors) && !run->errors.ended)
        fds[count++] = (struct pollfd){.fd = process->errors, .events = POLLIN};
    /* When the shell is gone and something else keeps its terminal open, the session is over all the same; but what
     * the shell wrote last may still be on its way through the terminal. */
    bool lingers = run->exited && process->terminal && !run->output.ended;
    int ready = poll(fds, count, lingers ? 300 : -1);
    if (ready == 0 && lingers)
        run->output.ended = true;
    if (ready > 0 && !run->exited && (fds[1].revents & POLLIN) != 0)
        run->exited = true;
}

static bool all_is_sent(const struct run *run)
{
    return run->output.ended && flow_is_empty(&run->output) && run->errors.ended && flow_is_empty(&run->errors);
}

/* Moves bytes until the process has ended and all its output is on its way, or the client is gone. */
static void pump(struct run *run)
{
    struct session *session = run->session;
    while (!(run->exited && all_is_sent(run))) {
        bool moved;
        /* Reset first and look then: what happens in between sets it again. */
        ssh_event_reset(run->event);
        do {
            moved = pump_input(run);
            moved |= pump_output(run, &run->output, session->process.output, ssh_channel_write);
            if (session->process.errors >= 0)
                moved |= pump_output(run, &run->errors, session->process.errors, ssh_channel_write_stderr);
            if ((ssh_channel_conditions(session->channel) & SSH_CHANNEL_CLOSED) != 0)
                run->channel_gone = true;
        } while (moved && !run->channel_gone);
        if (run->channel_gone)
            return;
        if (!(run->exited && all_is_sent(run)))
            wait_for_work(run);
    }
}

/* Tells the client how it ended. */
static void send_end(struct session *session, int status)
{
    if (WIFSIGNALED(status)) {
        const char *name = signal_name(WTERMSIG(status));
        bool core = false;
#ifdef WCOREDUMP
        core = WCOREDUMP(status);
#endif
        ssh_channel_send_exit_signal(session->channel, name != NULL ? name : "KILL", core, NULL);
    } else {
        ssh_channel_send_exit_status(session->channel, (uint32_t)WEXITSTATUS(status));
    }
    ssh_channel_send_eof(session->channel);
}

static void *run_session(void *userdata)
{
    struct session *session = userdata;
    struct run run = {.session = session};
    struct process *process = &session->process;
    /* Kept by themselves, for `process->input` becomes -1 when the input has ended, also that of a terminal, which
     * is one descriptor for both directions. */
    const int output = process->output, errors = process->errors;
    run.exit_fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
    run.event = ssh_event_new();
    run.input.block = malloc(BLOCK);
    run.output.block = malloc(BLOCK);
    run.errors.block = malloc(BLOCK);
    run.errors.ended = errors < 0;
    if (run.exit_fd < 0 || run.event == NULL || run.input.block == NULL || run.output.block == NULL ||
        run.errors.block == NULL) {
        say("no resources to run a command with");
        run.channel_gone = true;
    } else {
        make_nonblocking(process->input);
        make_nonblocking(output);
        make_nonblocking(errors);
        ssh_channel_set_event(session->channel, run.event,
                              SSH_CHANNEL_READABLE | SSH_CHANNEL_WRITABLE | SSH_CHANNEL_EOF | SSH_CHANNEL_CLOSED);
        pump(&run);
    }
    if (run.channel_gone)
        process_signal(process, SIGHUP); /* as when a terminal is unplugged */
    if (!process->terminal && process->input >= 0)
        close(process->input);
    pthread_mutex_lock(&session->lock);
    process->output = -1; /* nobody resizes it any more */
    close(output);
    pthread_mutex_unlock(&session->lock);
    if (errors >= 0)
        close(errors);

    /* The process is waited for under the lock, so that nobody signals a number that means another process by then;
     * until it has ended the lock stays free. */
    siginfo_t info;
    int status = 0;
    while (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        continue;
    pthread_mutex_lock(&session->lock);
    session->running = false;
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    pthread_mutex_unlock(&session->lock);
    if (!run.channel_gone)
        send_end(session, status);

    if (run.exit_fd >= 0)
        close(run.exit_fd);
    ssh_event_free(run.event);
    free(run.input.block);
    free(run.output.block);
    free(run.errors.block);
    session_end(session);
    return NULL;
}

/* Starts a command, or a shell for NULL, and answers the request that asked for it. */
static void session_start(struct session *session, const char *command, ssh_request *request)
{
    struct process_request wanted = {.command = command,
                                     .shell = shell_wanted,
                                     .term = session->term,
                                     .columns = session->columns,
                                     .rows = session->rows,
                                     .pixel_width = session->pixel_width,
                                     .pixel_height = session->pixel_height,
                                     .environment = (const char *const *)session->variables};
    pthread_t thread;
    pthread_mutex_lock(&sessions_lock);
    bool first = !session->started;
    session->started = true;
    pthread_mutex_unlock(&sessions_lock);
    if (!first) {
        ssh_request_refuse(request);
        return;
    }
    int cause = process_start(&wanted, &session->process);
    if (cause != 0) {
        say("cannot start a command: %s", strerror(cause));
        ssh_request_refuse(request);
        session_end(session);
        return;
    }
    session->running = true;
    /* The answer first, and then what the command has to say. */
    ssh_request_accept(request);
    if (pthread_create(&thread, NULL, run_session, session) == 0) {
        pthread_detach(thread);
        return;
    }
    say("no thread for a session");
    process_signal(&session->process, SIGKILL);
    pthread_mutex_lock(&session->lock);
    session->running = false;
    waitpid(session->process.pid, NULL, 0);
    pthread_mutex_unlock(&session->lock);
    session_end(session);
}

/* Has the library serve files on the channel. The session stays as one that nothing was started on by this program,
 * and is swept away once its channel is closed. */
static void session_start_sftp(ssh_request *request)
{
    ssh_error *error = NULL;
    const char *name = ssh_request_name(request);
    if (sftp_offered == NULL || name == NULL || strcmp(name, "sftp") != 0)
        ssh_request_refuse(request);
    else if (ssh_request_accept_sftp(request, sftp_offered, &error) != SSH_OK)
        say_error("sftp", error);
}

/*
 * Questions
 */

/* Which variables a client may set: those that choose a language, and our own. */
static bool set_variable(struct session *session, const char *name, const char *value, size_t length)
{
    if (strncmp(name, "LC_", 3) != 0 && strcmp(name, "LANG") != 0 && strncmp(name, "SSHWIRE_", 8) != 0)
        return false;
    size_t size = strlen(name) + length + 2;
    if (session->variable_count == MAX_VARIABLES || size > MAX_VARIABLE_BYTES || value == NULL ||
        memchr(value, '\0', length) != NULL || strchr(name, '=') != NULL)
        return false;
    char *entry = malloc(size);
    if (entry == NULL)
        return false;
    snprintf(entry, size, "%s=%s", name, value);
    session->variables[session->variable_count++] = entry;
    return true;
}

/*
 * The client's agent and display
 */

static const char *forwarding_directory;

static bool add_variable(struct session *session, const char *name, const char *value)
{
    char entry[MAX_VARIABLE_BYTES];
    if (session->variable_count == MAX_VARIABLES ||
        snprintf(entry, sizeof entry, "%s=%s", name, value) >= (int)sizeof entry)
        return false;
    char *copy = strdup(entry);
    if (copy != NULL)
        session->variables[session->variable_count++] = copy;
    return copy != NULL;
}

static void serve_agent(struct session *session, ssh_request *request)
{
    char path[PATH_MAX];
    ssh_error *error = NULL;
    snprintf(path, sizeof path, "%s/agent.%" PRIuPTR, forwarding_directory, session->number);
    if (ssh_request_serve_agent(request, path, &error) != SSH_OK)
        say_error(path, error);
    else
        add_variable(session, "SSH_AUTH_SOCK", path);
}

static void serve_display(struct session *session, ssh_request *request)
{
    char path[PATH_MAX], number[16], display[64];
    uint16_t taken = 0;
    ssh_error *error = NULL;
    const char *protocol = ssh_request_name(request), *cookie = ssh_request_value(request, NULL);
    if (protocol == NULL || cookie == NULL || ssh_request_serve_x11(request, &taken, &error) != SSH_OK) {
        say_error("display", error);
        return;
    }
    snprintf(path, sizeof path, "%s/xauth.%" PRIuPTR, forwarding_directory, session->number);
    snprintf(number, sizeof number, "%u", taken);
    snprintf(display, sizeof display, "localhost:%u.%u", taken, (unsigned)ssh_request_x11_screen(request, NULL));
    if (session->cookie_file == NULL && write_cookie(path, number, protocol, cookie)) {
        session->cookie_file = strdup(path);
        add_variable(session, "XAUTHORITY", path);
        add_variable(session, "DISPLAY", display);
    }
}

static void on_session_forward(ssh_request *request, void *userdata)
{
    (void)userdata;
    struct session *session = session_of(request);
    if (session != NULL && !session->started) {
        if (ssh_request_kind(request) == SSH_REQUEST_AGENT_FORWARD)
            serve_agent(session, request);
        else
            serve_display(session, request);
    }
    if (session != NULL)
        session_release(session);
    ssh_request_free(request); /* without an answer: no */
}

void sessions_serve_forwarding(ssh_server *server, const char *directory)
{
    forwarding_directory = directory;
    ssh_server_set_callback(server, SSH_REQUEST_AGENT_FORWARD, on_session_forward, NULL, NULL);
    ssh_server_set_callback(server, SSH_REQUEST_X11, on_session_forward, NULL, NULL);
}

/* What can be said yes or no to at once. */
static bool is_granted(struct session *session, ssh_request *request)
{
    size_t length = 0;
    const char *text;
    uint32_t columns, rows, width, height;
    bool good = false;
    switch (ssh_request_kind(request)) {
    case SSH_REQUEST_PTY:
        if (session->started || session->term != NULL || (text = ssh_request_term(request)) == NULL)
            return false;
        ssh_request_terminal_size(request, &session->columns, &session->rows, &session->pixel_width,
                                  &session->pixel_height);
        session->term = strdup(text);
        return session->term != NULL;
    case SSH_REQUEST_ENV:
        text = ssh_request_value(request, &length);
        return !session->started && ssh_request_name(request) != NULL &&
               set_variable(session, ssh_request_name(request), text, length);
    case SSH_REQUEST_WINDOW_CHANGE:
        ssh_request_terminal_size(request, &columns, &rows, &width, &height);
        pthread_mutex_lock(&session->lock);
        good = session->running;
        if (good)
            process_resize(&session->process, columns, rows, width, height);
        pthread_mutex_unlock(&session->lock);
        return good;
    case SSH_REQUEST_SIGNAL: {
        int number = ssh_request_name(request) != NULL ? signal_number(ssh_request_name(request)) : 0;
        pthread_mutex_lock(&session->lock);
        good = session->running && number != 0;
        if (good)
            process_signal(&session->process, number);
        pthread_mutex_unlock(&session->lock);
        return good;
    }
    default: return false;
    }
}

static void on_channel_request(ssh_request *request, void *userdata)
{
    (void)userdata;
    struct session *session = session_of(request);
    const int32_t kind = ssh_request_kind(request);
    size_t length = 0;
    const char *command = kind == SSH_REQUEST_EXEC ? ssh_request_command(request, &length) : NULL;
    if (session == NULL)
        ssh_request_refuse(request);
    else if (kind == SSH_REQUEST_SUBSYSTEM)
        session_start_sftp(request);
    else if (kind == SSH_REQUEST_SHELL)
        session_start(session, NULL, request);
    else if (command != NULL && strlen(command) == length) {
        /* Without a NUL inside, which would make the shell run something else than what is written there. */
        const char *original = ssh_request_original_command(request, &length);
        if (length > 0)
            add_variable(session, "SSH_ORIGINAL_COMMAND", original);
        session_start(session, command, request);
    } else if (is_granted(session, request))
        ssh_request_accept(request);
    else
        ssh_request_refuse(request);
    if (session != NULL)
        session_release(session);
    ssh_request_free(request);
}

static void on_channel_open(ssh_request *request, void *userdata)
{
    (void)userdata;
    const char *kind = ssh_request_channel_kind(request);
    if (kind == NULL || strcmp(kind, "session") != 0) {
        ssh_request_refuse_channel(request, 1, "sessions only");
    } else {
        ssh_channel *channel = ssh_request_accept_channel(request, NULL);
        struct session *session = channel != NULL ? session_new(channel) : NULL;
        if (session != NULL)
            ssh_channel_set_userdata(channel, (void *)session->number, NULL);
        else
            ssh_channel_free(channel);
    }
    ssh_request_free(request);
}

void sessions_serve(ssh_server *server, const char *shell)
{
    static const int32_t kinds[] = {SSH_REQUEST_PTY,  SSH_REQUEST_ENV,           SSH_REQUEST_SHELL,
                                    SSH_REQUEST_EXEC, SSH_REQUEST_WINDOW_CHANGE, SSH_REQUEST_SIGNAL};
    shell_wanted = shell;
    ssh_server_set_callback(server, SSH_REQUEST_CHANNEL_OPEN, on_channel_open, NULL, NULL);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        ssh_server_set_callback(server, kinds[i], on_channel_request, NULL, NULL);
}

void sessions_serve_sftp(ssh_server *server, ssh_sftp_server *directory)
{
    sftp_offered = directory;
    ssh_server_set_callback(server, SSH_REQUEST_SUBSYSTEM, on_channel_request, NULL, NULL);
}
