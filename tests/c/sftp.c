/* SFTP, client and server of ours: every call, and how calls end. */
#include "pair.h"
#include "sftp_calls.h"

#include <ftw.h>
#include <sys/stat.h>

static char root[] = "/tmp/sshwire-c-sftp-XXXXXX";
static ssh_sftp_server *files;

static void serve_files(ssh_request *request, void *userdata)
{
    ssh_error *error = NULL;
    (void)userdata;
    CHECK(strcmp(ssh_request_name(request), "sftp") == 0);
    CHECK_OK(ssh_request_accept_sftp(request, files, &error), error);
    CHECK_STATUS(ssh_request_accept_sftp(request, files, NULL), SSH_ERR_STATE);
    ssh_request_free(request);
}

/* A pair that is logged in, and whose server has files. */
static ssh_sftp *files_pair(pair *p)
{
    ssh_error *error = NULL;
    pair_make(p);
    CHECK_STATUS(ssh_server_set_callback(p->server, SSH_REQUEST_SUBSYSTEM, serve_files, NULL, NULL), SSH_OK);
    pair_login(p);
    ssh_sftp *sftp = ssh_transport_open_sftp_client(p->client, SFTP_MS, &error);
    if (sftp == NULL)
        fprintf(stderr, "%s\n", ssh_error_message(error));
    CHECK(sftp != NULL);
    return sftp;
}

