#define _GNU_SOURCE
#include "session.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../streams.h"
#include "../terminal.h"
#include "escapes.h"
#include "forwards.h"
#include "logging.h"

extern char **environ;

/*
 * Signals
 */

/* What the thread of the signals knows; it lives as long as the program. */
static struct {
    sigset_t set;
    ssh_transport *transport;
    bool is_idle;
} signals;

/* Somebody else ends the program, and what comes of that is no news. */
static atomic_bool is_ending;

void session_end(int code)
{
    atomic_store(&is_ending, true);
    terminal_restore();
    ssh_transport_close(signals.transport);
    exit(code);
}

/* What ended the connection; and nothing if that was this program itself. */
static void say_end(ssh_transport *transport)
{
    while (atomic_load(&is_ending))
        pause();
    say_error("the connection is gone", ssh_transport_error(transport));
}

/* The channel with a terminal that follows ours. */
static pthread_mutex_t follower_lock = PTHREAD_MUTEX_INITIALIZER;
static ssh_channel *follower;

static void follow_size(void)
{
    struct winsize window = terminal_size();
    pthread_mutex_lock(&follower_lock);
    if (follower != NULL)
        ssh_channel_window_change(follower, window.ws_col, window.ws_row, window.ws_xpixel, window.ws_ypixel);
    pthread_mutex_unlock(&follower_lock);
}

static void *handle_signals(void *userdata)
{
    int number;
    (void)userdata;
    while (sigwait(&signals.set, &number) == 0) {
        if (number == SIGWINCH) {
            follow_size();
            continue;
        }
        if (number == SIGCONT) {
            /* A shell may have given the terminal other settings meanwhile. */
            if (terminal_is_raw())
                terminal_make_raw();
            follow_size();
            continue;
        }
        note(LEVEL_VERBOSE, "Killed by signal %d.", number);
        session_end(signals.is_idle && number == SIGTERM ? 0 : EXIT_TROUBLE);
    }
    return NULL;
}

void session_take_signals(ssh_transport *transport, bool is_idle)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGCONT};
    pthread_t thread;
    signals.transport = transport;
    signals.is_idle = is_idle;
    sigemptyset(&signals.set);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction now;
        /* nohup has one ignored, and means it. */
        if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(&signals.set, numbers[i]);
    }
    /* The threads that are made from here on have them blocked, those of the library have that anyway. */
    pthread_sigmask(SIG_BLOCK, &signals.set, NULL);
    if (pthread_create(&thread, NULL, handle_signals, NULL) != 0 || pthread_detach(thread) != 0)
        fail("no thread to be had");
}

/*
 * What goes before the command
 */

/* Whether a name fits a pattern with * and ?, as in SendEnv. */
static bool fits(const char *pattern, const char *name, size_t length)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '*') {
            while (*pattern == '*')
                pattern++;
            for (size_t i = 0; i <= length; i++)
                if (fits(pattern, name + i, length - i))
                    return true;
            return false;
        }
        if (length == 0 || (*pattern != '?' && *pattern != *name))
            return false;
        name++;
        length--;
    }
    return length == 0;
}

static bool is_sent(const ssh_config_host *host, const char *name, size_t length)
{
    const char *pattern;
    for (size_t i = 0; (pattern = ssh_config_host_get(host, "SendEnv", i)) != NULL; i++)
        if (fits(pattern, name, length))
            return true;
    return false;
}

static void send_variable(ssh_channel *channel, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    char *name = equals != NULL ? strndup(assignment, (size_t)(equals - assignment)) : NULL;
    if (name != NULL)
        ssh_channel_request_env(channel, name, equals + 1);
    free(name);
}

static void send_environment(ssh_channel *channel, const ssh_config_host *host)
{
    const char *assignment;
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        if (equals != NULL && is_sent(host, *entry, (size_t)(equals - *entry)))
            send_variable(channel, *entry);
    }
    for (size_t i = 0; (assignment = ssh_config_host_get(host, "SetEnv", i)) != NULL; i++)
        send_variable(channel, assignment);
}

