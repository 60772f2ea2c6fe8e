/*
 * keygen: makes keys, and shows those that are there.
 */
#define _GNU_SOURCE /* getopt_long */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

static const char help[] =
    "usage: keygen -f FILE [-t TYPE] [-b BITS] [-C COMMENT] [--pkcs8] [--passphrase-file FILE | --no-passphrase]\n"
    "       keygen -l -f FILE\n"
    "       keygen -y -f FILE [--passphrase-file FILE]\n"
    "Makes a key pair: the private key in FILE, which must not exist, and the public one in FILE.pub.\n"
    "\n"
    "  -f FILE              the key\n"
    "  -t TYPE              ed25519 (the default), ecdsa or rsa\n"
    "  -b BITS              for ecdsa 256, 384 or 521; for rsa 2048 to 16384 (3072)\n"
    "  -C COMMENT           kept with the key, often user@host\n"
    "      --pkcs8          write PKCS#8, which other programs than SSH read\n"
    "      --passphrase-file FILE\n"
    "                       the first line is the passphrase, instead of being asked for it\n"
    "  -N, --no-passphrase  do not encrypt the private key\n"
    "  -l                   show the fingerprint of a public or private key\n"
    "  -y                   show the public line of a private key\n"
    "  -h, --help\n";

enum { LONG_PASSPHRASE_FILE = 1000, LONG_PKCS8 };

static int32_t kind_of(const char *type, uint32_t *bits)
{
    if (strcmp(type, "ed25519") == 0) {
        *bits = 0;
        return SSH_KEY_ED25519;
    }
    if (strcmp(type, "rsa") == 0)
        return SSH_KEY_RSA;
    if (strcmp(type, "ecdsa") == 0) {
        uint32_t wanted = *bits;
        *bits = 0;
        switch (wanted) {
        case 0:
        case 256: return SSH_KEY_ECDSA_P256;
        case 384: return SSH_KEY_ECDSA_P384;
        case 521: return SSH_KEY_ECDSA_P521;
        default: fail("ecdsa has 256, 384 or 521 bits");
        }
    }
    fail("-t: \"%s\" is not ed25519, ecdsa or rsa", type);
}

static void print_fingerprint(const ssh_key *key)
{
    char *fingerprint = ssh_key_fingerprint(key), *comment = ssh_key_comment(key);
    printf("%u %s %s (%s)\n", ssh_key_bits(key), fingerprint, comment != NULL ? comment : "", ssh_key_type(key));
    ssh_memory_free(comment);
    ssh_memory_free(fingerprint);
}

/* The public half of any key; a passphrase is needed only where the format hides it. */
static ssh_key *load_any(const char *path, const char *passphrase_file)
{
    ssh_error *error = NULL;
    ssh_key *key = ssh_key_load_public_file(path, &error);
    bool hidden = ssh_error_code(error) == SSH_ERR_PASSPHRASE_MISSING;
    if (key == NULL && !hidden)
        fail_error("cannot read the key", error);
    ssh_error_free(error);
    return key != NULL ? key : load_private_key(path, passphrase_file, true);
}

static char *new_passphrase(const char *file)
{
    if (file != NULL)
        return read_first_line(file);
    char *first = ask("New passphrase (empty for none): ", false);
    char *second = first != NULL ? ask("The same again: ", false) : NULL;
    if (first == NULL || second == NULL)
        fail("no terminal to ask for a passphrase; see --passphrase-file and --no-passphrase");
    if (strcmp(first, second) != 0)
        fail("these are two different passphrases");
    forget(second);
    return first;
}

static void write_public(const ssh_key *key, const char *path)
{
    char name[4096];
    ssh_error *error = NULL;
    snprintf(name, sizeof name, "%s.pub", path);
    if (ssh_key_save_public_file(key, name, SSH_KEY_FORMAT_LINE, NULL, &error) != SSH_OK)
        fail_error("cannot save the public key", error);
}

static void make_key(const char *path, const char *type, uint32_t bits, const char *comment, int32_t format,
                     const char *passphrase_file, bool no_passphrase)
{
    ssh_error *error = NULL;
    if (strcmp(type, "ed25519") == 0 && bits != 0)
        fail("-b is for ecdsa and rsa");
    if (strcmp(type, "rsa") == 0 && bits != 0 && bits < 2048)
        fail("-b: RSA keys have 2048 to 16384 bits");
    int32_t kind = kind_of(type, &bits);
    char *passphrase = no_passphrase ? NULL : new_passphrase(passphrase_file);
    ssh_key *key = ssh_key_generate(kind, bits, comment, &error);
    if (key == NULL)
        fail_error("cannot make the key", error);
    bool encrypt = passphrase != NULL && *passphrase != '\0';
    if (ssh_key_save_file(key, path, format, encrypt ? passphrase : NULL, &error) != SSH_OK)
        fail_error("cannot save the key", error);
    forget(passphrase);
    write_public(key, path);
    printf("private key: %s (%s)\npublic key:  %s.pub\n", path, encrypt ? "encrypted" : "NOT encrypted", path);
    print_fingerprint(key);
    ssh_key_free(key);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"passphrase-file", required_argument, NULL, LONG_PASSPHRASE_FILE},
                                            {"no-passphrase", no_argument, NULL, 'N'},
                                            {"pkcs8", no_argument, NULL, LONG_PKCS8},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *path = NULL, *type = "ed25519", *comment = NULL, *passphrase_file = NULL;
    bool no_passphrase = false, show = false, public_line = false;
    int32_t format = SSH_KEY_FORMAT_OPENSSH;
    uint32_t bits = 0;
    int option;

    program_name = "keygen";
    while ((option = getopt_long(argc, argv, "f:t:b:C:Nlyh", options, NULL)) != -1) {
        switch (option) {
        case 'f': path = optarg; break;
        case 't': type = optarg; break;
        case 'b': bits = (uint32_t)parse_number(optarg, 256, 16384, "-b"); break;
        case 'C': comment = optarg; break;
        case 'N': no_passphrase = true; break;
        case 'l': show = true; break;
        case 'y': public_line = true; break;
        case LONG_PASSPHRASE_FILE: passphrase_file = optarg; break;
        case LONG_PKCS8: format = SSH_KEY_FORMAT_PKCS8; break;
        case 'h': fputs(help, stdout); return 0;
        default: fail("try --help");
        }
    }
    if (path == NULL || optind != argc)
        fail("which file? try --help");
    if (show) {
        ssh_key *key = load_any(path, passphrase_file);
        print_fingerprint(key);
        ssh_key_free(key);
    } else if (public_line) {
        ssh_key *key = load_private_key(path, passphrase_file, true);
        char *line = ssh_key_public_line(key, NULL);
        puts(line != NULL ? line : "");
        ssh_memory_free(line);
        ssh_key_free(key);
    } else {
        make_key(path, type, bits, comment, format, passphrase_file, no_passphrase);
    }
    return 0;
}
