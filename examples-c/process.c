#define _GNU_SOURCE /* posix_spawn's setsid and chdir, pipe2, ptsname_r */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define MAX_ENVIRONMENT 128

static const struct {
    const char *name;
    int number;
} signals[] = {
    {"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"FPE", SIGFPE},   {"HUP", SIGHUP},   {"ILL", SIGILL},
    {"INT", SIGINT},   {"KILL", SIGKILL}, {"PIPE", SIGPIPE}, {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV},
    {"TERM", SIGTERM}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
};

int signal_number(const char *name)
{
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (strcmp(signals[i].name, name) == 0)
            return signals[i].number;
    return 0;
}

const char *signal_name(int number)
{
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (signals[i].number == number)
            return signals[i].name;
    return NULL;
}

/* A growing list of NAME=value; the first entry of a name counts. */
struct environment {
    char *entries[MAX_ENVIRONMENT + 1];
    size_t count;
};

static bool environment_has(const struct environment *list, const char *entry)
{
    size_t name = strcspn(entry, "=") + 1;
    for (size_t i = 0; i < list->count; i++)
        if (strncmp(list->entries[i], entry, name) == 0)
            return true;
    return false;
}

static void environment_add(struct environment *list, const char *name, const char *value)
{
    char *entry;
    if (value == NULL || list->count >= MAX_ENVIRONMENT)
        return;
    size_t size = strlen(name) + strlen(value) + 2;
    if ((entry = malloc(size)) == NULL)
        return;
    snprintf(entry, size, "%s=%s", name, value);
    if (environment_has(list, entry))
        free(entry);
    else
        list->entries[list->count++] = entry;
}

static void environment_fill(struct environment *list, const struct process_request *request,
                             const struct passwd *account)
{
    const char *user = request->user;
    if (user == NULL)
        user = account != NULL ? account->pw_name : "nobody";
    /* First come those that the client may not choose. */
    environment_add(list, "HOME", account != NULL ? account->pw_dir : getenv("HOME"));
    environment_add(list, "SHELL", request->shell);
    environment_add(list, "SHELL", account != NULL ? account->pw_shell : "/bin/sh");
    environment_add(list, "USER", user);
    environment_add(list, "LOGNAME", user);
    environment_add(list, "PATH", getenv("PATH"));
    environment_add(list, "PATH", "/usr/local/bin:/usr/bin:/bin");
    environment_add(list, "TERM", request->term);
    for (const char *const *entry = request->environment; entry != NULL && *entry != NULL; entry++) {
        char *copy = strdup(*entry), *value;
        if (copy != NULL && (value = strchr(copy, '=')) != NULL) {
            *value++ = '\0';
            environment_add(list, copy, value);
        }
        free(copy);
    }
    environment_add(list, "LANG", getenv("LANG"));
    environment_add(list, "TZ", getenv("TZ"));
}

static void environment_free(struct environment *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->entries[i]);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The terminal's master side, and the name of the other one. */
static int open_terminal(const struct process_request *request, int *master, char *name, size_t size)
{
    struct winsize window = {0};
    *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*master < 0)
        return errno;
    if (grantpt(*master) != 0 || unlockpt(*master) != 0 || ptsname_r(*master, name, size) != 0) {
        int cause = errno;
        close_fd(master);
        return cause;
    }
    window.ws_col = (unsigned short)request->columns;
    window.ws_row = (unsigned short)request->rows;
    window.ws_xpixel = (unsigned short)request->pixel_width;
    window.ws_ypixel = (unsigned short)request->pixel_height;
    ioctl(*master, TIOCSWINSZ, &window);
    return 0;
}

int process_start(const struct process_request *request, struct process *process)
{
    int input[2] = {-1, -1}, output[2] = {-1, -1}, errors[2] = {-1, -1}, master = -1, cause = 0;
    char terminal[64];
    struct environment environment = {.count = 0};
    char buffer[4096];
    struct passwd entry, *account = NULL;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;

    getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &account);
    if (request->term != NULL)
        cause = open_terminal(request, &master, terminal, sizeof terminal);
    else if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0)
        cause = errno;
    if (cause != 0)
        goto close_all;

    /* Between fork and exec a program with threads may do next to nothing, so posix_spawn does it. A session of its
     * own first: then the terminal that is opened as standard input becomes the controlling one. */
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    /* What the server ignores, or was started with ignored (nohup does that), is not the program's business. */
    sigfillset(&defaults);
    sigdelset(&defaults, SIGKILL);
    sigdelset(&defaults, SIGSTOP);
    posix_spawnattr_setsigdefault(&attributes, &defaults);

    posix_spawn_file_actions_init(&actions);
    if (request->term != NULL) {
        posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0);
        posix_spawn_file_actions_adddup2(&actions, 0, 1);
        posix_spawn_file_actions_adddup2(&actions, 0, 2);
    } else {
        posix_spawn_file_actions_adddup2(&actions, input[0], 0);
        posix_spawn_file_actions_adddup2(&actions, output[1], 1);
        posix_spawn_file_actions_adddup2(&actions, errors[1], 2);
    }
    if (account != NULL && access(account->pw_dir, X_OK) == 0)
        posix_spawn_file_actions_addchdir_np(&actions, account->pw_dir);

    environment_fill(&environment, request, account);
    const char *shell = request->shell;
    if (shell == NULL)
        shell = account != NULL && account->pw_shell[0] != '\0' ? account->pw_shell : "/bin/sh";
    const char *base = strrchr(shell, '/') != NULL ? strrchr(shell, '/') + 1 : shell;
    char login[256];
    /* The dash makes it a login shell. One that was asked for reads nobody's profile. */
    snprintf(login, sizeof login, request->shell == NULL ? "-%s" : "%s", base);
    char option[] = "-c", *command = request->command != NULL ? strdup(request->command) : NULL;
    char *plain = strdup(base);
    char *run_command[] = {plain, option, command, NULL};
    char *run_shell[] = {login, NULL};
    if (plain == NULL || (request->command != NULL && command == NULL))
        cause = ENOMEM;
    else
        cause = posix_spawn(&process->pid, shell, &actions, &attributes, command != NULL ? run_command : run_shell,
                            environment.entries);
    free(plain);
    free(command);
    environment_free(&environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);

close_all:
    close_fd(&input[0]);
    close_fd(&output[1]);
    close_fd(&errors[1]);
    if (cause != 0) {
        close_fd(&input[1]);
        close_fd(&output[0]);
        close_fd(&errors[0]);
        close_fd(&master);
        return cause;
    }
    process->terminal = request->term != NULL;
    process->input = process->terminal ? master : input[1];
    process->output = process->terminal ? master : output[0];
    process->errors = errors[0];
    return 0;
}

void process_resize(const struct process *process, uint32_t columns, uint32_t rows, uint32_t pixel_width,
                    uint32_t pixel_height)
{
    struct winsize window = {0};
    if (!process->terminal)
        return;
    window.ws_col = (unsigned short)columns;
    window.ws_row = (unsigned short)rows;
    window.ws_xpixel = (unsigned short)pixel_width;
    window.ws_ypixel = (unsigned short)pixel_height;
    ioctl(process->output, TIOCSWINSZ, &window);
}

void process_signal(const struct process *process, int number)
{
    if (process->pid > 0)
        kill(-process->pid, number);
}
