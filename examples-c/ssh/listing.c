#define _GNU_SOURCE /* strcasestr */
#include "listing.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../common.h"

int print_version(void)
{
    fprintf(stderr, "libsshwire %s\n", ssh_version_string());
    return 0;
}

/*
 * -Q
 */

enum list { LIST_KEX, LIST_CIPHERS, LIST_MACS, LIST_HOST_KEYS, LIST_USER_KEYS, LIST_COMPRESSION };

static char *names_of(const ssh_security_options *options, enum list list)
{
    switch (list) {
    case LIST_KEX: return ssh_security_options_kex(options);
    case LIST_CIPHERS: return ssh_security_options_ciphers(options);
    case LIST_MACS: return ssh_security_options_digests(options);
    case LIST_COMPRESSION: return ssh_security_options_compression(options);
    default: return ssh_security_options_key_types(options);
    }
}

static bool is_certificate(const char *name)
{
    return strstr(name, "-cert-v") != NULL;
}

static bool is_aead(const char *name)
{
    return strstr(name, "gcm") != NULL || strstr(name, "poly1305") != NULL;
}

static bool is_plain(const char *name)
{
    return !is_certificate(name);
}

/* Those of users alone: keys in devices, which an agent signs with. */
static const char security_keys[] = "sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,"
                                    "sk-ssh-ed25519-cert-v01@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com";

/* Signature algorithms that are no names of keys: those of RSA with SHA-2. */
static bool is_key(const char *name)
{
    return strncmp(name, "rsa-sha2", 8) != 0;
}

static bool is_plain_key(const char *name)
{
    return is_key(name) && is_plain(name);
}

static const struct query {
    const char *name;
    enum list list;
    bool (*takes)(const char *name); /* NULL: all */
} queries[] = {
    {"cipher", LIST_CIPHERS, NULL},
    {"ciphers", LIST_CIPHERS, NULL},
    {"cipher-auth", LIST_CIPHERS, is_aead},
    {"compression", LIST_COMPRESSION, NULL},
    {"kex", LIST_KEX, NULL},
    {"kexalgorithms", LIST_KEX, NULL},
    {"key", LIST_USER_KEYS, is_key},
    {"key-cert", LIST_USER_KEYS, is_certificate},
    {"key-plain", LIST_USER_KEYS, is_plain_key},
    {"key-sig", LIST_USER_KEYS, NULL},
    {"hostkeyalgorithms", LIST_HOST_KEYS, NULL},
    {"pubkeyacceptedalgorithms", LIST_USER_KEYS, NULL},
    {"mac", LIST_MACS, NULL},
    {"macs", LIST_MACS, NULL},
    {"sig", LIST_USER_KEYS, is_plain},
};
#define QUERIES (sizeof queries / sizeof queries[0])

static void print_names(const char *names, bool (*takes)(const char *name))
{
    char *copy = strdup(names != NULL ? names : ""), *rest = copy, *name;
    while (rest != NULL && (name = strsep(&rest, ",")) != NULL)
        if (takes == NULL || takes(name))
            puts(name);
    free(copy);
}

int list_algorithms(const char *what)
{
    if (strcmp(what, "help") == 0) {
        for (size_t i = 0; i < QUERIES; i++)
            puts(queries[i].name);
        puts("protocol-version");
        return 0;
    }
    if (strcasecmp(what, "protocol-version") == 0) {
        puts("2");
        return 0;
    }
    for (size_t i = 0; i < QUERIES; i++) {
        if (strcasecmp(queries[i].name, what) != 0)
            continue;
        /* All that there is, the old as well. */
        ssh_security_options *options = ssh_security_options_new();
        ssh_security_options_set_preset(options, SSH_PRESET_LEGACY, NULL);
        char *names = names_of(options, queries[i].list);
        print_names(names, queries[i].takes);
        if (queries[i].list == LIST_USER_KEYS)
            print_names(security_keys, queries[i].takes);
        ssh_memory_free(names);
        ssh_security_options_free(options);
        return 0;
    }
    fail("-Q: nothing is known of \"%s\"; -Q help tells of what there is", what);
}

/*
 * -G
 */

/* Printed first, as the most interesting ones. */
static const char *const first[] = {"User", "HostName", "Port"};

/* Options that ssh prints as true and false, where others have yes and no. */
static const char *const with_truth[] = {"AddKeysToAgent",  "CanonicalizeHostname", "ControlMaster",
                                         "PubkeyAuthentication", "RequestTTY",      "StrictHostKeyChecking",
                                         "Tunnel",          "UpdateHostKeys",       "VerifyHostKeyDNS"};

