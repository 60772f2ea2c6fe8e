/* Files that the program makes up: every call of the client, answers that come late and out of order, clients that go
 * away, and answers that do not fit. */
#include "pair.h"
#include "sftp_calls.h"

#include "../../examples-c/memory_files.c"

#define WAIT_MS (60000 * (int)slow())

static ssh_sftp_server *server_files;

static void serve_files(ssh_request *request, void *userdata)
{
    ssh_error *error = NULL;
    (void)userdata;
    CHECK_OK(ssh_request_accept_sftp(request, server_files, &error), error);
    ssh_request_free(request);
}

/* A pair that is logged in, and whose server has the files that are set up now. */
static ssh_sftp *files_pair(pair *p)
{
    ssh_error *error = NULL;
    pair_make(p);
    CHECK_STATUS(ssh_server_set_callback(p->server, SSH_REQUEST_SUBSYSTEM, serve_files, NULL, NULL), SSH_OK);
    pair_login(p);
    ssh_sftp *sftp = ssh_transport_open_sftp_client(p->client, WAIT_MS, &error);
    if (sftp == NULL)
        fprintf(stderr, "%s\n", ssh_error_message(error));
    CHECK(sftp != NULL);
    return sftp;
}

static void until_open(struct memory_files *files, unsigned wanted)
{
    long until = milliseconds() + WAIT_MS;
    while (memory_files_open(files) != wanted && milliseconds() < until)
        usleep(1000);
    CHECK(memory_files_open(files) == wanted);
}

/* --- every call ----------------------------------------------------------------------------------------- */

static void every_call(void)
{
    pair p;
    char local[] = "/tmp/sshwire-c-virtual-XXXXXX";
    struct memory_files *files = memory_files_new(64 << 20);
    CHECK(mkdtemp(local) != NULL && files != NULL);
    server_files = ssh_sftp_server_new_virtual(NULL);
    CHECK(server_files != NULL);
    memory_files_serve(files, server_files);
    ssh_sftp *sftp = files_pair(&p);
    CHECK(ssh_sftp_has_extension(sftp, "hardlink@openssh.com") && !ssh_sftp_has_extension(sftp, "copy-data"));
    SFTP_OK(ssh_sftp_mkdir(sftp, "work", 0755, SFTP_MS, error));
    sftp_calls(sftp, "/work", local);
    CHECK(rmdir(local) == 0);
    SFTP_REFUSED(ssh_sftp_rename(sftp, "/work", "/work/below", SFTP_MS, error), SSH_SFTP_STATUS_FAILURE);
    SFTP_REFUSED(ssh_sftp_rmdir(sftp, "/", SFTP_MS, error), SSH_SFTP_STATUS_FAILURE);
    SFTP_OK(ssh_sftp_symlink(sftp, "../loop", "/loop", SFTP_MS, error));
    CHECK(ssh_sftp_stat(sftp, "/loop", SFTP_MS, NULL) == NULL);
    SFTP_OK(ssh_sftp_remove(sftp, "/loop", SFTP_MS, error));

    /* A full disk loses nothing silently. */
    static const char block[100000];
    size_t done;
    ssh_sftp_file *file = ssh_sftp_open(sftp, "/full", SSH_SFTP_WRITE | SSH_SFTP_CREATE, NULL, SFTP_MS, NULL);
    CHECK(file != NULL);
    CHECK(ssh_sftp_file_pwrite(file, UINT64_MAX - 10, block, 5, &done, SFTP_MS, NULL) != SSH_OK);
    ssh_status status = SSH_OK;
    while (status == SSH_OK)
        status = ssh_sftp_file_write(file, block, sizeof block, &done, SFTP_MS, NULL);
    CHECK_STATUS(status, SSH_ERR_SFTP);
    ssh_sftp_file_free(file);
    SFTP_OK(ssh_sftp_remove(sftp, "/full", SFTP_MS, error));
    ssh_sftp_free(sftp);
    pair_free(&p);
    until_open(files, 0);
    ssh_sftp_server_free(server_files);
    CHECK(files->root->count == 1 && files->nodes == 2);
    CHECK(files->bytes == 2 * NODE_BYTES + ENTRY_BYTES + strlen("work"));
    memory_files_free(files);
}

