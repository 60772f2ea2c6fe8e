/*
 * ssh: a client with the command line, the configuration files, the exit statuses and the escape characters of OpenSSH's
 * program of that name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../asking.h"
#include "../child.h"
#include "forwards.h"
#include "host_keys.h"
#include "listing.h"
#include "logging.h"
#include "matches.h"
#include "options.h"
#include "session.h"

/* Nothing that is opened gets a number that stands for input or output. */
static void open_standard(void)
{
    int fd;
    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
        ;
    if (fd > STDERR_FILENO)
        close(fd);
}

static const char *value_of(const ssh_config_host *host, const char *keyword)
{
    const char *value = ssh_config_host_get(host, keyword, 0);
    return value != NULL ? value : "";
}

static bool is_shell(const struct options *options, const ssh_config_host *host)
{
    return options->command == NULL && options->stdio_to == NULL && ssh_config_host_get(host, "RemoteCommand", 0) == NULL &&
           strcmp(value_of(host, "SessionType"), "default") == 0;
}

/* What the configuration asks for and cannot be done, before anybody is asked for a password. */
static void refuse_impossible(const struct options *options, const ssh_config_host *host)
{
    const char *type = value_of(host, "SessionType"), *tunnel = value_of(host, "Tunnel");
    bool has_remote_command = ssh_config_host_get(host, "RemoteCommand", 0) != NULL;
    bool is_session = strcmp(type, "none") != 0;
    if (*tunnel != '\0' && strcmp(tunnel, "no") != 0)
        fail("Tunnel: tunnel devices are not supported; forward ports with LocalForward, RemoteForward or DynamicForward");
    if (options->command != NULL && has_remote_command)
        fail("Cannot execute command-line and remote command.");
    if (strcmp(type, "subsystem") == 0 && options->command == NULL && !has_remote_command)
        fail("You must specify a subsystem to invoke.");
    if (ssh_config_host_is_yes(host, "ForkAfterAuthentication") && is_session && options->command == NULL &&
        !has_remote_command)
        fail("Cannot fork into background without a command to execute.");
}

/*
 * Into the background
 */

/* The end of a pipe to the process that was started, while that waits; -1 otherwise. */
static int waiting = -1;

/* The connection is made by a child of this process, for threads stay behind at a fork. This one waits until the child
 * says that it can do alone, or has ended. Returns in the child only. */
static void fork_early(void)
{
    int ends[2], status = 0;
    char word;
    ssize_t count;
    if (pipe2(ends, O_CLOEXEC) != 0)
        fail("no pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0)
        fail("cannot go to the background: %s", strerror(errno));
    if (child == 0) {
        close(ends[0]);
        waiting = ends[1];
        return;
    }
    close(ends[1]);
    while ((count = read(ends[0], &word, 1)) < 0 && errno == EINTR)
        ;
    if (count == 1)
        _exit(0);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_TROUBLE);
}

/* From here on nobody waits, and there is no terminal. What the command says still goes to where it went. */
static void go_to_background(void)
{
    if (waiting < 0)
        return;
    setsid();
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing >= 0) {
        dup2(nothing, STDIN_FILENO);
        dup2(nothing, STDOUT_FILENO);
        if (!logging_is_on_stderr() || logging_level() < LEVEL_DEBUG1)
            dup2(nothing, STDERR_FILENO);
        close(nothing);
    }
    if (write(waiting, "", 1) != 1)
        note(LEVEL_VERBOSE, "nobody waits any more");
    close(waiting);
    waiting = -1;
}

/*
 * The connection
 */

/* The library's words for a name without address, without those that ssh has others for. */
static const char *unresolved(const ssh_error *error)
{
    static const char ours[] = "cannot resolve ";
    const char *message = ssh_error_message(error);
    return strncmp(message, ours, sizeof ours - 1) == 0 ? message + sizeof ours - 1 : message;
}

/* Who was not let in, and where: a host on the way is named in the message. */
static void tell_denied(const ssh_config_host *host, const char *message, const char *methods)
{
    static const char on_the_way[] = "jump host ";
    const char *there = message + sizeof on_the_way - 1;
    if (strncmp(message, on_the_way, sizeof on_the_way - 1) == 0)
        note(LEVEL_FATAL, "%.*s: Permission denied (%s).", (int)strcspn(there, " :"), there, methods);
    else
        note(LEVEL_FATAL, "%s@%s: Permission denied (%s).", ssh_config_host_user(host), ssh_config_host_name(host), methods);
}

