#define _GNU_SOURCE /* explicit_bzero, getline */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <sys/resource.h>
#include <unistd.h>

const char *program_name = "sshwire";

static void line_to_stderr(const char *line)
{
    /* Names from the command line may hold anything, and do nothing to the terminal. */
    char *safe = ssh_text_printable(line, strlen(line));
    /* One call, so that lines of several threads do not mix. */
    if (safe != NULL)
        fprintf(stderr, "%s: %s\n", program_name, safe);
    ssh_memory_free(safe);
}

void (*say_line)(const char *line) = line_to_stderr;

static void say_formatted(const char *format, va_list arguments)
{
    char line[4096];
    vsnprintf(line, sizeof line, format, arguments);
    say_line(line);
}

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_formatted(format, arguments);
    va_end(arguments);
}

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_formatted(format, arguments);
    va_end(arguments);
    exit(EXIT_TROUBLE);
}

void say_error(const char *what, ssh_error *error)
{
    if (error == NULL) {
        say("%s", what);
        return;
    }
    say("%s: %s", what, ssh_error_message(error));
    if (ssh_error_algorithm_list(error) != NULL) {
        say("  we offer: %s", ssh_error_local_algorithms(error));
        say("  they offer: %s", ssh_error_peer_algorithms(error));
    }
    const char *expected = ssh_error_expected_fingerprint(error), *found = ssh_error_found_fingerprint(error);
    if (expected != NULL && found != NULL && strcmp(expected, found) != 0) {
        say("  expected: %s", expected);
        say("  found:    %s", found);
    }
    ssh_error_free(error);
}

void fail_error(const char *what, ssh_error *error)
{
    say_error(what, error);
    exit(EXIT_TROUBLE);
}

char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t length = 0, room = 0;
    if (file == NULL)
        fail("%s: %s", path, strerror(errno));
    for (;;) {
        if (room - length < 2) {
            /* Not realloc, which may leave a copy of a password behind. */
            size_t larger_room = room == 0 ? 4096 : room * 2;
            char *larger = malloc(larger_room);
            if (larger == NULL)
                fail("out of memory");
            if (text != NULL) {
                memcpy(larger, text, length);
                explicit_bzero(text, length);
                free(text);
            }
            text = larger;
            room = larger_room;
        }
        size_t count = fread(text + length, 1, room - length - 1, file);
        if (count == 0)
            break;
        length += count;
    }
    if (ferror(file))
        fail("%s: %s", path, strerror(errno));
    fclose(file);
    text[length] = '\0';
    return text;
}

char *read_first_line(const char *path)
{
    char *text = read_file(path);
    size_t length = strcspn(text, "\r\n");
    explicit_bzero(text + length, strlen(text + length));
    return text;
}

void forget(char *secret)
{
    if (secret == NULL)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}

/* The terminal that is asked on, and its settings, for whoever interrupts that. */
static volatile sig_atomic_t asked_terminal = -1;
static struct termios before_asking, while_asking;

/* Nobody is left with a terminal that does not show what they type. */
static void leave_asking(int number)
{
    int cause = errno;
    if (asked_terminal >= 0)
        tcsetattr(asked_terminal, TCSAFLUSH, &before_asking);
    if (number == SIGTSTP) {
        raise(SIGSTOP);
        if (asked_terminal >= 0)
            tcsetattr(asked_terminal, TCSAFLUSH, &while_asking);
    } else {
        /* Delivered when this returns, and then it ends the program. */
        signal(number, SIG_DFL);
        raise(number);
    }
    errno = cause;
}