/* A tree deeper than any path can say, and a full disk of names. */
static void deep_and_full(void)
{
    pair p;
    struct memory_files *files = memory_files_new(1 << 20);
    server_files = ssh_sftp_server_new_virtual(NULL);
    memory_files_serve(files, server_files);
    ssh_sftp *sftp = files_pair(&p);
    SFTP_OK(ssh_sftp_mkdir(sftp, "/deep", 0755, SFTP_MS, error));
    for (int i = 0; i < 1000; i++) {
        SFTP_OK(ssh_sftp_mkdir(sftp, "/next", 0755, SFTP_MS, error));
        SFTP_OK(ssh_sftp_rename(sftp, "/deep", "/next/deep", SFTP_MS, error));
        SFTP_OK(ssh_sftp_rename(sftp, "/next", "/deep", SFTP_MS, error));
    }
    SFTP_REFUSED(ssh_sftp_rename(sftp, "/deep", "/deep/deep/deep/x", SFTP_MS, error), SSH_SFTP_STATUS_FAILURE);
    size_t done;
    ssh_sftp_file *file = ssh_sftp_open(sftp, "/file", SSH_SFTP_WRITE | SSH_SFTP_CREATE, NULL, SFTP_MS, NULL);
    SFTP_OK(ssh_sftp_file_write(file, "x", 1, &done, SFTP_MS, error));
    ssh_sftp_file_free(file);
    ssh_status status = SSH_OK;
    for (int i = 0; status == SSH_OK && i < 100000; i++) {
        char name[32];
        snprintf(name, sizeof name, "/link%d", i);
        status = ssh_sftp_hardlink(sftp, "/file", name, SFTP_MS, NULL);
    }
    CHECK_STATUS(status, SSH_ERR_SFTP);
    ssh_sftp_free(sftp);
    pair_free(&p);
    until_open(files, 0);
    ssh_sftp_server_free(server_files);
    memory_files_free(files);
}

/* A program that answers in callbacks alone has nothing to free: the channels go with their sessions. */
static void sessions_leave_no_channel(void)
{
    pair p;
    struct memory_files *files = memory_files_new(1 << 20);
    server_files = ssh_sftp_server_new_virtual(NULL);
    memory_files_serve(files, server_files);
    pair_make(&p);
    CHECK_STATUS(ssh_transport_set_channel_limit(p.server_transport, 3), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_SUBSYSTEM, serve_files, NULL, NULL), SSH_OK);
    pair_login(&p);
    for (int i = 0; i < 20; i++) {
        ssh_sftp *sftp;
        long until = milliseconds() + WAIT_MS;
        /* That of the session before may be on its way out. */
        while ((sftp = ssh_transport_open_sftp_client(p.client, WAIT_MS, NULL)) == NULL && milliseconds() < until)
            usleep(1000);
        CHECK(sftp != NULL);
        SFTP_OK(ssh_sftp_mkdir(sftp, "/d", 0755, SFTP_MS, error));
        SFTP_OK(ssh_sftp_rmdir(sftp, "/d", SFTP_MS, error));
        ssh_sftp_free(sftp);
    }
    CHECK(ssh_transport_accept(p.server_transport, 0, NULL) == NULL);
    pair_free(&p);
    ssh_sftp_server_free(server_files);
    until_open(files, 0);
    memory_files_free(files);
}

