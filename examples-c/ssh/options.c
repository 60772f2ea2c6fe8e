#define _GNU_SOURCE /* getopt, strdup */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../command.h"
#include "../settings.h"
#include "listing.h"
#include "logging.h"
#include "matches.h"

static const char usage[] =
    "usage: ssh [-46AaCfGgKkMNnqsTtVvXxYy] [-B bind_interface] [-b bind_address]\n"
    "           [-c cipher_spec] [-D [bind_address:]port] [-E log_file]\n"
    "           [-e escape_char] [-F configfile] [-I pkcs11] [-i identity_file]\n"
    "           [-J [user@]host[:port]] [-L address] [-l login_name] [-m mac_spec]\n"
    "           [-O ctl_cmd] [-o option] [-P tag] [-p port] [-Q query_option]\n"
    "           [-R address] [-S ctl_path] [-W host:port]\n"
    "           [-w local_tun[:remote_tun]] destination [command [argument ...]]\n"
    "\n"
    "Logs in to another machine and runs a command or a shell there, with the options and the configuration files\n"
    "of OpenSSH's program of that name. Without a meaning here: -B, -I, -O and -w, which are refused, and -K, -k,\n"
    "-M, -S and -2, which are let pass.\n";

static _Noreturn void complain(void)
{
    fputs(usage, stderr);
    exit(EXIT_TROUBLE);
}

static void add(struct options *options, char *setting)
{
    if (setting == NULL || options->setting_count == MOST_SETTINGS)
        fail("there are too many options");
    options->settings[options->setting_count++] = setting;
}

static void set(struct options *options, const char *keyword, const char *value)
{
    add(options, setting_of(keyword, value, NULL));
}

/* Who is named by -l is meant as written. */
static void set_user(struct options *options, const char *name)
{
    char *value = setting_literal(name);
    set(options, "User", value);
    free(value);
}

static void add_identity(struct options *options, const char *path)
{
    struct stat about;
    char *home = path[0] == '~' && path[1] == '/' ? getenv("HOME") : NULL;
    char whole[4096];
    snprintf(whole, sizeof whole, "%s%s", home != NULL ? home : "", home != NULL ? path + 1 : path);
    if (stat(whole, &about) != 0)
        note(LEVEL_FATAL, "Warning: Identity file %s not accessible: %s.", path, strerror(errno));
    else
        set(options, "IdentityFile", path);
}

/* Where the target of a forwarding begins, which is a path or a host and a port; NULL without one. */
static const char *forward_target(const char *text)
{
    const char *fields[8] = {text};
    size_t count = 1;
    bool in_brackets = false;
    for (const char *at = text; *at != '\0'; at++) {
        in_brackets = *at == '[' || (in_brackets && *at != ']');
        if (*at == ':' && !in_brackets && count < 8)
            fields[count++] = at + 1;
    }
    size_t wanted = fields[count - 1][0] == '/' ? 1 : 2;
    return count > wanted ? fields[count - wanted] : NULL;
}

/* "-L port:host:port" as "LocalForward port host:port". */
char *forward_setting(char kind, const char *text)
{
    const char *target = kind == 'D' ? NULL : forward_target(text);
    if (kind == 'L' && target == NULL)
        return NULL;
    const char *keyword = kind == 'L' ? "LocalForward" : kind == 'R' ? "RemoteForward" : "DynamicForward";
    return setting_of(keyword, text, target);
}

static void add_forward(struct options *options, char kind, const char *text)
{
    char *setting = forward_setting(kind, text);
    if (setting == NULL)
        fail("Bad local forwarding specification '%s'", text);
    add(options, setting);
}

static _Noreturn void refuse(const char *what, const char *why)
{
    fail("%s: %s", what, why);
}

/* An option whose value is the rest of the line, in which quotation marks mean nothing. */
static void set_rest(struct options *options, const char *keyword, const char *value)
{
    char *setting = NULL;
    if (asprintf(&setting, "%s %s", keyword, value) < 0)
        setting = NULL;
    add(options, setting);
}