/* Says what went wrong, and ends the program. */
static _Noreturn void fail_to_connect(const ssh_config_host *host, ssh_error *error)
{
    const char *name = ssh_config_host_name(host);
    const char *methods = ssh_error_auth_methods(error);
    switch (ssh_error_code(error)) {
    case SSH_ERR_HOSTKEY:
        host_keys_tell_changed(error);
        note(LEVEL_FATAL, "%s", ssh_error_message(error));
        note(LEVEL_FATAL, "Host key verification failed.");
        break;
    case SSH_ERR_AUTH:
        note(LEVEL_ERROR, "%s", ssh_error_message(error));
        tell_denied(host, ssh_error_message(error), methods != NULL ? methods : "");
        break;
    /* These name the host, which may be one on the way. */
    case SSH_ERR_RESOLVE: say("Could not resolve hostname %s", unresolved(error)); break;
    case SSH_ERR_IO:
    case SSH_ERR_TIMEOUT:
    case SSH_ERR_CHANNEL: say("connect to host %s", ssh_error_message(error)); break;
    default: say_error(name, error); exit(EXIT_TROUBLE);
    }
    exit(EXIT_TROUBLE);
}

static ssh_transport *connect_to(const struct options *options, ssh_config *config, const ssh_config_host *host,
                                 struct asking *asking)
{
    ssh_error *error = NULL;
    const char *remark;
    for (size_t i = 0; (remark = ssh_config_host_unsupported(host, i)) != NULL; i++)
        note(LEVEL_VERBOSE, "%s", remark);
    asking->host = ssh_config_host_name(host);
    asking->no_banners = logging_level() < LEVEL_INFO;
    asking_install(config, asking);
    host_keys_install(config, host, asking, is_shell(options, host));
    matches_read_again();
    ssh_transport *transport = ssh_connect_config(config, options->destination, SSH_TIMEOUT_DEFAULT, &error);
    if (transport == NULL)
        fail_to_connect(host, error);
    asking_banner(asking, transport);
    host_keys_tell(host, transport);
    char *description = ssh_transport_describe(transport);
    note(LEVEL_VERBOSE, "Authenticated to %s: %s", ssh_config_host_name(host), description != NULL ? description : "");
    ssh_memory_free(description);
    return transport;
}

/* Begins what is to be forwarded, or ends the program when that is asked for and cannot be done. */
static void begin_forwards(const ssh_config_host *host, ssh_transport *transport)
{
    bool insists = ssh_config_host_is_yes(host, "ExitOnForwardFailure");
    if (host_keys_are_doubtful(transport)) {
        if (!forwards_withhold(host) || !insists)
            return;
        note(LEVEL_FATAL, "Error: forwarding disabled due to host key check failure");
        exit(EXIT_TROUBLE);
    }
    if (!forwards_begin(transport, host) && insists)
        exit(EXIT_TROUBLE);
}

static int run(const struct options *options, const ssh_config_host *host, ssh_transport *transport)
{
    const char *local = ssh_config_host_get(host, "LocalCommand", 0);
    bool is_idle = strcmp(value_of(host, "SessionType"), "none") == 0;
    /* Going to the background leaves these as they are. */
    struct standard standard = {.input = STDIN_FILENO, .output = STDOUT_FILENO, .errors = STDERR_FILENO};
    if (ssh_config_host_is_yes(host, "StdinNull"))
        standard.input = -1;
    /* Where nothing will be said any more, nobody is to wait for its end. */
    if (waiting >= 0 && !is_idle) {
        standard.output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        standard.errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    }
    begin_forwards(host, transport);
    host_keys_settle(transport);
    if (local != NULL && ssh_config_host_is_yes(host, "PermitLocalCommand"))
        child_run(local, false);
    session_take_signals(transport, is_idle);
    go_to_background();
    if (options->stdio_to != NULL)
        return session_connect(options, transport, &standard);
    return is_idle ? session_idle(transport) : session_run(options, host, transport, &standard);
}

int main(int argc, char **argv)
{
    struct options options;
    static struct asking asking; /* the library may ask until the end */
    program_name = "ssh";
    open_standard();
    signal(SIGPIPE, SIG_IGN);
    logging_begin();
    options_parse(&options, argc, argv);
    ssh_config *config = options_config(&options);
    ssh_config_host *host = options_resolve(&options, config);
    if (options.prints)
        return print_config(host, options.destination);
    logging_set_level(logging_level_of(ssh_config_host_get(host, "LogLevel", 0)));
    refuse_impossible(&options, host);
    if (ssh_config_host_is_yes(host, "ForkAfterAuthentication")) {
        ssh_config_host_free(host);
        ssh_config_free(config);
        fork_early();
        /* Handles do not pass a fork. */
        matches_read_again();
        config = options_config(&options);
        host = options_resolve(&options, config);
    }
    ssh_transport *transport = connect_to(&options, config, host, &asking);
    int code = run(&options, host, transport);
    forwards_end();
    ssh_transport_close(transport);
    ssh_transport_free(transport);
    ssh_config_host_free(host);
    ssh_config_free(config);
    return code;
}
