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
    CHECK(unlink(path) == 0);
    CHECK(ssh_key_load_file(path, NULL, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_IO && ssh_error_errno(error) == ENOENT);
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
