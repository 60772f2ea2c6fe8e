#define _GNU_SOURCE /* syslog, asprintf */
#include "logging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <unistd.h>

#include "../terminal.h"

static atomic_int shown = LEVEL_INFO;
static int destination = STDERR_FILENO;
static bool to_system;

static const char *const words[] = {"QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG", "DEBUG2", "DEBUG3"};
static const int priorities[] = {LOG_CRIT, LOG_CRIT, LOG_ERR, LOG_INFO, LOG_INFO, LOG_DEBUG, LOG_DEBUG, LOG_DEBUG};

/* All that the program says comes through here. Names from the command line and from files may hold anything, and do
 * nothing to the terminal. */
static void put_line(enum level level, const char *prefix, const char *text)
{
    if ((int)level > atomic_load(&shown))
        return;
    char *safe = ssh_text_printable(text, strlen(text)), *line = NULL;
    /* On a raw terminal a line end goes down and not back. One call, so that lines of several threads do not mix. */
    const char *end = destination == STDERR_FILENO && terminal_is_raw() ? "\r\n" : "\n";
    if (safe != NULL && to_system) {
        syslog(priorities[level], "%s%s", prefix, safe);
    } else if (safe != NULL) {
        int length = asprintf(&line, "%s%s%s", prefix, safe, end);
        if (length > 0)
            write_all(destination, line, (size_t)length);
        if (length >= 0)
            free(line);
    }
    ssh_memory_free(safe);
}

/* What say() says ends the program in most cases. */
static void say_fatal(const char *text)
{
    put_line(LEVEL_FATAL, "ssh: ", text);
}

static void log_line(int32_t level, const char *channel, const char *message, void *userdata)
{
    (void)userdata;
    if (level <= SSH_LOG_WARNING)
        note(LEVEL_INFO, "Warning: %s", message);
    else
        note(level == SSH_LOG_INFO ? LEVEL_DEBUG1 : LEVEL_DEBUG2, "debug%d: %s: %s", level == SSH_LOG_INFO ? 1 : 2,
             channel, message);
}

void logging_begin(void)
{
    say_line = say_fatal;
}

void logging_to_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0) {
        say("%s, which -E names, cannot be written: %s", path, strerror(errno));
        /* As with ssh, which ends with 255 otherwise. */
        exit(1);
    }
    destination = fd;
}

void logging_to_system(void)
{
    openlog("ssh", LOG_PID, LOG_USER);
    to_system = true;
}

bool logging_is_on_stderr(void)
{
    return !to_system && destination == STDERR_FILENO;
}

void logging_set_level(enum level level)
{
    atomic_store(&shown, (int)level);
    if (level >= LEVEL_INFO)
        ssh_set_log_callback(log_line,
                             level <= LEVEL_VERBOSE  ? SSH_LOG_WARNING
                             : level == LEVEL_DEBUG1 ? SSH_LOG_INFO
                                                     : SSH_LOG_DEBUG,
                             NULL, NULL);
    else
        ssh_set_log_callback(NULL, SSH_LOG_NONE, NULL, NULL);
}

enum level logging_level(void)
{
    return (enum level)atomic_load(&shown);
}

enum level logging_level_of(const char *word)
{
    for (int level = LEVEL_QUIET; word != NULL && level <= LEVEL_DEBUG3; level++)
        if (strcasecmp(words[level], word) == 0)
            return (enum level)level;
    return LEVEL_INFO;
}

const char *logging_word(enum level level)
{
    return words[level];
}

void note(enum level level, const char *format, ...)
{
    char line[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    put_line(level, "", line);
}