static char *in_root(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void every_call(void)
{
    pair p;
    char local[PATH_MAX];
    ssh_sftp *sftp = files_pair(&p);
    CHECK(mkdir(in_root("work"), 0755) == 0 && mkdir(in_root("local"), 0755) == 0);
    snprintf(local, sizeof local, "%s", in_root("local"));
    sftp_calls(sftp, "/work", local);
    CHECK(rmdir(in_root("work")) == 0);
    /* A second session on the same transport, and the first one freed before its transport. */
    ssh_sftp *second = ssh_transport_open_sftp_client(p.client, SFTP_MS, NULL);
    CHECK(second != NULL && ssh_sftp_has_extension(second, "limits@openssh.com"));
    ssh_sftp_free(sftp);
    SFTP_OK(ssh_sftp_mkdir(second, "/d", 0700, SFTP_MS, error));
    SFTP_OK(ssh_sftp_rmdir(second, "/d", SFTP_MS, error));
    pair_free(&p);
    CHECK(ssh_sftp_rmdir(second, "/d", SFTP_MS, NULL) < 0);
    ssh_sftp_free(second);
}

/* A session over a channel of the program's, whose handle may be freed before it. */
static void over_a_channel(void)
{
    pair p;
    ssh_error *failure = NULL;
    ssh_sftp_free(files_pair(&p));
    ssh_channel *channel = ssh_transport_open_session(p.client, SFTP_MS, &failure);
    CHECK_OK(ssh_channel_request_subsystem(channel, "sftp", SFTP_MS, &failure), failure);
    ssh_sftp *sftp = ssh_sftp_new_channel(channel, SFTP_MS, &failure);
    CHECK(sftp != NULL);
    ssh_channel_free(channel);
    SFTP_OK(ssh_sftp_mkdir(sftp, "/over", 0700, SFTP_MS, error));
    SFTP_OK(ssh_sftp_rmdir(sftp, "/over", SFTP_MS, error));
    /* With the session the channel ends, too. */
    ssh_sftp_free(sftp);
    uint64_t figures[SSH_STATISTIC_COUNT];
    do {
        usleep(1000);
        CHECK_STATUS(ssh_transport_statistics(p.client, figures, SSH_STATISTIC_COUNT), SSH_OK);
    } while (figures[SSH_STATISTIC_CHANNELS] != 0);
    pair_free(&p);
}

/* What the options of the server say is kept. */
static void read_only(void)
{
    pair p;
    CHECK_STATUS(ssh_sftp_server_set_read_only(files, true), SSH_OK);
    ssh_sftp *sftp = files_pair(&p);
    CHECK_STATUS(ssh_sftp_server_set_read_only(files, false), SSH_OK); /* for later sessions */
    SFTP_REFUSED(ssh_sftp_mkdir(sftp, "/d", 0700, SFTP_MS, error), SSH_SFTP_STATUS_PERMISSION_DENIED);
    SFTP_REFUSED(ssh_sftp_symlink(sftp, "/a", "/b", SFTP_MS, error), SSH_SFTP_STATUS_PERMISSION_DENIED);
    SFTP_REFUSED(ssh_sftp_rename(sftp, "/local", "/b", SFTP_MS, error), SSH_SFTP_STATUS_PERMISSION_DENIED);
    SFTP_REFUSED(ssh_sftp_chmod(sftp, "/local", 0, SFTP_MS, error), SSH_SFTP_STATUS_PERMISSION_DENIED);
    CHECK(ssh_sftp_open(sftp, "/x", SSH_SFTP_WRITE | SSH_SFTP_CREATE, NULL, SFTP_MS, NULL) == NULL);
    ssh_sftp_free(sftp);
    pair_free(&p);
}

/* Nothing leads out of the directory. */
static void confined(void)
{
    pair p;
    void *text;
    size_t length;
    ssh_sftp *sftp = files_pair(&p);
    SFTP_OK(ssh_sftp_realpath(sftp, "../../../local/new", &text, &length, SFTP_MS, error));
    CHECK(strcmp(text, "/local/new") == 0);
    ssh_memory_free(text);
    CHECK(ssh_sftp_stat(sftp, "/etc/passwd", SFTP_MS, NULL) == NULL);
    CHECK(symlink("/etc", in_root("out")) == 0 && symlink("../../../../etc", in_root("up")) == 0);
    CHECK(ssh_sftp_stat(sftp, "/out/passwd", SFTP_MS, NULL) == NULL);
    CHECK(ssh_sftp_stat(sftp, "/up/passwd", SFTP_MS, NULL) == NULL);
    CHECK(ssh_sftp_open(sftp, "/out/passwd", SSH_SFTP_READ, NULL, SFTP_MS, NULL) == NULL);
    CHECK(ssh_sftp_opendir(sftp, "/out", SFTP_MS, NULL) == NULL);
    CHECK(ssh_sftp_mkdir(sftp, "/up/sshwire-test", 0700, SFTP_MS, NULL) == SSH_ERR_SFTP);
    CHECK(ssh_sftp_hardlink(sftp, "/up/passwd", "/stolen", SFTP_MS, NULL) == SSH_ERR_SFTP);
    CHECK(unlink(in_root("out")) == 0 && unlink(in_root("up")) == 0);
    ssh_sftp_free(sftp);
    pair_free(&p);
}

struct ending {
    pair *p;
    ssh_sftp *sftp;
    int way;
    atomic_int calls;
};

/* Called in the middle of a download: pulls the ground from under it. */
static bool end_it(void *userdata, const void *data, size_t length)
{
    struct ending *e = userdata;
    (void)data, (void)length;
    if (atomic_fetch_add(&e->calls, 1) == 2) {
        if (e->way == 0)
            CHECK_STATUS(ssh_sftp_close(e->sftp), SSH_OK);
        else if (e->way == 1)
            CHECK_STATUS(ssh_transport_close(e->p->server_transport), SSH_OK);
        else if (e->way == 2)
            ssh_transport_free(e->p->client);
        else
            CHECK_STATUS(ssh_transport_cancel(e->p->client), SSH_OK);
    }
    return true;
}

static void ends_midway(void)
{
    int fd = open(in_root("big"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, 64L * 1024 * 1024) == 0 && close(fd) == 0);
    for (int way = 0; way < 4; way++) {
        pair p;
        struct ending e = {.p = &p, .way = way};
        e.sftp = files_pair(&p);
        ssh_error *failure = NULL;
        ssh_status status = ssh_sftp_get_callback(e.sftp, "/big", 0, end_it, 0, NULL, &e, SFTP_MS, &failure);
        if (way == 3)
            CHECK_STATUS(status, SSH_ERR_CANCELLED);
        CHECK(status < 0 && ssh_error_code(failure) == status && ssh_error_message(failure)[0] != '\0');
        ssh_error_free(failure);
        if (way == 3) {
            /* Only the calls that waited were cancelled. */
            SFTP_OK(ssh_sftp_mkdir(e.sftp, "/d", 0700, SFTP_MS, error));
            SFTP_OK(ssh_sftp_rmdir(e.sftp, "/d", SFTP_MS, error));
        }
        ssh_sftp_free(e.sftp);
        pair_free(&p);
    }
    CHECK(unlink(in_root("big")) == 0);
}

/* A file grows and shrinks under the copy; a write that fails leaves no hole. */
static bool shrink(void *userdata, const char *file, uint64_t done, uint64_t total, uint64_t count, uint64_t skipped)
{
    atomic_int *calls = userdata;
    (void)file, (void)done, (void)total, (void)count, (void)skipped;
    if (atomic_fetch_add(calls, 1) == 0)
        CHECK(truncate(in_root("live"), 3L * 1024 * 1024) == 0);
    return true;
}

static bool grow(void *userdata, const char *file, uint64_t done, uint64_t total, uint64_t count, uint64_t skipped)
{
    atomic_int *calls = userdata;
    (void)file, (void)done, (void)total, (void)count, (void)skipped;
    if (atomic_fetch_add(calls, 1) == 0)
        CHECK(truncate(in_root("live"), 12L * 1024 * 1024) == 0);
    return true;
}

static void changes_meanwhile(void)
{
    pair p;
    struct stat got;
    char local[PATH_MAX];
    ssh_sftp *sftp = files_pair(&p);
    snprintf(local, sizeof local, "%s", in_root("local/live"));
    for (int way = 0; way < 2; way++) {
        atomic_int calls = 0;
        int fd = open(in_root("live"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        CHECK(fd >= 0 && ftruncate(fd, 8L * 1024 * 1024) == 0 && close(fd) == 0);
        SFTP_OK(ssh_sftp_get(sftp, "/live", local, 0, way == 0 ? shrink : grow, &calls, SFTP_MS, error));
        CHECK(stat(local, &got) == 0);
        /* At least what is there in the end, and never more than there ever was. */
        CHECK(way == 0 ? got.st_size >= 3L * 1024 * 1024 && got.st_size <= 8L * 1024 * 1024
                       : got.st_size == 12L * 1024 * 1024);
        CHECK(unlink(local) == 0);
    }
    CHECK(unlink(in_root("live")) == 0);
    ssh_sftp_free(sftp);
    pair_free(&p);
}

static void misuse(void)
{
    pair p;
    size_t done = 7;
    char byte;
    ssh_sftp *sftp = files_pair(&p);
    CHECK_STATUS(ssh_sftp_mkdir(NULL, "/d", 0, 1, NULL), SSH_ERR_BAD_HANDLE);
    CHECK_STATUS(ssh_sftp_mkdir(sftp, NULL, 0, 1, NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_sftp_mkdir((ssh_sftp *)p.client, "/d", 0, 1, NULL), SSH_ERR_BAD_HANDLE);
    ssh_sftp_file *file = ssh_sftp_open(sftp, "/f", SSH_SFTP_WRITE | SSH_SFTP_CREATE, NULL, SFTP_MS, NULL);
    CHECK(file != NULL);
    ssh_sftp_free(sftp);
    CHECK_STATUS(ssh_sftp_mkdir(sftp, "/d", 0, 1, NULL), SSH_ERR_BAD_HANDLE);
    /* What was opened keeps the session. */
    SFTP_OK(ssh_sftp_file_write(file, "x", 1, &done, SFTP_MS, error));
    SFTP_OK(ssh_sftp_file_close(file, SFTP_MS, error));
    ssh_sftp_file_free(file);
    CHECK_STATUS(ssh_sftp_file_read(file, &byte, 1, &done, 1, NULL), SSH_ERR_BAD_HANDLE);
    ssh_sftp_file_free(file);
    ssh_sftp_free(NULL);
    CHECK(unlink(in_root("f")) == 0);
    pair_free(&p);
}

/* A server without special rights gives no file away, and says so. The last of all: this process keeps what it drops. */
static void owners(void)
{
    const unsigned nobody = 65534, somebody = 12345;
    char top[] = "/tmp/sshwire-c-sftp-XXXXXX";
    pair p;
    CHECK(mkdtemp(top) != NULL);
    if (geteuid() == 0)
        CHECK(chown(top, nobody, nobody) == 0 && setresgid(nobody, nobody, nobody) == 0
              && setresuid(nobody, nobody, nobody) == 0);
    files = ssh_sftp_server_new_directory(top, NULL);
    CHECK(files != NULL);
    ssh_sftp *sftp = files_pair(&p);
    SFTP_OK(ssh_sftp_mkdir(sftp, "/mine", 0700, SFTP_MS, error));
    SFTP_REFUSED(ssh_sftp_chown(sftp, "/mine", somebody, somebody, SFTP_MS, error), SSH_SFTP_STATUS_PERMISSION_DENIED);
    ssh_error *failure = NULL;
    CHECK_STATUS(ssh_sftp_chown(sftp, "/mine", somebody, somebody, SFTP_MS, &failure), SSH_ERR_SFTP);
    CHECK(strstr(ssh_error_message(failure), "owner") != NULL);
    ssh_error_free(failure);
    SFTP_OK(ssh_sftp_chown(sftp, "/mine", geteuid(), getegid(), SFTP_MS, error));
    SFTP_OK(ssh_sftp_rmdir(sftp, "/mine", SFTP_MS, error));
    ssh_sftp_free(sftp);
    pair_free(&p);
    ssh_sftp_server_free(files);
    CHECK(rmdir(top) == 0);
}

static atomic_int refused;

static void serve_some(ssh_request *request, void *userdata)
{
    (void)userdata;
    ssh_status status = ssh_request_accept_sftp(request, files, NULL);
    if (status == SSH_ERR_LIMIT) {
        if (atomic_load(&refused) == 0) /* it has its answer; until this is counted nobody ends the test */
            CHECK_STATUS(ssh_request_accept_sftp(request, files, NULL), SSH_ERR_STATE);
        atomic_fetch_add(&refused, 1);
    } else
        CHECK_STATUS(status, SSH_OK);
    ssh_request_free(request);
}

/* One transport has 32 channels that are served; when one of them is closed, another one may come. */
static void many_channels(void)
{
    pair p;
    ssh_error *error = NULL;
    ssh_channel *channels[33];
    pair_make(&p);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_SUBSYSTEM, serve_some, NULL, NULL), SSH_OK);
    pair_login(&p);
    for (int i = 0; i < 33; i++) {
        channels[i] = ssh_transport_open_session(p.client, PAIR_MS, &error);
        CHECK(channels[i] != NULL);
        CHECK_STATUS(ssh_channel_request_subsystem(channels[i], "sftp", PAIR_MS, NULL), i < 32 ? SSH_OK : SSH_ERR_DENIED);
    }
    wait_for(&refused, 1);
    CHECK_STATUS(ssh_channel_close(channels[0]), SSH_OK);
    /* The place is free when the server's thread has seen that. */
    long until = milliseconds() + PAIR_MS;
    while (ssh_channel_request_subsystem(channels[32], "sftp", PAIR_MS, NULL) != SSH_OK && milliseconds() < until)
        usleep(1000);
    CHECK(milliseconds() < until);
    for (int i = 0; i < 33; i++)
        ssh_channel_free(channels[i]);
    pair_free(&p);
}

static int remove_entry(const char *path, const struct stat *found, int type, struct FTW *where)
{
    (void)found, (void)type, (void)where;
    return remove(path);
}

int main(void)
{
    watchdog(240);
    CHECK(mkdtemp(root) != NULL);
    files = ssh_sftp_server_new_directory(root, NULL);
    CHECK(files != NULL);
    every_call();
    over_a_channel();
    read_only();
    confined();
    ends_midway();
    changes_meanwhile();
    misuse();
    many_channels();
    ssh_sftp_server_free(files);
    CHECK(nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
    owners();
    puts("sftp: ok");
    return 0;
}