static const int leaving[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define LEAVING (sizeof leaving / sizeof leaving[0])

char *ask(const char *prompt, bool echo)
{
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct sigaction leave = {.sa_handler = leave_asking, .sa_flags = SA_RESTART}, handlers[LEAVING];
    char *line, last = '\0';
    size_t length = 0;
    const size_t room = 1024;
    if (terminal < 0)
        return NULL;
    if (tcgetattr(terminal, &before_asking) != 0 || (line = malloc(room)) == NULL) {
        close(terminal);
        return NULL;
    }
    while_asking = before_asking;
    if (!echo)
        while_asking.c_lflag &= ~(tcflag_t)ECHO;
    while_asking.c_lflag |= ICANON;
    asked_terminal = terminal;
    for (size_t i = 0; i < LEAVING; i++) {
        sigaction(leaving[i], NULL, &handlers[i]);
        /* What is ignored, as under nohup, or taken care of already, stays so. */
        if (handlers[i].sa_handler == SIG_DFL)
            sigaction(leaving[i], &leave, NULL);
    }
    /* What was typed before is no answer. What is typed once the question can be read is one, so this comes first. */
    tcsetattr(terminal, TCSAFLUSH, &while_asking);
    write_all(terminal, prompt, strlen(prompt));
    while (read(terminal, &last, 1) == 1 && last != '\n')
        if (length < room - 1)
            line[length++] = last;
    line[length] = '\0';
    /* What is typed behind an answer that can be seen is meant for what comes next. */
    tcsetattr(terminal, echo ? TCSADRAIN : TCSAFLUSH, &before_asking);
    asked_terminal = -1;
    for (size_t i = 0; i < LEAVING; i++)
        sigaction(leaving[i], &handlers[i], NULL);
    if (!echo)
        write_all(terminal, "\n", 1);
    close(terminal);
    if (last != '\n' && length == 0) {
        forget(line);
        return NULL;
    }
    return line;
}

void expect_public_keys(const char *path)
{
    char *text = read_file(path), *rest = text, *line;
    bool any = false;
    while (!any && (line = strsep(&rest, "\n")) != NULL) {
        ssh_key *key = ssh_key_from_line(line, NULL);
        any = key != NULL;
        ssh_key_free(key);
    }
    free(text);
    if (!any)
        fail("%s: there is no public key in it, so nobody could log in", path);
}

void answer_each_prompt(ssh_request *request, char *(*answer)(void *userdata, const char *prompt, bool echo),
                        void *userdata)
{
    size_t count = ssh_request_prompt_count(request), answered = 0;
    char **answers = calloc(count + 1, sizeof *answers);
    while (answers != NULL && answered < count) {
        bool echo = false;
        const char *prompt = ssh_request_prompt(request, answered, &echo);
        answers[answered] = answer(userdata, prompt, echo);
        if (answers[answered] == NULL)
            break;
        answered++;
    }
    if (answers != NULL && answered == count)
        ssh_request_answer_prompts(request, (const char *const *)answers, count);
    else
        ssh_request_refuse(request);
    while (answers != NULL && answered > 0)
        forget(answers[--answered]);
    free(answers);
}

uint64_t parse_number(const char *text, uint64_t low, uint64_t high, const char *what)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || value < low || value > high)
        fail("%s: \"%s\" is no number from %llu to %llu", what, text, (unsigned long long)low,
             (unsigned long long)high);
    return value;
}

bool write_all(int fd, const void *data, size_t length)
{
    const char *from = data;
    while (length > 0) {
        ssize_t count = write(fd, from, length);
        if (count < 0 && errno == EINTR)
            continue;
        /* Whoever else has the file may have made it so that writing does not wait. */
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        if (count < 0 && errno == EAGAIN && (poll(&room, 1, -1) >= 0 || errno == EINTR))
            continue;
        if (count <= 0)
            return false;
        from += count;
        length -= (size_t)count;
    }
    return true;
}