bool session_wants_terminal(const struct options *options, const ssh_config_host *host)
{
    const char *wish = ssh_config_host_get(host, "RequestTTY", 0), *type = ssh_config_host_get(host, "SessionType", 0);
    bool has_command = options->command != NULL || ssh_config_host_get(host, "RemoteCommand", 0) != NULL;
    bool forced = wish != NULL && strcmp(wish, "force") == 0;
    bool wanted = forced || (wish != NULL && strcmp(wish, "yes") == 0);
    if (wish != NULL && strcmp(wish, "auto") == 0)
        wanted = !has_command;
    if (type != NULL && strcmp(type, "none") == 0)
        return false;
    if (wanted && !forced && (!isatty(STDIN_FILENO) || ssh_config_host_is_yes(host, "StdinNull"))) {
        note(LEVEL_INFO, "Pseudo-terminal will not be allocated because stdin is not a terminal.");
        return false;
    }
    return wanted;
}

/* The type of the terminal; SetEnv may name another one. */
static const char *terminal_type(const ssh_config_host *host)
{
    const char *assignment;
    for (size_t i = 0; (assignment = ssh_config_host_get(host, "SetEnv", i)) != NULL; i++)
        if (strncmp(assignment, "TERM=", 5) == 0)
            return assignment + 5;
    const char *usual = getenv("TERM");
    return usual != NULL ? usual : "";
}

static bool request_terminal(ssh_channel *channel, const ssh_config_host *host)
{
    ssh_error *error = NULL;
    unsigned char modes[512];
    size_t length = terminal_modes(modes, sizeof modes);
    struct winsize window = terminal_size();
    ssh_status status = ssh_channel_request_pty(channel, terminal_type(host), window.ws_col, window.ws_row,
                                                window.ws_xpixel, window.ws_ypixel, modes, length, SSH_TIMEOUT_DEFAULT,
                                                &error);
    if (status == SSH_ERR_DENIED)
        note(LEVEL_INFO, "PTY allocation request failed on channel %u", ssh_channel_id(channel));
    else if (status != SSH_OK)
        fail_error("terminal", error);
    ssh_error_free(error);
    return status == SSH_OK;
}

static void start(ssh_channel *channel, const struct options *options, const ssh_config_host *host)
{
    ssh_error *error = NULL;
    const char *type = ssh_config_host_get(host, "SessionType", 0);
    const char *command = options->command != NULL ? options->command : ssh_config_host_get(host, "RemoteCommand", 0);
    const char *what = "shell";
    ssh_status status;
    if (type != NULL && strcmp(type, "subsystem") == 0) {
        what = "subsystem";
        status = ssh_channel_request_subsystem(channel, command, SSH_TIMEOUT_DEFAULT, &error);
    } else if (command != NULL) {
        what = "exec";
        status = ssh_channel_request_exec(channel, command, SSH_TIMEOUT_DEFAULT, &error);
    } else {
        status = ssh_channel_request_shell(channel, SSH_TIMEOUT_DEFAULT, &error);
    }
    if (status == SSH_ERR_DENIED)
        fail("%s request failed on channel %u: the server does not let it be run", what, ssh_channel_id(channel));
    if (status != SSH_OK)
        fail_error(what, error);
}

/*
 * The session
 */

/* The status that the command ended with, or 255 when the server did not tell one. */
static int exit_code(ssh_transport *transport, ssh_channel *channel)
{
    int32_t kind = SSH_EXIT_NONE;
    uint32_t code = 0;
    ssh_status status = ssh_channel_wait_exit(channel, SSH_TIMEOUT_FOREVER, &kind, &code);
    if (status == SSH_OK && kind == SSH_EXIT_STATUS)
        return (int)(code & 0xff);
    if (status == SSH_OK && kind == SSH_EXIT_SIGNAL) {
        char *name = ssh_channel_exit_signal(channel);
        note(LEVEL_VERBOSE, "the command was ended by signal %s%s", name != NULL ? name : "?",
             ssh_channel_exit_core_dumped(channel) ? " (core dumped)" : "");
        ssh_memory_free(name);
    } else if (!ssh_transport_is_active(transport)) {
        say_end(transport);
    } else {
        note(LEVEL_VERBOSE, "the server did not say how the command ended");
    }
    return EXIT_TROUBLE;
}

