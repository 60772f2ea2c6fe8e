/*
 * Every call of the SFTP client once, with a directory of the server's that may be written: for our server in the same
 * process, and for other servers over the network. What a server does not have, by its extensions, must be refused.
 */
#ifndef SFTP_CALLS_H
#define SFTP_CALLS_H

#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define SFTP_MS 60000
#define SFTP_BLOCK (3 * 1000 * 1000 + 7)

struct calls {
    ssh_sftp *sftp;
    const char *dir;   /* as the server sees it */
    const char *local; /* a directory of this machine */
    char path[4][PATH_MAX];
    unsigned next;
};

/* A path below the directory; the last four stay good. */
static const char *below(struct calls *c, const char *name)
{
    char *path = c->path[c->next++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", c->dir, name);
    return path;
}

#define SFTP_OK(call)                                                                                              \
    do {                                                                                                           \
        ssh_error *error_ = NULL, **error = &error_;                                                               \
        CHECK_OK(call, error_);                                                                                    \
        CHECK(error_ == NULL);                                                                                     \
    } while (0)

/* The server says no, with this status. */
#define SFTP_REFUSED(call, status)                                                                                 \
    do {                                                                                                           \
        ssh_error *error_ = NULL, **error = &error_;                                                               \
        CHECK_STATUS(call, SSH_ERR_SFTP);                                                                          \
        CHECK(error_ != NULL);                                                                                     \
        if (ssh_error_sftp_status(error_) != (status))                                                             \
            fprintf(stderr, "%s\n", ssh_error_message(error_));                                                    \
        CHECK(ssh_error_sftp_status(error_) == (status));                                                          \
        ssh_error_free(error_);                                                                                    \
    } while (0)

static unsigned char sftp_byte(size_t at)
{
    return (unsigned char)(at * 7 + at / 253 + at / 65537);
}

static void fill_pattern(unsigned char *data, size_t from, size_t length)
{
    for (size_t at = 0; at < length; at++)
        data[at] = sftp_byte(from + at);
}

static bool is_pattern(const unsigned char *data, size_t from, size_t length)
{
    for (size_t at = 0; at < length; at++)
        if (data[at] != sftp_byte(from + at))
            return false;
    return true;
}

static ssh_sftp_file *open_file(struct calls *c, const char *name, uint32_t flags)
{
    ssh_error *error = NULL;
    ssh_sftp_file *file = ssh_sftp_open(c->sftp, below(c, name), flags, NULL, SFTP_MS, &error);
    if (file == NULL)
        fprintf(stderr, "%s: %s\n", name, ssh_error_message(error));
    CHECK(file != NULL);
    return file;
}

static uint64_t size_of(struct calls *c, const char *name)
{
    uint64_t size = 0;
    ssh_sftp_attributes *found = ssh_sftp_stat(c->sftp, below(c, name), SFTP_MS, NULL);
    CHECK(found != NULL);
    CHECK_STATUS(ssh_sftp_attributes_size(found, &size), SSH_OK);
    ssh_sftp_attributes_free(found);
    return size;
}

/* Writes in odd pieces, reads back in others, in a row and anywhere. */
static void read_and_write(struct calls *c)
{
    unsigned char *data = malloc(SFTP_BLOCK + 1);
    size_t done, piece = 1;
    uint64_t position;
    CHECK(data != NULL);
    fill_pattern(data, 0, SFTP_BLOCK);
    ssh_sftp_file *file = open_file(c, "data", SSH_SFTP_WRITE | SSH_SFTP_READ | SSH_SFTP_CREATE | SSH_SFTP_TRUNCATE);
    for (size_t at = 0; at < SFTP_BLOCK; at += done) {
        piece = (piece * 5 + 11) % 20000 + 1;
        SFTP_OK(ssh_sftp_file_write(file, data + at, piece < SFTP_BLOCK - at ? piece : SFTP_BLOCK - at, &done, SFTP_MS,
                                    error));
        CHECK(done > 0);
    }
    SFTP_OK(ssh_sftp_file_tell(file, &position, SFTP_MS, error));
    CHECK(position == SFTP_BLOCK);
    SFTP_OK(ssh_sftp_file_flush(file, SFTP_MS, error));
    CHECK(size_of(c, "data") == SFTP_BLOCK);
    if (ssh_sftp_has_extension(c->sftp, "fsync@openssh.com"))
        SFTP_OK(ssh_sftp_file_fsync(file, SFTP_MS, error));

    SFTP_OK(ssh_sftp_file_seek(file, 0, SSH_SFTP_SEEK_START, &position, SFTP_MS, error));
    memset(data, 0, SFTP_BLOCK);
    for (size_t at = 0; at < SFTP_BLOCK; at += done) {
        piece = (piece * 5 + 11) % 20000 + 1;
        SFTP_OK(ssh_sftp_file_read(file, data + at, piece < SFTP_BLOCK - at ? piece : SFTP_BLOCK - at, &done, SFTP_MS,
                                   error));
        CHECK(done > 0);
    }
    CHECK(is_pattern(data, 0, SFTP_BLOCK));
    CHECK_STATUS(ssh_sftp_file_read(file, data, 1, &done, SFTP_MS, NULL), SSH_EOF);
    CHECK(done == 0);

    SFTP_OK(ssh_sftp_file_seek(file, -100, SSH_SFTP_SEEK_END, &position, SFTP_MS, error));
    CHECK(position == SFTP_BLOCK - 100);
    SFTP_OK(ssh_sftp_file_seek(file, 10, SSH_SFTP_SEEK_CURRENT, &position, SFTP_MS, error));
    SFTP_OK(ssh_sftp_file_read(file, data, 1000, &done, SFTP_MS, error));
    CHECK(done == 90 && is_pattern(data, SFTP_BLOCK - 90, 90));
    CHECK_STATUS(ssh_sftp_file_seek(file, -1, SSH_SFTP_SEEK_START, &position, SFTP_MS, NULL), SSH_ERR_INVALID_ARG);

    SFTP_OK(ssh_sftp_file_pread(file, 1000003, data, 500000, &done, SFTP_MS, error));
    CHECK(done == 500000 && is_pattern(data, 1000003, 500000));
    SFTP_OK(ssh_sftp_file_pread(file, SFTP_BLOCK - 5, data, 10, &done, SFTP_MS, error));
    CHECK(done == 5 && is_pattern(data, SFTP_BLOCK - 5, 5));
    CHECK_STATUS(ssh_sftp_file_pread(file, SFTP_BLOCK, data, 10, &done, SFTP_MS, NULL), SSH_EOF);
    SFTP_OK(ssh_sftp_file_pwrite(file, 1000, "0123456789", 10, &done, SFTP_MS, error));
    CHECK(done == 10);
    SFTP_OK(ssh_sftp_file_pread(file, 999, data, 12, &done, SFTP_MS, error));
    CHECK(done == 12 && memcmp(data + 1, "0123456789", 10) == 0 && data[0] == sftp_byte(999));
    SFTP_OK(ssh_sftp_file_close(file, SFTP_MS, error));
    CHECK_STATUS(ssh_sftp_file_read(file, data, 1, &done, SFTP_MS, NULL), SSH_ERR_CLOSED);
    ssh_sftp_file_free(file);

    file = open_file(c, "data", SSH_SFTP_WRITE | SSH_SFTP_APPEND);
    SFTP_OK(ssh_sftp_file_write(file, "end", 3, &done, SFTP_MS, error));
    SFTP_OK(ssh_sftp_file_close(file, SFTP_MS, error));
    ssh_sftp_file_free(file);
    CHECK(size_of(c, "data") == SFTP_BLOCK + 3);
    CHECK(ssh_sftp_open(c->sftp, below(c, "data"), SSH_SFTP_WRITE | SSH_SFTP_CREATE | SSH_SFTP_EXCLUSIVE, NULL, SFTP_MS,
                        NULL) == NULL);
    free(data);
}

static void attributes(struct calls *c)
{
    uint32_t mode = 0, accessed = 0, modified = 0, user = 0, group = 0;
    SFTP_OK(ssh_sftp_chmod(c->sftp, below(c, "data"), 0640, SFTP_MS, error));
    SFTP_OK(ssh_sftp_utime(c->sftp, below(c, "data"), 1000000001, 1000000002, SFTP_MS, error));
    SFTP_OK(ssh_sftp_truncate(c->sftp, below(c, "data"), 5000, SFTP_MS, error));
    SFTP_OK(ssh_sftp_utime(c->sftp, below(c, "data"), 1000000001, 1000000002, SFTP_MS, error));
    ssh_sftp_attributes *found = ssh_sftp_lstat(c->sftp, below(c, "data"), SFTP_MS, NULL);
    CHECK(found != NULL && ssh_sftp_attributes_type(found) == SSH_SFTP_TYPE_REGULAR);
    CHECK_STATUS(ssh_sftp_attributes_permissions(found, &mode), SSH_OK);
    CHECK((mode & 07777) == 0640);
    CHECK_STATUS(ssh_sftp_attributes_times(found, &accessed, &modified), SSH_OK);
    CHECK(accessed == 1000000001 && modified == 1000000002);
    CHECK_STATUS(ssh_sftp_attributes_owner(found, &user, &group), SSH_OK);
    ssh_sftp_attributes_free(found);
    CHECK(size_of(c, "data") == 5000);
    /* To whom it belongs already: allowed to all. */
    SFTP_OK(ssh_sftp_chown(c->sftp, below(c, "data"), user, group, SFTP_MS, error));

    ssh_sftp_attributes *wanted = ssh_sftp_attributes_new();
    CHECK_STATUS(ssh_sftp_attributes_set_permissions(wanted, 0600), SSH_OK);
    CHECK_STATUS(ssh_sftp_attributes_set_times(wanted, 5, 6), SSH_OK);
    SFTP_OK(ssh_sftp_setstat(c->sftp, below(c, "data"), wanted, SFTP_MS, error));
    if (ssh_sftp_has_extension(c->sftp, "lsetstat@openssh.com")) {
        CHECK_STATUS(ssh_sftp_attributes_set_times(wanted, 7, 8), SSH_OK);
        ssh_sftp_attributes *times = ssh_sftp_attributes_new();
        CHECK_STATUS(ssh_sftp_attributes_set_times(times, 7, 8), SSH_OK);
        SFTP_OK(ssh_sftp_lsetstat(c->sftp, below(c, "data"), times, SFTP_MS, error));
        ssh_sftp_attributes_free(times);
    }
    ssh_sftp_attributes_free(wanted);

    ssh_sftp_file *file = open_file(c, "data", SSH_SFTP_WRITE | SSH_SFTP_READ);
    SFTP_OK(ssh_sftp_file_chmod(file, 0644, SFTP_MS, error));
    SFTP_OK(ssh_sftp_file_utime(file, 11, 12, SFTP_MS, error));
    SFTP_OK(ssh_sftp_file_chown(file, user, group, SFTP_MS, error));
    SFTP_OK(ssh_sftp_file_truncate(file, 4000, SFTP_MS, error));
    found = ssh_sftp_file_stat(file, SFTP_MS, NULL);
    uint64_t size = 0;
    CHECK(found != NULL && ssh_sftp_attributes_size(found, &size) == SSH_OK && size == 4000);
    CHECK_STATUS(ssh_sftp_attributes_permissions(found, &mode), SSH_OK);
    CHECK((mode & 07777) == 0644);
    SFTP_OK(ssh_sftp_file_setstat(file, found, SFTP_MS, error));
    ssh_sftp_attributes_free(found);
    ssh_sftp_file_free(file);
}

static void names(struct calls *c)
{
    void *text = NULL;
    size_t length = 0;
    SFTP_OK(ssh_sftp_mkdir(c->sftp, below(c, "sub"), 0755, SFTP_MS, error));
    SFTP_REFUSED(ssh_sftp_mkdir(c->sftp, below(c, "sub"), 0755, SFTP_MS, error), SSH_SFTP_STATUS_FAILURE);
    SFTP_OK(ssh_sftp_symlink(c->sftp, "data", below(c, "link"), SFTP_MS, error));
    SFTP_OK(ssh_sftp_readlink(c->sftp, below(c, "link"), &text, &length, SFTP_MS, error));
    CHECK(length == 4 && memcmp(text, "data", 4) == 0);
    ssh_memory_free(text);
    ssh_sftp_attributes *found = ssh_sftp_lstat(c->sftp, below(c, "link"), SFTP_MS, NULL);
    CHECK(found != NULL && ssh_sftp_attributes_type(found) == SSH_SFTP_TYPE_SYMLINK);
    ssh_sftp_attributes_free(found);
    CHECK(size_of(c, "link") == 4000);

    char indirect[PATH_MAX];
    snprintf(indirect, sizeof indirect, "%s/sub/../data", c->dir);
    SFTP_OK(ssh_sftp_realpath(c->sftp, indirect, &text, &length, SFTP_MS, error));
    CHECK(length >= 5 && memcmp((char *)text + length - 5, "/data", 5) == 0 && strstr(text, "..") == NULL);
    ssh_memory_free(text);

    SFTP_OK(ssh_sftp_rename(c->sftp, below(c, "data"), below(c, "moved"), SFTP_MS, error));
    SFTP_REFUSED(ssh_sftp_remove(c->sftp, below(c, "data"), SFTP_MS, error), SSH_SFTP_STATUS_NO_SUCH_FILE);
    if (ssh_sftp_has_extension(c->sftp, "posix-rename@openssh.com")) {
        ssh_sftp_file_free(open_file(c, "victim", SSH_SFTP_WRITE | SSH_SFTP_CREATE));
        SFTP_REFUSED(ssh_sftp_rename(c->sftp, below(c, "moved"), below(c, "victim"), SFTP_MS, error),
                     SSH_SFTP_STATUS_FAILURE);
        SFTP_OK(ssh_sftp_posix_rename(c->sftp, below(c, "moved"), below(c, "victim"), SFTP_MS, error));
        SFTP_OK(ssh_sftp_rename(c->sftp, below(c, "victim"), below(c, "moved"), SFTP_MS, error));
    }
    if (ssh_sftp_has_extension(c->sftp, "hardlink@openssh.com")) {
        SFTP_OK(ssh_sftp_hardlink(c->sftp, below(c, "moved"), below(c, "hard"), SFTP_MS, error));
        CHECK(size_of(c, "hard") == 4000);
        SFTP_OK(ssh_sftp_remove(c->sftp, below(c, "hard"), SFTP_MS, error));
    }
    SFTP_OK(ssh_sftp_remove(c->sftp, below(c, "link"), SFTP_MS, error));
    SFTP_OK(ssh_sftp_rmdir(c->sftp, below(c, "sub"), SFTP_MS, error));
    SFTP_REFUSED(ssh_sftp_rmdir(c->sftp, below(c, "sub"), SFTP_MS, error), SSH_SFTP_STATUS_NO_SUCH_FILE);
    CHECK(ssh_sftp_opendir(c->sftp, below(c, "sub"), SFTP_MS, NULL) == NULL);
}

static void directory(struct calls *c)
{
    enum { MANY = 100 };
    char name[32];
    unsigned seen = 0, special = 0;
    ssh_sftp_attributes *entry = NULL;
    ssh_status status;
    SFTP_OK(ssh_sftp_mkdir(c->sftp, below(c, "many"), 0755, SFTP_MS, error));
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "many/%d", i);
        ssh_sftp_file_free(open_file(c, name, SSH_SFTP_WRITE | SSH_SFTP_CREATE));
    }
    ssh_sftp_dir *dir = ssh_sftp_opendir(c->sftp, below(c, "many"), SFTP_MS, NULL);
    CHECK(dir != NULL);
    while ((status = ssh_sftp_dir_read(dir, &entry, SFTP_MS, NULL)) == SSH_OK) {
        size_t length = 0;
        const char *found = ssh_sftp_attributes_name(entry, &length);
        CHECK(found != NULL && strlen(found) == length);
        if (found[0] == '.')
            special++;
        else
            seen++;
        ssh_sftp_attributes_free(entry);
    }
    CHECK_STATUS(status, SSH_EOF);
    CHECK(entry == NULL && seen == MANY && special <= 2);
    SFTP_OK(ssh_sftp_dir_close(dir, SFTP_MS, error));
    ssh_sftp_dir_free(dir);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "many/%d", i);
        SFTP_OK(ssh_sftp_remove(c->sftp, below(c, name), SFTP_MS, error));
    }
    SFTP_OK(ssh_sftp_rmdir(c->sftp, below(c, "many"), SFTP_MS, error));
}

