/*
 * What the example programs share: messages, small files, secrets, algorithm options.
 */
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sshwire.h>

/* The status that ssh(1) ends with when it was not the remote command that failed. */
#define EXIT_TROUBLE 255

#if defined(__GNUC__)
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#else
#define PRINTF_LIKE(text, first)
#endif

/* The name that messages begin with; set first thing in main(). */
extern const char *program_name;

/* Takes each line that say() and its kin make. At first it goes to standard error, behind the program's name. */
extern void (*say_line)(const char *line);

/* A line for a person: escaped where it could do something to the terminal. */
void say(const char *format, ...) PRINTF_LIKE(1, 2);

/* The same, and the end of the program with EXIT_TROUBLE. */
_Noreturn void fail(const char *format, ...) PRINTF_LIKE(1, 2);

/* What went wrong, with the details that the error carries. Frees the error; NULL is fine. */
void say_error(const char *what, ssh_error *error);
_Noreturn void fail_error(const char *what, ssh_error *error);

/* A whole file as a string, which the caller frees; ends the program when there is none. */
char *read_file(const char *path);

/* The first line of a file without its end. */
char *read_first_line(const char *path);

/* Ends the program unless the file has a public key, one each line. */
void expect_public_keys(const char *path);

/* Wipes and frees a string that was a secret; NULL is fine. */
void forget(char *secret);

/* Asks on the terminal. NULL when there is none, or nothing was typed; the caller wipes it with forget(). */
char *ask(const char *prompt, bool echo);

/* Answers a question that has prompts, with what `answer` returns for each, which is wiped with forget(). One NULL refuses
 * all. The request is the caller's as before. */
void answer_each_prompt(ssh_request *request, char *(*answer)(void *userdata, const char *prompt, bool echo),
                        void *userdata);

/* A number within bounds, or the end of the program with a word about `what`. */
uint64_t parse_number(const char *text, uint64_t low, uint64_t high, const char *what);

/* Lets the process have as many descriptors as the system allows it. */
void raise_descriptor_limit(void);

/* Writes all of it. False when the other end is gone. */
bool write_all(int fd, const void *data, size_t length);

/* Loads a private key; an encrypted one with the passphrase from `passphrase_file`, or asked for if `may_ask`. Ends
 * the program when that does not work. The caller frees the key. */
ssh_key *load_private_key(const char *path, const char *passphrase_file, bool may_ask);

/* --preset, --kex and so on. NULL leaves a list as it is. */
struct algorithm_options {
    const char *preset, *kex, *host_keys, *ciphers, *macs, *compression;
    bool all;
};

/* Their long options, for getopt_long(), and what to do when one of them came. */
enum {
    OPTION_PRESET = 1000,
    OPTION_KEX,
    OPTION_HOST_KEY_ALGORITHMS,
    OPTION_CIPHERS,
    OPTION_MACS,
    OPTION_COMPRESSION,
    OPTION_ALL_ALGORITHMS,
    OPTION_LAST_ALGORITHM
};
#define ALGORITHM_LONG_OPTIONS                                                   \
    {"preset", required_argument, NULL, OPTION_PRESET},                          \
    {"kex", required_argument, NULL, OPTION_KEX},                                \
    {"host-key-algorithms", required_argument, NULL, OPTION_HOST_KEY_ALGORITHMS}, \
    {"ciphers", required_argument, NULL, OPTION_CIPHERS},                        \
    {"macs", required_argument, NULL, OPTION_MACS},                              \
    {"compression", required_argument, NULL, OPTION_COMPRESSION},                \
    {"all-algorithms", no_argument, NULL, OPTION_ALL_ALGORITHMS}
#define ALGORITHM_HELP                                                                                \
    "  --preset NAME              modern, compatible (the default) or legacy\n"                       \
    "  --kex LIST                 key exchange methods, in order of preference\n"                     \
    "  --host-key-algorithms LIST\n"                                                                  \
    "  --ciphers LIST\n"                                                                              \
    "  --macs LIST\n"                                                                                 \
    "  --compression LIST         such as zlib@openssh.com,none\n"                                    \
    "  --all-algorithms           also the NIST curves and group 14, for peers that have nothing better\n" \
    "                             (LIST: names with commas; +LIST adds, -LIST removes, ^LIST prefers)\n"
bool algorithm_option(struct algorithm_options *options, int option, const char *value);
void apply_algorithms(const struct algorithm_options *options, ssh_transport *transport);

/* The same for lists that are not yet a transport's. Ends the program when something is wrong with a choice. */
void shape_algorithms(const struct algorithm_options *chosen, ssh_security_options *options);

/* Sends the library's log to standard error; more with each level of verbosity. */
void log_to_stderr(int verbosity);

#endif
