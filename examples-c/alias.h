/*
 * Going to a host as ssh goes there: by the name that its configuration files have for it, with what those say about it.
 */
#ifndef EXAMPLES_ALIAS_H
#define EXAMPLES_ALIAS_H

#include "client.h"

#define ALIAS_MAX 16

/* What a program has on its command line for that; zeroed at first. */
struct alias_options {
    const char *file; /* "none" for no files, NULL for the usual ones */
    const char *settings[ALIAS_MAX];
    size_t setting_count;
};

#define ALIAS_SHORT_OPTIONS "F:o:"
#define ALIAS_LONG_OPTIONS {"config", required_argument, NULL, 'F'}, {"option", required_argument, NULL, 'o'}
#define ALIAS_HELP                                                                              \
    "\n"                                                                                        \
    "HOST may be an alias of ssh's configuration files. They also say which keys the host has and what is used\n" \
    "to log in, unless --host-key, --fingerprint, --known-hosts or --insecure-accept-any-host-key does: then no\n" \
    "file is read.\n"                                                                           \
    "  -F, --config FILE          read this file instead; \"none\" for no file\n"                 \
    "  -o, --option OPTION        a line of such a file, such as Port=2222; several times\n"

/* Takes one option of getopt_long(); false when it is none of the above. */
bool alias_option(struct alias_options *alias, int option, const char *value);

/* Connects and logs in, as ssh does or, where the options say by themselves who the server is, as client_connect() does.
 * Ends the program with a word about the cause when that fails. */
ssh_transport *alias_connect(const struct alias_options *alias, const struct client_options *options);

#endif