/* What no callback is there for is refused, and what is read-only is not asked about. */
static void nothing_and_read_only(void)
{
    pair p;
    void *text;
    size_t length;
    server_files = ssh_sftp_server_new_virtual(NULL);
    ssh_sftp *sftp = files_pair(&p);
    SFTP_OK(ssh_sftp_realpath(sftp, "a/../b", &text, &length, SFTP_MS, error));
    CHECK(length == 2 && memcmp(text, "/b", 2) == 0);
    ssh_memory_free(text);
    SFTP_REFUSED(ssh_sftp_mkdir(sftp, "/a", 0755, SFTP_MS, error), SSH_SFTP_STATUS_OP_UNSUPPORTED);
    CHECK(!ssh_sftp_has_extension(sftp, "fsync@openssh.com") && ssh_sftp_has_extension(sftp, "limits@openssh.com"));
    ssh_sftp_free(sftp);
    pair_free(&p);

    struct memory_files *files = memory_files_new(1 << 20);
    memory_files_serve(files, server_files);
    CHECK_STATUS(ssh_sftp_server_set_read_only(server_files, true), SSH_OK);
    CHECK_STATUS(ssh_sftp_server_set_max_handles(server_files, 2), SSH_OK);
    sftp = files_pair(&p);
    SFTP_REFUSED(ssh_sftp_mkdir(sftp, "/a", 0755, SFTP_MS, error), SSH_SFTP_STATUS_PERMISSION_DENIED);
    CHECK(ssh_sftp_open(sftp, "/a", SSH_SFTP_WRITE | SSH_SFTP_CREATE, NULL, SFTP_MS, NULL) == NULL);
    ssh_sftp_dir *dirs[2] = {ssh_sftp_opendir(sftp, "/", SFTP_MS, NULL), ssh_sftp_opendir(sftp, "/", SFTP_MS, NULL)};
    CHECK(dirs[0] != NULL && dirs[1] != NULL && memory_files_open(files) == 2);
    CHECK(ssh_sftp_opendir(sftp, "/", SFTP_MS, NULL) == NULL);
    /* One is closed, the other one left behind. */
    SFTP_OK(ssh_sftp_dir_close(dirs[0], SFTP_MS, error));
    CHECK(memory_files_open(files) == 1);
    pair_free(&p);
    until_open(files, 0);
    ssh_sftp_dir_free(dirs[0]);
    ssh_sftp_dir_free(dirs[1]);
    ssh_sftp_free(sftp);
    ssh_sftp_server_free(server_files);
    memory_files_free(files);
}

/* --- late answers --------------------------------------------------------------------------------------- */

#define MOST_HELD 16

/* Operations wait here until there are some, and are then carried out backwards. */
static struct {
    struct memory_files *files;
    pthread_mutex_t lock;
    ssh_sftp_operation *held[64];
    size_t count, most, in_all;
    bool hold, stop;
} late = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void hold_operation(ssh_sftp_operation *operation, void *userdata)
{
    (void)userdata;
    int32_t kind = ssh_sftp_operation_kind(operation);
    pthread_mutex_lock(&late.lock);
    CHECK(late.count < sizeof late.held / sizeof late.held[0]);
    if (kind == SSH_SFTP_OP_CLOSE) /* nothing is under way with its file */
        for (size_t i = 0; i < late.count; i++)
            CHECK(ssh_sftp_operation_file(late.held[i]) != ssh_sftp_operation_file(operation));
    late.held[late.count++] = operation;
    late.in_all++;
    if (late.count > late.most)
        late.most = late.count;
    pthread_mutex_unlock(&late.lock);
}

static void *answer_backwards(void *unused)
{
    bool stop = false;
    (void)unused;
    while (!stop) {
        ssh_sftp_operation *taken[64];
        size_t count = 0;
        usleep(300);
        pthread_mutex_lock(&late.lock);
        if (!late.hold) {
            count = late.count;
            memcpy(taken, late.held, sizeof taken);
            late.count = 0;
        }
        stop = late.stop && late.count == 0;
        pthread_mutex_unlock(&late.lock);
        while (count > 0)
            carry_out(taken[--count], late.files);
    }
    return NULL;
}

