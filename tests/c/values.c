/* Values without a connection: version, statuses, keys, events, algorithm lists. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

static void version(void)
{
    char text[32];
    CHECK(ssh_version_number() == SSH_VERSION_NUMBER);
    snprintf(text, sizeof text, "%d.%d.%d", SSH_VERSION_MAJOR, SSH_VERSION_MINOR, SSH_VERSION_PATCH);
    CHECK(strcmp(ssh_version_string(), text) == 0);
    CHECK(strcmp(ssh_status_name(SSH_ERR_TIMEOUT), "SSH_ERR_TIMEOUT") == 0);
    CHECK(strcmp(ssh_status_name(12345), "SSH_ERR_UNKNOWN") == 0);
}

static void key_round_trip(int32_t kind, uint32_t bits, int32_t format, const char *passphrase)
{
    ssh_error *error = NULL;
    ssh_key *key = ssh_key_generate(kind, bits, "me@here", &error);
    CHECK(key != NULL);
    CHECK(ssh_key_kind(key) == kind && ssh_key_is_private(key));
    char *text = ssh_key_private_text(key, format, passphrase, &error);
    CHECK(text != NULL);
    ssh_key *again = ssh_key_load(text, strlen(text), passphrase, &error);
    CHECK(again != NULL && ssh_key_equals(key, again));
    CHECK(takes(ssh_key_comment(again), format == SSH_KEY_FORMAT_OPENSSH ? "me@here" : ""));
    if (passphrase != NULL) {
        CHECK(ssh_key_load(text, strlen(text), NULL, &error) == NULL);
        CHECK(ssh_error_code(error) == SSH_ERR_PASSPHRASE_MISSING);
        ssh_error_free(error);
        CHECK(ssh_key_load(text, strlen(text), "wrong", &error) == NULL);
        CHECK(ssh_error_code(error) == SSH_ERR_PASSPHRASE_WRONG);
        ssh_error_free(error);
    }
    /* Half of it is no key. */
    CHECK(ssh_key_load(text, strlen(text) / 2, passphrase, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_KEY_MALFORMED && ssh_error_class(error) == SSH_CLASS_KEY);
    ssh_error_free(error);
    ssh_memory_free(text);

    char *line = ssh_key_public_line(key, NULL);
    CHECK(strstr(line, ssh_key_type(key)) == line && strstr(line, " me@here") != NULL);
    ssh_key *public = ssh_key_from_line(line, &error);
    CHECK(public != NULL && !ssh_key_is_private(public) && ssh_key_equals(public, key));
    CHECK(takes(ssh_key_public_line(public, NULL), line));
    CHECK(ssh_key_private_text(public, format, NULL, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    ssh_memory_free(line);

    void *blob = NULL, *signature = NULL;
    size_t blob_length = 0, signature_length = 0;
    CHECK_STATUS(ssh_key_blob(key, &blob, &blob_length), SSH_OK);
    ssh_key *from_blob = ssh_key_from_blob(blob, blob_length, &error);
    CHECK(ssh_key_equals(from_blob, key));
    CHECK(ssh_key_from_blob(blob, blob_length - 1, &error) == NULL);
    ssh_error_free(error);
    ssh_memory_free(blob);

    char *fingerprint = ssh_key_fingerprint(key);
    CHECK(strncmp(fingerprint, "SHA256:", 7) == 0 && strlen(fingerprint) == 50);
    ssh_memory_free(fingerprint);

    const char *algorithm = kind == SSH_KEY_RSA ? "rsa-sha2-512" : ssh_key_type(key);
    CHECK_STATUS(ssh_key_sign(key, NULL, "data", 4, &signature, &signature_length, &error), SSH_OK);
    CHECK_STATUS(ssh_key_verify(public, algorithm, "data", 4, signature, signature_length), SSH_OK);
    CHECK_STATUS(ssh_key_verify(public, algorithm, "dat", 3, signature, signature_length),
                 SSH_ERR_SIGNATURE);
    CHECK_STATUS(ssh_key_verify(public, "ssh-dss", "data", 4, signature, signature_length),
                 SSH_ERR_SIGNATURE);
    ssh_memory_free(signature);
    CHECK_STATUS(ssh_key_sign(public, NULL, "data", 4, &signature, &signature_length, &error),
                 SSH_ERR_INVALID_ARG);
    CHECK(signature == NULL && signature_length == 0);
    ssh_error_free(error);
    ssh_key_free(from_blob);
    ssh_key_free(again);
    ssh_key_free(public);
    ssh_key_free(key);
}

static void fingerprints(void)
{
    ssh_key *key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, NULL), *other = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, NULL);
    char *usual = ssh_key_fingerprint(key), *old = ssh_key_fingerprint_with(key, SSH_HASH_MD5);
    CHECK(takes(ssh_key_fingerprint_with(key, SSH_HASH_SHA256), usual));
    CHECK(strlen(old) == 4 + 47 && strncmp(old, "MD5:", 4) == 0);
    CHECK(ssh_key_fingerprint_with(key, SSH_HASH_SHA1) == NULL && ssh_key_fingerprint_with(key, 0) == NULL);
    char *art = ssh_key_randomart(key, SSH_HASH_SHA256);
    CHECK(strlen(art) == 11 * 20 - 1 && strncmp(art, "+--[ED25519 256]--+\n|", 21) == 0);
    CHECK(ssh_key_randomart(key, 9) == NULL);
    for (int32_t i = 0; i < 2; i++) {
        char *record = ssh_key_sshfp(key, i == 0 ? SSH_HASH_SHA256 : SSH_HASH_SHA1);
        CHECK(strncmp(record, i == 0 ? "4 2 " : "4 1 ", 4) == 0);
        CHECK(ssh_key_matches_sshfp(key, record) && !ssh_key_matches_sshfp(other, record));
        record[strlen(record) - 1] = '\0';
        CHECK(!ssh_key_matches_sshfp(key, record));
        ssh_memory_free(record);
    }
    CHECK(ssh_key_sshfp(key, SSH_HASH_MD5) == NULL && !ssh_key_matches_sshfp(key, "") && !ssh_key_matches_sshfp(NULL, "4"));
    ssh_memory_free(usual);
    ssh_memory_free(old);
    ssh_memory_free(art);
    ssh_key_free(key);
    ssh_key_free(other);
}