/* What OpenSSH added. Where the server does not say that it has it, the call is refused before anything is sent. */
static void extensions(struct calls *c)
{
    uint64_t values[SSH_SFTP_VFS_COUNT] = {0};
    void *text = NULL;
    size_t length = 0;
    ssh_error *failure = NULL;
    if (!ssh_sftp_has_extension(c->sftp, "statvfs@openssh.com")) {
        CHECK_STATUS(ssh_sftp_statvfs(c->sftp, c->dir, values, SSH_SFTP_VFS_COUNT, SFTP_MS, &failure), SSH_ERR_SFTP);
        CHECK(ssh_error_sftp_status(failure) == SSH_SFTP_STATUS_OP_UNSUPPORTED);
        ssh_error_free(failure);
        return;
    }
    SFTP_OK(ssh_sftp_statvfs(c->sftp, c->dir, values, SSH_SFTP_VFS_COUNT, SFTP_MS, error));
    CHECK(values[SSH_SFTP_VFS_BLOCKS] > 0 && values[SSH_SFTP_VFS_NAME_MAX] >= 14);
    ssh_sftp_file *from = open_file(c, "moved", SSH_SFTP_READ);
    SFTP_OK(ssh_sftp_file_statvfs(from, values, SSH_SFTP_VFS_COUNT, SFTP_MS, error));
    if (ssh_sftp_has_extension(c->sftp, "copy-data")) {
        ssh_sftp_file *to = open_file(c, "copy", SSH_SFTP_WRITE | SSH_SFTP_CREATE);
        SFTP_OK(ssh_sftp_file_copy_data(to, 0, from, 0, 0, SFTP_MS, error));
        SFTP_OK(ssh_sftp_file_copy_data(to, 4000, from, 100, 200, SFTP_MS, error));
        SFTP_OK(ssh_sftp_file_close(to, SFTP_MS, error));
        ssh_sftp_file_free(to);
        CHECK(size_of(c, "copy") == 4200);
        SFTP_OK(ssh_sftp_remove(c->sftp, below(c, "copy"), SFTP_MS, error));
    }
    ssh_sftp_file_free(from);
    if (ssh_sftp_has_extension(c->sftp, "expand-path@openssh.com")) {
        SFTP_OK(ssh_sftp_expand_path(c->sftp, "~/x", &text, &length, SFTP_MS, error));
        CHECK(length >= 2 && memcmp((char *)text + length - 2, "/x", 2) == 0);
        ssh_memory_free(text);
    }
    if (ssh_sftp_has_extension(c->sftp, "home-directory")) {
        /* Whether there is such a user is the server's business. */
        ssh_status status = ssh_sftp_home_directory(c->sftp, "root", &text, &length, SFTP_MS, NULL);
        CHECK(status == SSH_OK || status == SSH_ERR_SFTP);
        if (status == SSH_OK)
            ssh_memory_free(text);
    }
    if (ssh_sftp_has_extension(c->sftp, "users-groups-by-id@openssh.com")) {
        const uint32_t ids[] = {0, 4000000000};
        SFTP_OK(ssh_sftp_users_groups_by_id(c->sftp, ids, 2, ids, 1, &text, &length, SFTP_MS, error));
        CHECK(length >= 3);
        ssh_memory_free(text);
    }
    uint64_t packet = 0, read_bytes = 0, write_bytes = 0, handles = 0;
    CHECK_STATUS(ssh_sftp_limits(c->sftp, &packet, &read_bytes, &write_bytes, &handles), SSH_OK);
    CHECK(packet >= 32768 && read_bytes >= 16384 && write_bytes >= 16384);
}