static void late_answers(void)
{
    pair p;
    char local[] = "/tmp/sshwire-c-virtual-XXXXXX";
    pthread_t thread;
    CHECK(mkdtemp(local) != NULL);
    late.files = memory_files_new(64 << 20);
    late.stop = late.hold = false;
    server_files = ssh_sftp_server_new_virtual(NULL);
    CHECK_STATUS(ssh_sftp_server_set_callback(server_files, SSH_SFTP_OP_ANY, hold_operation, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_sftp_server_set_max_operations(server_files, MOST_HELD), SSH_OK);
    CHECK_STATUS(ssh_sftp_server_set_max_operations(server_files, 0), SSH_ERR_INVALID_ARG);
    CHECK(pthread_create(&thread, NULL, answer_backwards, NULL) == 0);
    ssh_sftp *sftp = files_pair(&p);
    SFTP_OK(ssh_sftp_mkdir(sftp, "/work", 0755, SFTP_MS, error));
    sftp_calls(sftp, "/work", local);

    /* Nobody answers: the session waits, and keeps to its bound; the rest of the connection goes on. */
    struct transfer t = {0};
    SFTP_OK(ssh_sftp_put_callback(sftp, give_bytes, SFTP_BLOCK, "/data", 0, NULL, &t, SFTP_MS, error));
    ssh_sftp_file *file = ssh_sftp_open(sftp, "/data", SSH_SFTP_READ, NULL, SFTP_MS, NULL);
    CHECK(file != NULL && memory_files_open(late.files) == 1);
    pthread_mutex_lock(&late.lock);
    late.hold = true;
    pthread_mutex_unlock(&late.lock);
    static unsigned char data[SFTP_BLOCK];
    size_t done;
    CHECK_STATUS(ssh_sftp_file_read(file, data, sizeof data, &done, 300, NULL), SSH_ERR_TIMEOUT);
    ssh_channel *side, *channel = pair_session(&p, &side);
    ssh_channel_free(channel);
    ssh_channel_free(side);
    pthread_mutex_lock(&late.lock);
    CHECK(late.count >= 1 && late.most <= MOST_HELD);
    pthread_mutex_unlock(&late.lock);

    /* The client is gone, and then there are answers: the file is closed, after them. */
    ssh_sftp_file_free(file);
    ssh_sftp_free(sftp);
    pair_free(&p);
    usleep(100000);
    CHECK(memory_files_open(late.files) == 1);
    pthread_mutex_lock(&late.lock);
    late.hold = false;
    pthread_mutex_unlock(&late.lock);
    until_open(late.files, 0);
    pthread_mutex_lock(&late.lock);
    late.stop = true;
    pthread_mutex_unlock(&late.lock);
    pthread_join(thread, NULL);
    ssh_sftp_server_free(server_files);
    memory_files_free(late.files);
    CHECK(rmdir(local) == 0);
}

/* A client that goes away while its file is being opened: opened late, closed at once. */
static ssh_sftp_operation *_Atomic opening;
static atomic_int closed_late;

static void open_late(ssh_sftp_operation *operation, void *userdata)
{
    if (ssh_sftp_operation_kind(operation) == SSH_SFTP_OP_OPEN) {
        atomic_store(&opening, operation);
        return;
    }
    CHECK(ssh_sftp_operation_kind(operation) == SSH_SFTP_OP_CLOSE && ssh_sftp_operation_file(operation) == userdata);
    atomic_fetch_add(&closed_late, 1);
    ssh_sftp_operation_free(operation);
}

static void opened_for_nobody(void)
{
    pair p;
    int here;
    server_files = ssh_sftp_server_new_virtual(NULL);
    CHECK_STATUS(ssh_sftp_server_set_callback(server_files, SSH_SFTP_OP_ANY, open_late, &here, NULL), SSH_OK);
    ssh_sftp *sftp = files_pair(&p);
    CHECK(ssh_sftp_open(sftp, "/x", SSH_SFTP_READ, NULL, 200, NULL) == NULL);
    long until = milliseconds() + WAIT_MS;
    while (atomic_load(&opening) == NULL && milliseconds() < until)
        usleep(1000);
    ssh_sftp_free(sftp);
    pair_free(&p);
    ssh_sftp_server_free(server_files);
    usleep(100000);
    CHECK_STATUS(ssh_sftp_operation_accept_file(opening, &here), SSH_OK);
    CHECK_STATUS(ssh_sftp_operation_accept_file(opening, &here), SSH_ERR_STATE);
    ssh_sftp_operation_free(opening);
    wait_for(&closed_late, 1);
}

/* --- answers that do not fit ---------------------------------------------------------------------------- */

static atomic_int asked, destroyed;

static void answer_badly(ssh_sftp_operation *operation, void *userdata)
{
    static char here;
    uint64_t values[SSH_SFTP_VFS_COUNT] = {0};
    size_t length = 9;
    (void)userdata;
    atomic_fetch_add(&asked, 1);
    CHECK(ssh_sftp_operation_channel(operation) != NULL);
    switch (ssh_sftp_operation_kind(operation)) {
    case SSH_SFTP_OP_OPENDIR:
        CHECK(strcmp(ssh_sftp_operation_path(operation, &length), "/d") == 0 && length == 2);
        CHECK(ssh_sftp_operation_new_path(operation, &length) == NULL && length == 0);
        CHECK(ssh_sftp_operation_file(operation) == NULL && ssh_sftp_operation_attributes(operation) == NULL);
        CHECK_STATUS(ssh_sftp_operation_accept(operation), SSH_ERR_STATE);
        CHECK_STATUS(ssh_sftp_operation_accept_data(operation, "", 0), SSH_ERR_STATE);
        CHECK_STATUS(ssh_sftp_operation_accept_file(operation, &here), SSH_OK);
        CHECK_STATUS(ssh_sftp_operation_refuse(operation, SSH_SFTP_STATUS_FAILURE, NULL), SSH_ERR_STATE);
        break;
    case SSH_SFTP_OP_OPEN:
        CHECK(ssh_sftp_operation_flags(operation) == SSH_SFTP_READ);
        CHECK_STATUS(ssh_sftp_operation_accept_file(operation, NULL), SSH_OK);
        break;
    case SSH_SFTP_OP_READ: {
        length = ssh_sftp_operation_length(operation);
        CHECK(length > 0 && ssh_sftp_operation_file(operation) == NULL);
        CHECK_STATUS(ssh_sftp_operation_accept_data(operation, "x", length + 1), SSH_ERR_INVALID_ARG);
        CHECK_STATUS(ssh_sftp_operation_accept_buffer(operation, 1), SSH_ERR_INVALID_ARG);
        char *buffer = ssh_sftp_operation_buffer(operation);
        CHECK(buffer != NULL && ssh_sftp_operation_buffer(operation) == buffer);
        CHECK_STATUS(ssh_sftp_operation_accept_buffer(operation, length + 1), SSH_ERR_INVALID_ARG);
        memcpy(buffer, "abc", 3);
        CHECK_STATUS(ssh_sftp_operation_accept_buffer(operation, ssh_sftp_operation_offset(operation) == 0 ? 3 : 0), SSH_OK);
        CHECK(ssh_sftp_operation_buffer(operation) == NULL);
        break;
    }
    case SSH_SFTP_OP_READDIR: {
        CHECK(ssh_sftp_operation_file(operation) == &here);
        CHECK_STATUS(ssh_sftp_operation_add_name(operation, "a/b", 3, NULL), SSH_ERR_INVALID_ARG);
        CHECK_STATUS(ssh_sftp_operation_add_name(operation, "", 0, NULL), SSH_ERR_INVALID_ARG);
        static int told;
        ssh_status status = SSH_OK;
        while (told < 5000 && status == SSH_OK) {
            char name[200];
            snprintf(name, sizeof name, "%0150d\xff", told);
            status = ssh_sftp_operation_add_name(operation, name, strlen(name), NULL);
            told += status == SSH_OK;
        }
        CHECK(status == SSH_OK || status == SSH_AGAIN);
        CHECK_STATUS(ssh_sftp_operation_accept(operation), SSH_OK);
        CHECK_STATUS(ssh_sftp_operation_add_name(operation, "late", 4, NULL), SSH_ERR_STATE);
        break;
    }
    case SSH_SFTP_OP_STAT:
        CHECK_STATUS(ssh_sftp_operation_accept_statvfs(operation, values, SSH_SFTP_VFS_COUNT), SSH_ERR_STATE);
        CHECK_STATUS(ssh_sftp_operation_refuse(operation, 0, NULL), SSH_ERR_INVALID_ARG);
        CHECK_STATUS(ssh_sftp_operation_refuse(operation, 99, NULL), SSH_ERR_INVALID_ARG);
        CHECK_STATUS(ssh_sftp_operation_refuse(operation, SSH_SFTP_STATUS_FAILURE, "out of \x1b[31mluck"), SSH_OK);
        break;
    case SSH_SFTP_OP_STATVFS:
        CHECK_STATUS(ssh_sftp_operation_accept_statvfs(operation, values, 3), SSH_ERR_INVALID_ARG);
        values[SSH_SFTP_VFS_NAME_MAX] = 77;
        CHECK_STATUS(ssh_sftp_operation_accept_statvfs(operation, values, SSH_SFTP_VFS_COUNT), SSH_OK);
        break;
    case SSH_SFTP_OP_SETSTAT: {
        ssh_sftp_attributes *attributes = ssh_sftp_operation_attributes(operation);
        uint32_t mode = 0;
        CHECK_STATUS(ssh_sftp_attributes_permissions(attributes, &mode), SSH_OK);
        CHECK(mode == 0600);
        ssh_sftp_attributes_free(attributes);
        CHECK_STATUS(ssh_sftp_operation_refuse_errno(operation, 0), SSH_ERR_INVALID_ARG);
        CHECK_STATUS(ssh_sftp_operation_refuse_errno(operation, EACCES), SSH_OK);
        break;
    }
    default: break; /* freed without an answer */
    }
    ssh_sftp_operation_free(operation);
}

static void badly_answered(void)
{
    pair p;
    ssh_error *failure = NULL;
    char data[10];
    size_t done;
    uint64_t values[SSH_SFTP_VFS_COUNT];
    server_files = ssh_sftp_server_new_virtual(NULL);
    CHECK_STATUS(ssh_sftp_server_set_callback(server_files, 99, answer_badly, NULL, NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_sftp_server_set_callback(server_files, SSH_SFTP_OP_ANY, answer_badly, &destroyed, pair_destroy), SSH_OK);
    ssh_sftp *sftp = files_pair(&p);
    ssh_sftp_dir *dir = ssh_sftp_opendir(sftp, "d/", SFTP_MS, NULL);
    ssh_sftp_attributes *entry;
    int entries = 0;
    CHECK(dir != NULL);
    while (ssh_sftp_dir_read(dir, &entry, SFTP_MS, NULL) == SSH_OK) {
        size_t length;
        const char *name = ssh_sftp_attributes_name(entry, &length);
        CHECK(length == 151 && strtol(name, NULL, 10) == entries && name[150] == '\xff');
        ssh_sftp_attributes_free(entry);
        entries++;
    }
    CHECK(entries == 5000);
    SFTP_REFUSED(ssh_sftp_dir_close(dir, SFTP_MS, error), SSH_SFTP_STATUS_FAILURE); /* no answer */
    ssh_sftp_dir_free(dir);
    ssh_sftp_file *file = ssh_sftp_open(sftp, "/f", SSH_SFTP_READ, NULL, SFTP_MS, NULL);
    SFTP_OK(ssh_sftp_file_pread(file, 0, data, 10, &done, SFTP_MS, error));
    CHECK(done == 3 && memcmp(data, "abc", 3) == 0);
    ssh_sftp_file_free(file);
    CHECK(ssh_sftp_stat(sftp, "/f", SFTP_MS, &failure) == NULL);
    CHECK(ssh_error_sftp_status(failure) == SSH_SFTP_STATUS_FAILURE);
    CHECK(strstr(ssh_error_message(failure), "out of \\u{1b}[31mluck") != NULL);
    ssh_error_free(failure);
    SFTP_OK(ssh_sftp_statvfs(sftp, "/", values, SSH_SFTP_VFS_COUNT, SFTP_MS, error));
    CHECK(values[SSH_SFTP_VFS_NAME_MAX] == 77);
    SFTP_REFUSED(ssh_sftp_chmod(sftp, "/f", 0600, SFTP_MS, error), SSH_SFTP_STATUS_PERMISSION_DENIED);
    SFTP_REFUSED(ssh_sftp_remove(sftp, "/f", SFTP_MS, error), SSH_SFTP_STATUS_FAILURE);
    /* The server's callback ends once nobody can ask any more. */
    ssh_sftp_server_free(server_files);
    CHECK(atomic_load(&destroyed) == 0);
    SFTP_REFUSED(ssh_sftp_rmdir(sftp, "/f", SFTP_MS, error), SSH_SFTP_STATUS_FAILURE);
    ssh_sftp_free(sftp);
    pair_free(&p);
    wait_for(&destroyed, 1);
}

int main(void)
{
    watchdog(300);
    every_call();
    deep_and_full();
    sessions_leave_no_channel();
    nothing_and_read_only();
    late_answers();
    opened_for_nobody();
    badly_answered();
    puts("ok");
    return 0;
}