/* Answers by the number in its userdata: right, wrong, none, one without an end. */
static bool passphrase(const char *name, uint32_t attempt, char *buffer, size_t size, void *userdata)
{
    int *plan = userdata;
    CHECK(size == SSH_PASSPHRASE_SIZE && attempt >= 1 && attempt <= 3 && strstr(name, "key") != NULL);
    CHECK(buffer[0] == '\0' && buffer[size - 1] == '\0');
    plan[0] = (int)attempt;
    switch (plan[attempt]) {
    case 1: strcpy(buffer, "pass"); return true;
    case 2: strcpy(buffer, "fail"); return true;
    case 3: strcpy(buffer, "pass"); return false;
    case 4: return true;
    default: memset(buffer, 'x', size); return true;
    }
}

static void asked(const char *path)
{
    static const struct {
        int plan[4], attempts;
        ssh_status status;
    } cases[] = {
        {{0, 1, 0, 0}, 1, SSH_OK},
        {{0, 2, 2, 1}, 3, SSH_OK},
        {{0, 2, 2, 2}, 3, SSH_ERR_PASSPHRASE_WRONG},
        {{0, 3, 0, 0}, 1, SSH_ERR_PASSPHRASE_MISSING},
        {{0, 4, 0, 0}, 1, SSH_ERR_PASSPHRASE_MISSING},
        {{0, 5, 0, 0}, 1, SSH_ERR_PASSPHRASE_MISSING},
        {{0, 2, 3, 0}, 2, SSH_ERR_PASSPHRASE_WRONG},
    };
    char text[4096];
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int memory = 0; memory < 2; memory++) {
            int plan[4];
            ssh_error *error = NULL;
            memcpy(plan, cases[i].plan, sizeof plan);
            ssh_key *key = memory ? ssh_key_load_asking(text, length, "a key", passphrase, plan, &error)
                                  : ssh_key_load_file_asking(path, passphrase, plan, &error);
            CHECK((key != NULL) == (cases[i].status == SSH_OK) && plan[0] == cases[i].attempts);
            CHECK(key != NULL || ssh_error_code(error) == cases[i].status);
            CHECK(key != NULL || memory || strstr(ssh_error_message(error), path) != NULL);
            ssh_error_free(error);
            ssh_key_free(key);
        }
    ssh_error *error = NULL;
    CHECK(ssh_key_load_file_asking(path, NULL, NULL, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_PASSPHRASE_MISSING);
    ssh_error_free(error);
    CHECK(chmod(path, 0640) == 0);
    CHECK(ssh_key_load_file_asking(path, passphrase, NULL, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_KEY_EXPOSED && strstr(ssh_error_message(error), "0640") != NULL);
    ssh_error_free(error);
    CHECK(chmod(path, 0600) == 0);
}

static void inspected(const char *path, const ssh_key *key)
{
    ssh_error *error = NULL;
    ssh_key_info *info = ssh_key_inspect_file(path, &error);
    CHECK(info != NULL && ssh_key_info_format(info) == SSH_KEY_FORMAT_OPENSSH);
    CHECK(ssh_key_info_is_private(info) && ssh_key_info_is_encrypted(info) && ssh_key_info_bits(info) == 256);
    CHECK(takes(ssh_key_info_type(info), "ssh-ed25519") && takes(ssh_key_info_comment(info), ""));
    CHECK(takes(ssh_key_info_encryption(info), "aes256-ctr, bcrypt with 24 rounds"));
    ssh_key *public = ssh_key_info_public(info), *again = ssh_key_load_public_file(path, &error);
    CHECK(ssh_key_equals(public, key) && ssh_key_equals(again, key) && !ssh_key_is_private(again));
    ssh_key_info_free(info);
    CHECK(ssh_key_info_format(info) == 0 && ssh_key_info_type(info) == NULL && !ssh_key_info_is_private(info));
    ssh_key_free(public);
    ssh_key_free(again);
    info = ssh_key_inspect("ssh-ed448 AAAACXNzaC1lZDQ0OAAAAAA= me", 37, &error);
    CHECK(info != NULL && ssh_key_info_format(info) == SSH_KEY_FORMAT_LINE && ssh_key_info_public(info) == NULL);
    CHECK(takes(ssh_key_info_type(info), "ssh-ed448") && takes(ssh_key_info_comment(info), "me"));
    CHECK(ssh_key_info_encryption(info) == NULL && ssh_key_info_bits(info) == 0);
    ssh_key_info_free(info);
    CHECK(ssh_key_inspect("", 0, &error) == NULL && ssh_error_code(error) == SSH_ERR_KEY_MALFORMED);
    ssh_error_free(error);
}

static void public_files(const char *folder, const ssh_key *key)
{
    static const int32_t formats[] = {SSH_KEY_FORMAT_LINE, SSH_KEY_FORMAT_RFC4716, SSH_KEY_FORMAT_PKCS8};
    char path[64];
    struct stat about;
    ssh_error *error = NULL;
    snprintf(path, sizeof path, "%s/key.pub", folder);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        CHECK_OK(ssh_key_save_public_file(key, path, formats[i], "a comment", &error), error);
        CHECK(stat(path, &about) == 0 && (about.st_mode & 07777) == 0644);
        CHECK_STATUS(ssh_key_save_public_file(key, path, formats[i], NULL, NULL), SSH_ERR_IO);
        ssh_key *again = ssh_key_load_public_file(path, &error);
        CHECK(ssh_key_equals(key, again));
        CHECK(takes(ssh_key_comment(again), formats[i] == SSH_KEY_FORMAT_PKCS8 ? "" : "a comment"));
        ssh_key_free(again);
        CHECK(unlink(path) == 0);
    }
    CHECK(ssh_key_public_text(key, SSH_KEY_FORMAT_PKCS1, NULL, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_KEY_UNSUPPORTED);
    ssh_error_free(error);
    CHECK(ssh_key_public_text(key, 99, NULL, NULL) == NULL);
    CHECK(ssh_key_public_text(key, SSH_KEY_FORMAT_LINE, "two\nlines", NULL) == NULL);
    CHECK(ssh_key_private_text(key, SSH_KEY_FORMAT_PPK3, NULL, NULL) == NULL);
}

static void signed_messages(const ssh_key *key)
{
    ssh_error *error = NULL;
    for (int32_t hash = 0; hash < 6; hash++) {
        char *text = ssh_sshsig_sign(key, "file", hash, "message", 7, NULL);
        CHECK((text != NULL) == (hash == SSH_HASH_SHA256 || hash == SSH_HASH_SHA512));
        if (text == NULL)
            continue;
        ssh_key *signer = ssh_sshsig_verify(text, strlen(text), "file", "message", 7, &error);
        CHECK(ssh_key_equals(signer, key) && !ssh_key_is_private(signer));
        char *line = ssh_key_public_line(signer, NULL), signers[256];
        int length = snprintf(signers, sizeof signers, "me namespaces=\"file\",valid-after=\"20200101\" %s", line);
        CHECK_STATUS(ssh_sshsig_check_signer(signer, signers, (size_t)length, "me", "file", 0, NULL), SSH_OK);
        CHECK(ssh_sshsig_check_signer(signer, signers, (size_t)length, "me", "git", 0, NULL) == SSH_ERR_SIGNATURE);
        CHECK(ssh_sshsig_check_signer(signer, signers, (size_t)length, "me", "file", 9, NULL) == SSH_ERR_SIGNATURE);
        CHECK(takes(ssh_sshsig_find_principals(signer, signers, (size_t)length, 0, NULL), "me"));
        CHECK(ssh_sshsig_check_signer(signer, "nonsense", 8, "me", "file", 0, &error) == SSH_ERR_KEY_MALFORMED);
        CHECK(strncmp(ssh_error_message(error), "line 1 ", 7) == 0);
        ssh_error_free(error);
        ssh_memory_free(line);
        ssh_key_free(signer);
        CHECK(ssh_sshsig_verify(text, strlen(text), "git", "message", 7, NULL) == NULL);
        CHECK(ssh_sshsig_verify(text, strlen(text), "file", "massage", 7, &error) == NULL);
        CHECK(ssh_error_code(error) == SSH_ERR_SIGNATURE);
        ssh_error_free(error);
        CHECK(ssh_sshsig_verify(text, strlen(text) / 2, "file", "message", 7, NULL) == NULL);
        ssh_memory_free(text);
    }
    ssh_key *public = ssh_key_public(key);
    CHECK(ssh_sshsig_sign(public, "file", SSH_HASH_SHA512, "message", 7, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    CHECK(ssh_sshsig_sign(key, "", SSH_HASH_SHA512, "message", 7, NULL) == NULL);
    ssh_key_free(public);
}

static void key_files(void)
{
    char folder[] = "/tmp/sshwire-keys-XXXXXX", path[64];
    struct stat about;
    ssh_error *error = NULL;
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/key", folder);
    ssh_key *key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, &error);
    umask(0);
    CHECK_OK(ssh_key_save_file(key, path, SSH_KEY_FORMAT_OPENSSH, "pass", &error), error);
    CHECK(stat(path, &about) == 0 && (about.st_mode & 07777) == 0600);
    CHECK_STATUS(ssh_key_save_file(key, path, SSH_KEY_FORMAT_OPENSSH, NULL, &error), SSH_ERR_IO);
    CHECK(ssh_error_errno(error) == EEXIST);
    ssh_error_free(error);
    ssh_key *again = ssh_key_load_file(path, "pass", &error);
    CHECK(ssh_key_equals(key, again));
    ssh_key_free(again);
    asked(path);
    inspected(path, key);
    public_files(folder, key);
    signed_messages(key);
    CHECK(unlink(path) == 0);
    CHECK(ssh_key_load_file(path, NULL, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_IO && ssh_error_errno(error) == ENOENT);
    CHECK(strstr(ssh_error_message(error), path) != NULL);
    ssh_error_free(error);
    CHECK(ssh_key_load_file(folder, NULL, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_KEY_MALFORMED);
    ssh_error_free(error);
    CHECK(rmdir(folder) == 0);
    CHECK(ssh_key_load_file("/dev/zero", NULL, NULL) == NULL);

    CHECK(ssh_key_generate(99, 0, NULL, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    CHECK(ssh_key_generate(SSH_KEY_RSA, 1024, NULL, NULL) == NULL);
    CHECK(ssh_key_generate(SSH_KEY_ED25519, 256, NULL, NULL) == NULL);
    CHECK(ssh_key_generate(SSH_KEY_ED25519, 0, "two\nlines", NULL) == NULL);
    CHECK(ssh_key_from_line("ssh-ed25519 AAAA", &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_KEY_MALFORMED);
    ssh_error_free(error);
    CHECK(ssh_key_load("", 0, NULL, NULL) == NULL);
    ssh_key_free(key);
}

static void *set_soon(void *event)
{
    usleep(20000);
    CHECK_STATUS(ssh_event_set(event), SSH_OK);
    return NULL;
}

static void *free_soon(void *event)
{
    usleep(20000);
    ssh_event_free(event);
    return NULL;
}

static void events(void)
{
    pthread_t thread;
    ssh_event *event = ssh_event_new();
    struct pollfd poller = {.fd = ssh_event_fd(event), .events = POLLIN};
    CHECK(poller.fd >= 0 && poll(&poller, 1, 0) == 0);
    CHECK_STATUS(ssh_event_wait(event, 0), SSH_AGAIN);
    CHECK_STATUS(ssh_event_wait(event, 10), SSH_ERR_TIMEOUT);
    CHECK_STATUS(ssh_event_wait(event, -9), SSH_ERR_INVALID_ARG);
    pthread_create(&thread, NULL, set_soon, event);
    CHECK_STATUS(ssh_event_wait(event, -1), SSH_OK);
    pthread_join(thread, NULL);
    CHECK(ssh_event_is_set(event) && poll(&poller, 1, 0) == 1);
    CHECK_STATUS(ssh_event_reset(event), SSH_OK);
    CHECK(!ssh_event_is_set(event) && poll(&poller, 1, 0) == 0);
    /* Freed while somebody waits. */
    pthread_create(&thread, NULL, free_soon, event);
    CHECK_STATUS(ssh_event_wait(event, 10000), SSH_ERR_CLOSED);
    pthread_join(thread, NULL);
    CHECK_STATUS(ssh_event_wait(event, 0), SSH_ERR_BAD_HANDLE);
    CHECK(ssh_event_fd(event) == -1);
}

static void algorithms(void)
{
    ssh_error *error = NULL;
    ssh_security_options *options = ssh_security_options_new();
    CHECK_OK(ssh_security_options_set_ciphers(options, "aes256-ctr,aes128-ctr", &error), error);
    CHECK(takes(ssh_security_options_ciphers(options), "aes256-ctr,aes128-ctr"));
    CHECK_OK(ssh_security_options_set_ciphers(options, "^aes128-ctr", &error), error);
    CHECK(takes(ssh_security_options_ciphers(options), "aes128-ctr,aes256-ctr"));
    CHECK_OK(ssh_security_options_set_ciphers(options, "-aes128*", &error), error);
    CHECK_OK(ssh_security_options_set_ciphers(options, "+aes192-ctr", &error), error);
    CHECK(takes(ssh_security_options_ciphers(options), "aes256-ctr,aes192-ctr"));
    CHECK_STATUS(ssh_security_options_set_ciphers(options, "rot13", &error), SSH_ERR_INVALID_ARG);
    CHECK(strstr(ssh_error_message(error), "rot13") != NULL);
    ssh_error_free(error);
    CHECK_STATUS(ssh_security_options_set_digests(options, "", NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_security_options_set_kex(options, "-*", NULL), SSH_ERR_INVALID_ARG);
    CHECK_OK(ssh_security_options_set_preset(options, SSH_PRESET_LEGACY, &error), error);
    CHECK_STATUS(ssh_security_options_set_preset(options, 77, NULL), SSH_ERR_INVALID_ARG);
    CHECK_OK(ssh_security_options_set_preset(options, SSH_PRESET_MODERN, &error), error);
    char *kex = ssh_security_options_kex(options);
    CHECK(strstr(kex, "mlkem768x25519-sha256") == kex && strstr(kex, "diffie") == NULL);
    ssh_memory_free(kex);
    ssh_security_options_free(options);
}

int main(void)
{
    watchdog(300);
    version();
    for (int32_t kind = SSH_KEY_ED25519; kind <= SSH_KEY_RSA; kind++) {
        uint32_t bits = kind == SSH_KEY_RSA ? 2048 : 0;
        key_round_trip(kind, bits, SSH_KEY_FORMAT_OPENSSH, kind == SSH_KEY_ED25519 ? "secret" : NULL);
        key_round_trip(kind, bits, SSH_KEY_FORMAT_PKCS8, kind == SSH_KEY_ECDSA_P256 ? "secret" : NULL);
    }
    fingerprints();
    key_files();
    events();
    algorithms();
    puts("values: ok");
    return 0;
}
