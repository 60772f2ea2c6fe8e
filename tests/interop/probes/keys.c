/*
 * keys COMMAND...: does one thing with a key, and prints what comes of it. "-" stands for no passphrase. What fails is
 * printed with its status on standard error, and the program ends with 1.
 *
 *     generate KIND BITS COMMENT FILE FORMAT PASSPHRASE   a new private key; its public line
 *     inspect FILE                          format, public or private, encryption or "plain", type, bits, comment
 *     public FILE FORMAT                    the public half of whatever there is, as the text of a file
 *     load FILE PASSPHRASE...               the public line; passphrases are what the callback answers, in turn
 *     convert FILE PASSPHRASE NEW FORMAT PASSPHRASE       saves the key anew
 *     show FILE                             fingerprints, drawings and SSHFP records
 *     sign FILE NAMESPACE HASH              signs standard input
 *     verify SIGNATURE NAMESPACE            checks a signature over standard input; the line of the key
 *     signer SIGNATURE NAMESPACE SIGNERS PRINCIPAL TIME   and whether it may sign; its principals
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sshwire.h>

static char **answers;

static void fail(ssh_error *error)
{
    fprintf(stderr, "%s: %s\n", ssh_status_name(ssh_error_code(error)), ssh_error_message(error));
    exit(1);
}

static void put(char *text)
{
    printf("%s\n", text != NULL ? text : "-");
    ssh_memory_free(text);
}

static const char *optional(const char *word)
{
    return strcmp(word, "-") == 0 ? NULL : word;
}

static bool answer(const char *name, uint32_t attempt, char *passphrase, size_t size, void *userdata)
{
    (void)userdata;
    fprintf(stderr, "asked %u for %s\n", attempt, name);
    const char *text = answers[attempt - 1];
    for (uint32_t i = 0; i < attempt; i++)
        if (answers[i] == NULL || strcmp(answers[i], "-") == 0)
            return false;
    snprintf(passphrase, size, "%s", text);
    return true;
}

static ssh_key *load(const char *path, char **passphrases)
{
    ssh_error *error = NULL;
    answers = passphrases;
    ssh_key *key = ssh_key_load_file_asking(path, answer, NULL, &error);
    if (key == NULL)
        fail(error);
    return key;
}

static void save(const ssh_key *key, const char *path, const char *format, const char *passphrase)
{
    ssh_error *error = NULL;
    if (ssh_key_save_file(key, path, atoi(format), optional(passphrase), &error) != SSH_OK)
        fail(error);
    put(ssh_key_public_line(key, NULL));
}

static void inspect(const char *path)
{
    ssh_error *error = NULL;
    ssh_key_info *info = ssh_key_inspect_file(path, &error);
    if (info == NULL)
        fail(error);
    printf("%d %s\n", ssh_key_info_format(info), ssh_key_info_is_private(info) ? "private" : "public");
    put(ssh_key_info_encryption(info));
    put(ssh_key_info_type(info));
    printf("%u\n", ssh_key_info_bits(info));
    put(ssh_key_info_comment(info));
    ssh_key_info_free(info);
}

static ssh_key *load_public(const char *path)
{
    ssh_error *error = NULL;
    ssh_key *key = ssh_key_load_public_file(path, &error);
    if (key == NULL)
        fail(error);
    return key;
}

static void show(const ssh_key *key)
{
    for (int32_t hash = SSH_HASH_SHA256; hash <= SSH_HASH_MD5; hash++) {
        put(ssh_key_fingerprint_with(key, hash));
        put(ssh_key_randomart(key, hash));
    }
    put(ssh_key_sshfp(key, SSH_HASH_SHA1));
    put(ssh_key_sshfp(key, SSH_HASH_SHA256));
}

static size_t message(char *buffer, size_t size)
{
    return fread(buffer, 1, size, stdin);
}

static void sign(const ssh_key *key, const char *name_space, const char *hash)
{
    static char data[1 << 20];
    size_t length = message(data, sizeof data);
    ssh_error *error = NULL;
    int32_t number = strcmp(hash, "sha256") == 0 ? SSH_HASH_SHA256 : SSH_HASH_SHA512;
    char *text = ssh_sshsig_sign(key, name_space, number, data, length, &error);
    if (text == NULL)
        fail(error);
    fputs(text, stdout);
    ssh_memory_free(text);
}

static size_t content(const char *path, char *buffer, size_t size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        exit(2);
    size_t length = fread(buffer, 1, size, file);
    fclose(file);
    return length;
}

static ssh_key *verify(const char *path, const char *name_space)
{
    static char data[1 << 20], signature[65536];
    size_t signature_length = content(path, signature, sizeof signature), length = message(data, sizeof data);
    ssh_error *error = NULL;
    ssh_key *key = ssh_sshsig_verify(signature, signature_length, name_space, data, length, &error);
    if (key == NULL)
        fail(error);
    put(ssh_key_public_line(key, NULL));
    return key;
}

static void check_signer(const ssh_key *key, char **words)
{
    static char signers[1 << 20];
    size_t length = content(words[1], signers, sizeof signers);
    uint64_t moment = (uint64_t)atoll(words[3]);
    ssh_error *error = NULL;
    if (ssh_sshsig_check_signer(key, signers, length, words[2], words[0], moment, &error) != SSH_OK)
        fail(error);
    put(ssh_sshsig_find_principals(key, signers, length, moment, NULL));
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    ssh_error *error = NULL;
    ssh_key *key = NULL;
    if (strcmp(what, "generate") == 0 && argc == 8) {
        key = ssh_key_generate(atoi(argv[2]), (uint32_t)atoi(argv[3]), optional(argv[4]), &error);
        if (key == NULL)
            fail(error);
        save(key, argv[5], argv[6], argv[7]);
    } else if (strcmp(what, "inspect") == 0) {
        inspect(argv[2]);
    } else if (strcmp(what, "public") == 0 && argc == 4) {
        key = load_public(argv[2]);
        char *text = ssh_key_public_text(key, atoi(argv[3]), NULL, &error);
        if (text == NULL)
            fail(error);
        fputs(text, stdout);
        ssh_memory_free(text);
    } else if (strcmp(what, "load") == 0) {
        key = load(argv[2], argv + 3);
        put(ssh_key_public_line(key, NULL));
    } else if (strcmp(what, "convert") == 0 && argc == 7) {
        key = load(argv[2], argv + 3);
        save(key, argv[4], argv[5], argv[6]);
    } else if (strcmp(what, "show") == 0) {
        key = load_public(argv[2]);
        show(key);
    } else if (strcmp(what, "sign") == 0 && argc == 5) {
        key = load(argv[2], argv + 5);
        sign(key, argv[3], argv[4]);
    } else if (strcmp(what, "verify") == 0 && argc == 4) {
        key = verify(argv[2], argv[3]);
    } else if (strcmp(what, "signer") == 0 && argc == 7) {
        key = verify(argv[2], argv[3]);
        check_signer(key, argv + 3);
    } else {
        fprintf(stderr, "what is %s?\n", what);
        return 2;
    }
    ssh_key_free(key);
    return 0;
}