/* Options that are a keyword with a value of their own. */
static const struct {
    char letter;
    const char *keyword, *value; /* NULL: what stands behind the letter */
} plain[] = {
    /* Of these the first one counts, as of lines. */
    {'P', "Tag", NULL}, {'p', "Port", NULL},
}, latest[] = {
    /* And of these the last one, whatever -o says. */
    {'4', "AddressFamily", "inet"},    {'6', "AddressFamily", "inet6"}, {'A', "ForwardAgent", "yes"},
    {'a', "ForwardAgent", "no"},       {'b', "BindAddress", NULL},      {'C', "Compression", "yes"},
    {'c', "Ciphers", NULL},            {'e', "EscapeChar", NULL},       {'g', "GatewayPorts", "yes"},
    {'m', "MACs", NULL},               {'N', "SessionType", "none"},    {'n', "StdinNull", "yes"},
    {'s', "SessionType", "subsystem"}, {'X', "ForwardX11", "yes"},      {'x', "ForwardX11", "no"},
};

/* Puts a setting before all others. */
static void set_first(struct options *options, const char *keyword, const char *value)
{
    set(options, keyword, value);
    char *last = options->settings[options->setting_count - 1];
    memmove(options->settings + 1, options->settings, (options->setting_count - 1) * sizeof last);
    options->settings[0] = last;
}

static bool take_plain(struct options *options, int letter, const char *value)
{
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (plain[i].letter == letter) {
            set(options, plain[i].keyword, value);
            return true;
        }
    for (size_t i = 0; i < sizeof latest / sizeof latest[0]; i++)
        if (latest[i].letter == letter) {
            set_first(options, latest[i].keyword, latest[i].value != NULL ? latest[i].value : value);
            return true;
        }
    return false;
}

/* What the switches that count together came to. */
struct counts {
    int level;            /* of the log; -1 where nothing was said about it */
    bool is_verbose;
    const char *terminal; /* RequestTTY; or NULL */
    bool has_jump;
};

/* The first -v shows what OpenSSH calls DEBUG, each further one a level more, and -q nothing. */
static void count_verbose(struct counts *counts)
{
    if (!counts->is_verbose)
        counts->level = LEVEL_DEBUG1;
    else if (counts->level < LEVEL_DEBUG3)
        counts->level++;
    counts->is_verbose = true;
}

static void take(struct options *options, struct counts *counts, int letter, char *value)
{
    switch (letter) {
    case '1': refuse("-1", "there is no protocol 1 any more");
    case '2':
    case 'K':
    case 'k': /* no credentials are handed on in any case */
    case 'M': /* nobody comes to share the connection */
    case 'S': /* there is never somebody at such a socket to share a connection with */ break;
    case 'B': refuse("-B", "connections cannot be bound to an interface; use -b with one of its addresses");
    case 'D':
    case 'L':
    case 'R': add_forward(options, (char)letter, value); break;
    case 'E': logging_to_file(value); break;
    case 'F': options->config_file = value; break;
    case 'f':
        set_first(options, "ForkAfterAuthentication", "yes");
        set_first(options, "StdinNull", "yes");
        break;
    case 'G': options->prints = true; break;
    case 'I': refuse("-I", "keys on PKCS#11 tokens are used through an agent: ssh-add -s LIBRARY");
    case 'i': add_identity(options, value); break;
    case 'J':
        if (counts->has_jump)
            fail("-J may be given once; commas separate several jump hosts");
        counts->has_jump = true;
        set_rest(options, "ProxyJump", value);
        break;
    case 'l': set_user(options, value); break;
    case 'O': refuse("-O", "connections are not shared with other programs, so there is nobody to command");
    case 'o': add(options, value); break;
    case 'Q': exit(list_algorithms(value));
    case 'q': counts->level = LEVEL_QUIET; break;
    case 'T': counts->terminal = "no"; break;
    case 't':
        counts->terminal = counts->terminal != NULL && strcmp(counts->terminal, "yes") == 0 ? "force" : "yes";
        break;
    case 'V': exit(print_version());
    case 'v': count_verbose(counts); break;
    case 'W': options->stdio_to = value; break;
    case 'w': refuse("-w", "tunnel devices are not supported; forward ports with -L, -R or -D");
    case 'Y':
        set_first(options, "ForwardX11", "yes");
        set_first(options, "ForwardX11Trusted", "yes");
        break;
    case 'y': logging_to_system(); break;
    default:
        if (!take_plain(options, letter, value))
            complain();
    }
}

