/*
 * What a worker does by SFTP: a file up, down and away, and a look at the directory.
 */
#include "client.h"

struct stream {
    uint64_t start, at, total;
    bool same;
};

static bool give(void *userdata, void *buffer, size_t capacity, size_t *length)
{
    struct stream *stream = userdata;
    uint64_t left = stream->total - stream->at;
    *length = left < capacity ? (size_t)left : capacity;
    noise_copy(buffer, stream->start + stream->at, *length);
    stream->at += *length;
    return true;
}

static bool take(void *userdata, const void *data, size_t length)
{
    struct stream *stream = userdata;
    stream->same = stream->same && noise_is(data, stream->start + stream->at, length);
    stream->at += length;
    return true;
}

/* The file is in the listing of its directory. */
static bool look(struct worker *worker, ssh_sftp *sftp, const char *directory, const char *name)
{
    ssh_error *error = NULL;
    ssh_sftp_attributes *entry;
    ssh_status status;
    bool found = false;
    ssh_sftp_dir *dir = ssh_sftp_opendir(sftp, directory, LIMIT_MS, &error);
    if (dir == NULL)
        return failed(worker, "directory", SSH_OK, error);
    while ((status = ssh_sftp_dir_read(dir, &entry, LIMIT_MS, &error)) == SSH_OK) {
        const char *found_name = ssh_sftp_attributes_name(entry, NULL);
        found = found || (found_name != NULL && strcmp(found_name, name) == 0);
        ssh_sftp_attributes_free(entry);
    }
    ssh_sftp_dir_free(dir);
    if (status != SSH_EOF)
        return failed(worker, "directory", status, error);
    return found || wrong(worker, "the file is not listed");
}

static bool there_and_back(struct worker *worker, ssh_sftp *sftp)
{
    char name[64], path[4096];
    ssh_error *error = NULL;
    struct stream up = {.start = dice(&worker->state, NOISE_SIZE), .total = dice(&worker->state, 1024 * 1024)};
    struct stream down = {.start = up.start, .total = up.total, .same = true};
    snprintf(name, sizeof name, "%s%u", client_name, worker->number);
    snprintf(path, sizeof path, "%s/%s", worker->place->files, name);
    ssh_status status = ssh_sftp_put_callback(sftp, give, up.total, path, 0, NULL, &up, LIMIT_MS, &error);
    if (status != SSH_OK)
        return failed(worker, "put", status, error);
    if (!look(worker, sftp, worker->place->files, name))
        return false;
    status = ssh_sftp_get_callback(sftp, path, 0, take, 0, NULL, &down, LIMIT_MS, &error);
    if (status != SSH_OK)
        return failed(worker, "get", status, error);
    if (!down.same || down.at != down.total)
        return wrong(worker, "another file came back");
    atomic_fetch_add(&moved, up.total + down.total);
    status = ssh_sftp_remove(sftp, path, LIMIT_MS, &error);
    return status == SSH_OK || failed(worker, "remove", status, error);
}

bool do_files(struct worker *worker, ssh_transport *transport)
{
    ssh_error *error = NULL;
    ssh_sftp *sftp = ssh_transport_open_sftp_client(transport, LIMIT_MS, &error);
    if (sftp == NULL)
        return failed(worker, "sftp", SSH_OK, error);
    bool good = there_and_back(worker, sftp);
    ssh_sftp_free(sftp);
    return good;
}