static void set_follower(ssh_channel *channel)
{
    pthread_mutex_lock(&follower_lock);
    follower = channel;
    pthread_mutex_unlock(&follower_lock);
}

int session_run(const struct options *options, const ssh_config_host *host, ssh_transport *transport,
                const struct standard *standard)
{
    /* The thread that reads the input may outlive this call. */
    static struct escapes escapes;
    static struct stream input;
    ssh_error *error = NULL;
    bool terminal = session_wants_terminal(options, host);
    ssh_channel *channel = ssh_transport_open_session(transport, SSH_TIMEOUT_DEFAULT, &error);
    if (channel == NULL)
        fail_error("session", error);
    forwards_offer(channel, host);
    terminal = terminal && request_terminal(channel, host);
    send_environment(channel, host);
    start(channel, options, host);
    input = (struct stream){.channel = channel, .fd = standard->input};
    if (terminal) {
        set_follower(channel);
        terminal_make_raw();
        if (escapes_begin(&escapes, host, transport, channel)) {
            input.filter = escapes_filter;
            input.userdata = &escapes;
        }
    }
    struct stream output = {.channel = channel, .fd = standard->output};
    struct stream errors = {.channel = channel, .fd = standard->errors, .is_stderr = true};
    streams_copy(standard->input < 0 ? NULL : &input, &output, &errors);
    int code = exit_code(transport, channel);
    set_follower(NULL);
    ssh_channel_free(channel);
    forwards_wait(transport);
    terminal_restore();
    if (terminal)
        note(LEVEL_INFO, "Connection to %s closed.", ssh_config_host_name(host));
    return code;
}

int session_connect(const struct options *options, ssh_transport *transport, const struct standard *standard)
{
    static struct stream input;
    ssh_error *error = NULL;
    char *place = strdup(options->stdio_to), *host = place, *port = place != NULL ? strrchr(place, ':') : NULL;
    bool is_path = host != NULL && host[0] == '/';
    if (host == NULL || (port == NULL && !is_path))
        fail("Bad stdio forwarding specification '%s'; it is host:port", options->stdio_to);
    uint16_t number = 0;
    if (!is_path) {
        *port++ = '\0';
        number = (uint16_t)parse_number(port, 1, 65535, "the port of -W");
        if (host[0] == '[' && host[strlen(host) - 1] == ']') {
            host[strlen(host) - 1] = '\0';
            host++;
        }
    }
    ssh_channel *channel =
        ssh_transport_open_channel(transport, is_path ? "direct-streamlocal@openssh.com" : "direct-tcpip", host, number,
                                   "127.0.0.1", 0, SSH_TIMEOUT_DEFAULT, &error);
    if (channel == NULL) {
        say_error(options->stdio_to, error);
        fail("stdio forwarding failed");
    }
    free(place);
    input = (struct stream){.channel = channel, .fd = standard->input};
    struct stream output = {.channel = channel, .fd = standard->output};
    ssh_event *closed = ssh_event_new();
    streams_copy(standard->input < 0 ? NULL : &input, &output, NULL);
    /* Whoever reads it sees the end, while what is written may still have to go. */
    close(standard->output);
    ssh_channel_set_event(channel, closed, SSH_CHANNEL_CLOSED);
    ssh_event_wait(closed, SSH_TIMEOUT_FOREVER);
    ssh_event_free(closed);
    ssh_channel_free(channel);
    if (!ssh_transport_is_active(transport)) {
        say_end(transport);
        return EXIT_TROUBLE;
    }
    return 0;
}

int session_idle(ssh_transport *transport)
{
    ssh_transport_join(transport, SSH_TIMEOUT_FOREVER);
    say_end(transport);
    return EXIT_TROUBLE;
}