static void finish(struct options *options, const struct counts *counts)
{
    if (counts->level >= 0)
        set_first(options, "LogLevel", logging_word((enum level)counts->level));
    if (counts->terminal != NULL)
        set_first(options, "RequestTTY", counts->terminal);
    if (options->stdio_to != NULL) {
        set_first(options, "SessionType", "none");
        set_first(options, "RequestTTY", "no");
        /* These go without saying, so what -o says goes before. */
        set(options, "ExitOnForwardFailure", "yes");
        set(options, "ClearAllForwardings", "yes");
    }
}

void options_parse(struct options *options, int argc, char **argv)
{
    static const char letters[] = "+1246ab:c:e:fgi:kl:m:no:p:qstvxAB:CD:E:F:GI:J:KL:MNO:P:Q:R:S:TVw:W:XYy";
    struct counts counts = {.level = -1};
    bool ended = false;
    memset(options, 0, sizeof *options);
    /* Options may stand on both sides of the destination, but not behind the command's first word. */
    while (argc > 1) {
        int letter;
        optind = 0;
        opterr = 0;
        while ((letter = getopt(argc, argv, letters)) != -1) {
            if (letter == '?') {
                say("%s -- %c", strchr(letters, optopt) != NULL ? "option requires an argument" : "unknown option", optopt);
                complain();
            }
            take(options, &counts, letter, optarg);
        }
        ended = ended || (optind > 1 && strcmp(argv[optind - 1], "--") == 0);
        argc -= optind;
        argv += optind;
        if (argc == 0 || options->destination != NULL)
            break;
        options->destination = argv[0];
        if (ended) {
            argc--;
            argv++;
            break;
        }
        /* getopt() begins behind what is in the place of the program's name. */
        if (argc == 1)
            argc = 0;
    }
    if (options->destination == NULL)
        complain();
    finish(options, &counts);
    if (argc > 0)
        options->command = join_words(argv, argc);
    /* What comes to nothing is no command, so there is a shell. */
    if (options->command != NULL && *options->command == '\0') {
        free(options->command);
        options->command = NULL;
    }
}

ssh_config *options_config(const struct options *options)
{
    ssh_error *error = NULL;
    ssh_config *config = ssh_config_new();
    ssh_status status = SSH_OK;
    matches_install(config);
    for (size_t i = 0; i < options->setting_count && status == SSH_OK; i++)
        status = ssh_config_add_option(config, options->settings[i], &error);
    if (status == SSH_OK && options->config_file == NULL)
        status = ssh_config_load_defaults(config, &error);
    else if (status == SSH_OK && strcmp(options->config_file, "none") != 0)
        status = ssh_config_load_file(config, options->config_file, &error);
    if (status != SSH_OK)
        fail_error("configuration", error);
    return config;
}

/* A keyword that nobody knows is a remark in a file, which may be written for a later version. On the command line it is a
 * mistake. */
static void refuse_unknown(const ssh_config_host *host)
{
    const char *remark;
    for (size_t i = 0; (remark = ssh_config_host_unsupported(host, i)) != NULL; i++)
        if (strncmp(remark, "the option ", 11) == 0 && strstr(remark, "not a keyword that is known") != NULL) {
            const char *keyword = strstr(remark, "\": ");
            fail("command-line: Bad configuration option: %s", keyword != NULL ? keyword + 3 : remark);
        }
}

ssh_config_host *options_resolve(const struct options *options, const ssh_config *config)
{
    ssh_error *error = NULL;
    ssh_config_host *host = ssh_config_resolve(config, options->destination, &error);
    if (host == NULL)
        fail_error(ssh_error_code(error) == SSH_ERR_CONFIG ? "configuration" : options->destination, error);
    refuse_unknown(host);
    return host;
}