struct transfer {
    uint64_t calls, last, stop_at, given;
};

static bool count_progress(void *userdata, const char *file, uint64_t done, uint64_t total, uint64_t files,
                           uint64_t skipped)
{
    struct transfer *t = userdata;
    (void)total, (void)files, (void)skipped;
    CHECK(file != NULL && done >= t->last);
    t->calls++;
    t->last = done;
    return t->stop_at == 0 || done < t->stop_at;
}

static bool take_bytes(void *userdata, const void *data, size_t length)
{
    struct transfer *t = userdata;
    CHECK(length > 0 && is_pattern(data, t->given, length));
    t->given += length;
    return true;
}

static bool give_bytes(void *userdata, void *buffer, size_t capacity, size_t *length)
{
    struct transfer *t = userdata;
    size_t piece = capacity < 7777 ? capacity : 7777;
    if (piece > SFTP_BLOCK - t->given)
        piece = SFTP_BLOCK - t->given;
    fill_pattern(buffer, t->given, piece);
    t->given += piece;
    *length = piece;
    return true;
}

static bool take_nothing(void *userdata, const void *data, size_t length)
{
    (void)userdata, (void)data, (void)length;
    return false;
}

static void transfers(struct calls *c)
{
    char local[PATH_MAX];
    struct transfer t = {0};
    unsigned char *data = malloc(SFTP_BLOCK + 1);
    CHECK(data != NULL);
    SFTP_OK(ssh_sftp_put_callback(c->sftp, give_bytes, SFTP_BLOCK, below(c, "up"), 0, count_progress, &t, SFTP_MS, error));
    CHECK(t.last == SFTP_BLOCK && t.calls > 1 && size_of(c, "up") == SFTP_BLOCK);
    t = (struct transfer){0};
    SFTP_OK(ssh_sftp_get_callback(c->sftp, below(c, "up"), 0, take_bytes, 0, NULL, &t, SFTP_MS, error));
    CHECK(t.given == SFTP_BLOCK);
    CHECK_STATUS(ssh_sftp_get_callback(c->sftp, below(c, "up"), 0, take_nothing, 0, NULL, NULL, SFTP_MS, NULL),
                 SSH_ERR_CALLBACK);

    /* Cut off by the progress callback, then resumed; the beginning is not sent again. */
    snprintf(local, sizeof local, "%s/down", c->local);
    t = (struct transfer){.stop_at = SFTP_BLOCK / 3};
    CHECK_STATUS(ssh_sftp_get(c->sftp, below(c, "up"), local, 0, count_progress, &t, SFTP_MS, NULL), SSH_ERR_CANCELLED);
    struct stat there;
    CHECK(stat(local, &there) == 0 && there.st_size > 0 && there.st_size < SFTP_BLOCK);
    t = (struct transfer){.last = (uint64_t)there.st_size};
    SFTP_OK(ssh_sftp_get(c->sftp, below(c, "up"), local, SSH_SFTP_RESUME, count_progress, &t, SFTP_MS, error));
    int fd = open(local, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0 && read(fd, data, SFTP_BLOCK + 1) == SFTP_BLOCK && is_pattern(data, 0, SFTP_BLOCK));

    t = (struct transfer){.stop_at = SFTP_BLOCK / 3};
    CHECK_STATUS(ssh_sftp_put(c->sftp, local, below(c, "again"), 0, count_progress, &t, SFTP_MS, NULL),
                 SSH_ERR_CANCELLED);
    t = (struct transfer){.last = size_of(c, "again")};
    CHECK(t.last < SFTP_BLOCK);
    SFTP_OK(ssh_sftp_put(c->sftp, local, below(c, "again"), SSH_SFTP_RESUME, count_progress, &t, SFTP_MS, error));
    CHECK(size_of(c, "again") == SFTP_BLOCK);

    CHECK(lseek(fd, 100, SEEK_SET) == 100);
    SFTP_OK(ssh_sftp_put_fd(c->sftp, fd, below(c, "again"), 0, NULL, NULL, SFTP_MS, error));
    CHECK(size_of(c, "again") == SFTP_BLOCK - 100);
    CHECK(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    SFTP_OK(ssh_sftp_get_fd(c->sftp, below(c, "up"), fd, 0, NULL, NULL, SFTP_MS, error));
    CHECK(pread(fd, data, SFTP_BLOCK + 1, 0) == SFTP_BLOCK && is_pattern(data, 0, SFTP_BLOCK));
    CHECK(close(fd) == 0);

    /* This machine's disk is full; there is no such file here; there is none there. */
    ssh_error *failure = NULL;
    fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_STATUS(ssh_sftp_get_fd(c->sftp, below(c, "up"), fd, 0, NULL, NULL, SFTP_MS, &failure), SSH_ERR_IO);
    CHECK(strstr(ssh_error_message(failure), "No space left") != NULL);
    ssh_error_free(failure);
    CHECK(close(fd) == 0);
    CHECK_STATUS(ssh_sftp_put(c->sftp, "/nowhere/at/all", below(c, "x"), 0, NULL, NULL, SFTP_MS, NULL), SSH_ERR_IO);
    SFTP_REFUSED(ssh_sftp_get(c->sftp, below(c, "nowhere"), local, 0, NULL, NULL, SFTP_MS, error),
                 SSH_SFTP_STATUS_NO_SUCH_FILE);
    CHECK(unlink(local) == 0);
    SFTP_OK(ssh_sftp_remove(c->sftp, below(c, "up"), SFTP_MS, error));
    SFTP_OK(ssh_sftp_remove(c->sftp, below(c, "again"), SFTP_MS, error));
    free(data);
}

struct reader {
    struct calls calls;
    ssh_sftp_file *file;
    size_t from;
};

static void *read_anywhere(void *argument)
{
    struct reader *r = argument;
    unsigned char *data = malloc(100000);
    CHECK(data != NULL);
    for (int i = 0; i < 15; i++) {
        size_t done, at = (r->from + (size_t)i * 70001) % (SFTP_BLOCK - 100000);
        SFTP_OK(ssh_sftp_file_pread(r->file, at, data, 100000, &done, SFTP_MS, error));
        CHECK(done == 100000 && is_pattern(data, at, done));
        CHECK(size_of(&r->calls, "shared") == SFTP_BLOCK);
    }
    free(data);
    return NULL;
}

/* Several threads on one session and one file. */
static void threads(struct calls *c)
{
    enum { THREADS = 4 };
    pthread_t ids[THREADS];
    struct reader readers[THREADS];
    struct transfer t = {0};
    SFTP_OK(ssh_sftp_put_callback(c->sftp, give_bytes, UINT64_MAX, below(c, "shared"), 0, NULL, &t, SFTP_MS, error));
    ssh_sftp_file *file = open_file(c, "shared", SSH_SFTP_READ);
    for (size_t i = 0; i < THREADS; i++) {
        readers[i] = (struct reader){.calls = *c, .file = file, .from = i * 333333};
        CHECK(pthread_create(&ids[i], NULL, read_anywhere, &readers[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_join(ids[i], NULL) == 0);
    ssh_sftp_file_free(file);
    SFTP_OK(ssh_sftp_remove(c->sftp, below(c, "shared"), SFTP_MS, error));
}

/* Everything. The directory is as empty afterwards as before. */
static void sftp_calls(ssh_sftp *sftp, const char *dir, const char *local)
{
    struct calls c = {.sftp = sftp, .dir = dir, .local = local};
    read_and_write(&c);
    attributes(&c);
    names(&c);
    extensions(&c);
    SFTP_OK(ssh_sftp_remove(sftp, below(&c, "moved"), SFTP_MS, error));
    directory(&c);
    transfers(&c);
    threads(&c);
}

#endif
