/*
 * Files: one large one, in one call or in pieces, and a tree of small ones.
 */
#include <stdbool.h>
#include <string.h>

#include "contract.h"

static bool count_bytes(void *userdata, const void *data, size_t length)
{
    (void)data;
    *(uint64_t *)userdata += length;
    return true;
}

static bool give_zeros(void *userdata, void *buffer, size_t capacity, size_t *length)
{
    uint64_t *left = userdata;
    *length = *left < capacity ? (size_t)*left : capacity;
    memset(buffer, 0, *length);
    *left -= *length;
    return true;
}

static uint64_t get_whole(ssh_sftp *sftp, const char *path)
{
    uint64_t total = 0;
    ssh_error *error = NULL;
    bench_check("get", ssh_sftp_get_callback(sftp, path, 0, count_bytes, 0, NULL, &total, LIMIT_MS, &error), error);
    return total;
}

static uint64_t put_whole(ssh_sftp *sftp, const char *path, uint64_t count)
{
    uint64_t left = count;
    ssh_error *error = NULL;
    bench_check("put", ssh_sftp_put_callback(sftp, give_zeros, count, path, 0, NULL, &left, LIMIT_MS, &error), error);
    return count - left;
}

static ssh_sftp_file *open_file(ssh_sftp *sftp, const char *path, uint32_t flags)
{
    ssh_error *error = NULL;
    ssh_sftp_file *file = ssh_sftp_open(sftp, path, flags, NULL, LIMIT_MS, &error);
    if (file == NULL)
        bench_fail("open", SSH_OK, error);
    return file;
}

static uint64_t read_pieces(ssh_sftp *sftp, const char *path)
{
    static char buffer[WRITE_SIZE];
    uint64_t total = 0;
    size_t done;
    ssh_status status;
    ssh_error *error = NULL;
    ssh_sftp_file *file = open_file(sftp, path, SSH_SFTP_READ);
    while ((status = ssh_sftp_file_read(file, buffer, sizeof buffer, &done, LIMIT_MS, &error)) == SSH_OK)
        total += done;
    if (status != SSH_EOF)
        bench_fail("read", status, error);
    ssh_sftp_file_free(file);
    return total;
}

static uint64_t write_pieces(ssh_sftp *sftp, const char *path, uint64_t count)
{
    static const char zeros[WRITE_SIZE];
    uint64_t total = 0;
    size_t done;
    ssh_error *error = NULL;
    ssh_sftp_file *file = open_file(sftp, path, SSH_SFTP_WRITE | SSH_SFTP_CREATE | SSH_SFTP_TRUNCATE);
    while (total < count) {
        size_t part = count - total < sizeof zeros ? (size_t)(count - total) : sizeof zeros;
        bench_check("write", ssh_sftp_file_write(file, zeros, part, &done, LIMIT_MS, &error), error);
        total += done;
    }
    bench_check("close", ssh_sftp_file_close(file, LIMIT_MS, &error), error);
    ssh_sftp_file_free(file);
    return total;
}

void sftp(const struct target *target)
{
    char path[4096];
    const char *file = getenv("BENCH_FILE");
    bool puts = strcmp(target->mode, "sftpput") == 0 || strcmp(target->mode, "sftpwrite") == 0;
    bool whole = strcmp(target->mode, "sftpput") == 0 || strcmp(target->mode, "sftpget") == 0;
    ssh_error *error = NULL;
    if (file == NULL)
        bench_fail("BENCH_FILE is not set", SSH_ERR_INVALID_ARG, NULL);
    snprintf(path, sizeof path, "%s%s", file, puts ? ".up" : "");
    ssh_transport *transport = log_in(target);
    ssh_sftp *session = ssh_transport_open_sftp_client(transport, LIMIT_MS, &error);
    if (session == NULL)
        bench_fail("sftp", SSH_OK, error);
    struct stamp start = now();
    uint64_t moved;
    if (puts)
        moved = whole ? put_whole(session, path, target->count) : write_pieces(session, path, target->count);
    else
        moved = whole ? get_whole(session, path) : read_pieces(session, path);
    if (moved != target->count)
        bench_fail("not as many bytes as were asked for", SSH_OK, NULL);
    report(target, start, "");
    ssh_sftp_free(session);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
}

void sftp_tree(const struct target *target)
{
    const char *local = getenv("BENCH_LOCAL"), *remote = getenv("BENCH_FILE");
    ssh_error *error = NULL;
    if (local == NULL || remote == NULL)
        bench_fail("BENCH_LOCAL or BENCH_FILE is not set", SSH_ERR_INVALID_ARG, NULL);
    ssh_transport *transport = log_in(target);
    ssh_sftp *session = ssh_transport_open_sftp_client(transport, LIMIT_MS, &error);
    if (session == NULL)
        bench_fail("sftp", SSH_OK, error);
    struct stamp start = now();
    if (strcmp(target->mode, "sftpputtree") == 0)
        bench_check("put", ssh_sftp_put(session, local, remote, SSH_SFTP_RECURSIVE, NULL, NULL, LIMIT_MS, &error), error);
    else
        bench_check("get", ssh_sftp_get(session, remote, local, SSH_SFTP_RECURSIVE, NULL, NULL, LIMIT_MS, &error), error);
    report(target, start, "");
    ssh_sftp_free(session);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
}