ssh_key *load_private_key(const char *path, const char *passphrase_file, bool may_ask)
{
    ssh_error *error = NULL;
    ssh_key *key = ssh_key_load_file(path, NULL, &error);
    for (int tries = 0; key == NULL && tries < 3; tries++) {
        ssh_status cause = ssh_error_code(error);
        char *passphrase = NULL, prompt[512];
        if (cause == SSH_ERR_PASSPHRASE_WRONG && passphrase_file == NULL && may_ask)
            say("that is not the passphrase of %s", path);
        else if (cause != SSH_ERR_PASSPHRASE_MISSING)
            break;
        snprintf(prompt, sizeof prompt, "Passphrase for %s: ", path);
        if (passphrase_file != NULL)
            passphrase = read_first_line(passphrase_file);
        else if (may_ask)
            passphrase = ask(prompt, false);
        if (passphrase == NULL)
            break;
        ssh_error_free(error);
        key = ssh_key_load_file(path, passphrase, &error);
        forget(passphrase);
    }
    if (key == NULL)
        fail_error("cannot load the key", error);
    return key;
}

bool algorithm_option(struct algorithm_options *options, int option, const char *value)
{
    switch (option) {
    case OPTION_PRESET: options->preset = value; return true;
    case OPTION_KEX: options->kex = value; return true;
    case OPTION_HOST_KEY_ALGORITHMS: options->host_keys = value; return true;
    case OPTION_CIPHERS: options->ciphers = value; return true;
    case OPTION_MACS: options->macs = value; return true;
    case OPTION_COMPRESSION: options->compression = value; return true;
    case OPTION_ALL_ALGORITHMS: options->all = true; return true;
    default: return false;
    }
}

typedef ssh_status list_setter(ssh_security_options *options, const char *names, ssh_error **error);

static void set_list(list_setter *set, ssh_security_options *options, const char *names, const char *what)
{
    ssh_error *error = NULL;
    if (names != NULL && set(options, names, &error) != SSH_OK)
        fail_error(what, error);
}

void shape_algorithms(const struct algorithm_options *chosen, ssh_security_options *options)
{
    ssh_error *error = NULL;
    if (chosen->preset != NULL) {
        int32_t preset = strcmp(chosen->preset, "modern") == 0       ? SSH_PRESET_MODERN
                         : strcmp(chosen->preset, "compatible") == 0 ? SSH_PRESET_COMPATIBLE
                         : strcmp(chosen->preset, "legacy") == 0     ? SSH_PRESET_LEGACY
                                                                     : 0;
        if (preset == 0)
            fail("--preset: \"%s\" is not modern, compatible or legacy", chosen->preset);
        if (ssh_security_options_set_preset(options, preset, &error) != SSH_OK)
            fail_error("--preset", error);
    }
    if (chosen->all) {
        set_list(ssh_security_options_set_kex, options,
                 "+ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group14-sha256",
                 "--all-algorithms");
        set_list(ssh_security_options_set_key_types, options,
                 "+ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,ecdsa-sha2-nistp*-cert-v01@openssh.com",
                 "--all-algorithms");
    }
    set_list(ssh_security_options_set_kex, options, chosen->kex, "--kex");
    set_list(ssh_security_options_set_key_types, options, chosen->host_keys, "--host-key-algorithms");
    set_list(ssh_security_options_set_ciphers, options, chosen->ciphers, "--ciphers");
    set_list(ssh_security_options_set_digests, options, chosen->macs, "--macs");
    set_list(ssh_security_options_set_compression, options, chosen->compression, "--compression");
}

void apply_algorithms(const struct algorithm_options *chosen, ssh_transport *transport)
{
    ssh_security_options *options = ssh_transport_security_options(transport);
    shape_algorithms(chosen, options);
    ssh_security_options_free(options);
}

static void log_line(int32_t level, const char *channel, const char *message, void *userdata)
{
    (void)level;
    (void)userdata;
    fprintf(stderr, "%s: %s\n", channel, message);
}

void log_to_stderr(int verbosity)
{
    if (verbosity > 0)
        ssh_set_log_callback(log_line, verbosity > 1 ? SSH_LOG_DEBUG : SSH_LOG_INFO, NULL, NULL);
}

void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}