/* Options of which ssh prints what was written, for it expands them when they are used. */
static const char *const as_written[] = {"IdentityFile", "CertificateFile", "GlobalKnownHostsFile", "RevokedHostKeys",
                                         "ProxyCommand", "LocalCommand",    "RemoteCommand",        "PermitRemoteOpen"};

/* Options whose values stand on one line. */
static const char *const on_one_line[] = {"UserKnownHostsFile", "GlobalKnownHostsFile", "RevokedHostKeys",
                                          "PermitRemoteOpen"};

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(names[i], name) == 0)
            return true;
    return false;
}
#define IS_AMONG(name, names) is_among(name, names, sizeof names / sizeof names[0])

static void print_lower(const char *keyword)
{
    for (; *keyword != '\0'; keyword++)
        putchar(*keyword >= 'A' && *keyword <= 'Z' ? *keyword - 'A' + 'a' : *keyword);
}

static const char *shown(const char *keyword, const char *value)
{
    if (IS_AMONG(keyword, with_truth)) {
        if (strcmp(value, "yes") == 0)
            return "true";
        if (strcmp(value, "no") == 0)
            return "false";
    }
    if (strcasecmp(keyword, "FingerprintHash") == 0)
        return strcmp(value, "sha256") == 0 ? "SHA256" : "MD5";
    return value;
}

static void print_option(const ssh_config_host *host, const char *keyword)
{
    bool one_line = IS_AMONG(keyword, on_one_line), written = IS_AMONG(keyword, as_written);
    const char *value;
    for (size_t i = 0;; i++) {
        value = written ? ssh_config_host_get_written(host, keyword, i) : ssh_config_host_get(host, keyword, i);
        if (value == NULL)
            break;
        if (i == 0 || !one_line)
            print_lower(keyword);
        printf(" %s", shown(keyword, value));
        if (!one_line || ssh_config_host_get(host, keyword, i + 1) == NULL)
            putchar('\n');
    }
}

typedef ssh_status list_setter(ssh_security_options *options, const char *names, ssh_error **error);

/* Lists of algorithms, as they come out of what is there and what is said about them. */
static const struct {
    const char *keyword;
    enum list list;
    list_setter *set;
} lists[] = {
    {"Ciphers", LIST_CIPHERS, ssh_security_options_set_ciphers},
    {"HostKeyAlgorithms", LIST_HOST_KEYS, ssh_security_options_set_key_types},
    {"KexAlgorithms", LIST_KEX, ssh_security_options_set_kex},
    {"MACs", LIST_MACS, ssh_security_options_set_digests},
};
#define LISTS (sizeof lists / sizeof lists[0])

static bool is_list(const char *keyword)
{
    for (size_t i = 0; i < LISTS; i++)
        if (strcasecmp(lists[i].keyword, keyword) == 0)
            return true;
    return false;
}

static void print_lists(const ssh_config_host *host)
{
    for (size_t i = 0; i < LISTS; i++) {
        ssh_error *error = NULL;
        ssh_security_options *options = ssh_security_options_new();
        const char *value = ssh_config_host_get(host, lists[i].keyword, 0);
        if (value != NULL && lists[i].set(options, value, &error) != SSH_OK)
            fail_error(lists[i].keyword, error);
        char *names = names_of(options, lists[i].list);
        print_lower(lists[i].keyword);
        printf(" %s\n", names != NULL ? names : "");
        ssh_memory_free(names);
        ssh_security_options_free(options);
    }
}

/* The host as it was given, without what stands around it in a destination. */
static void print_given(const char *destination)
{
    bool is_uri = strncasecmp(destination, "ssh://", 6) == 0;
    const char *from = is_uri ? destination + 6 : destination, *at = strrchr(from, '@');
    from = at != NULL ? at + 1 : from;
    size_t length = is_uri ? strcspn(from, ":/") : strlen(from);
    if (is_uri && *from == '[') {
        from++;
        length = strcspn(from, "]");
    }
    printf("host %.*s\n", (int)length, from);
}

int print_config(const ssh_config_host *host, const char *destination)
{
    const char *keyword;
    print_given(destination);
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        print_option(host, first[i]);
    for (size_t i = 0; (keyword = ssh_config_host_keyword(host, i)) != NULL; i++)
        if (!IS_AMONG(keyword, first) && !is_list(keyword))
            print_option(host, keyword);
    print_lists(host);
    /* Without a value, which others look for. */
    if (ssh_config_host_get(host, "ConnectTimeout", 0) == NULL)
        puts("connecttimeout none");
    return fflush(stdout) == 0 ? 0 : EXIT_TROUBLE;
}
