#define _GNU_SOURCE /* strchrnul */
#include "memory_files.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define MOST_NODES 1000000
#define MOST_LINKS_FOLLOWED 8
#define MOST_NAME 255
/* What a node is counted for beside its content, and an entry beside its name. */
#define NODE_BYTES 256
#define ENTRY_BYTES 64

/* A file, a directory or a symbolic link. */
struct node {
    uint32_t mode, user, group, accessed, modified;
    unsigned names, opened; /* it lives as long as either */
    char *content;          /* of a file; what a link says, with a NUL behind it */
    size_t size, room;
    struct node *parent;   /* of a directory, which has one name at most */
    struct entry *entries; /* of a directory, ordered by name */
    size_t count, entry_room;
};

struct entry {
    char *name;
    struct node *node;
};

struct memory_files {
    pthread_mutex_t lock;
    struct node *root;
    uint64_t bytes, most_bytes;
    unsigned nodes, opened;
};

/* What a client has open. */
struct open_file {
    struct node *node;
    uint32_t flags;
    char after[MOST_NAME + 1]; /* of a directory: the name that was told last */
};

/*
 * Nodes
 */

static struct node *node_new(struct memory_files *files, uint32_t mode)
{
    struct node *node = files->nodes < MOST_NODES ? calloc(1, sizeof *node) : NULL;
    if (node != NULL) {
        files->nodes++;
        files->bytes += NODE_BYTES;
        node->mode = mode;
        node->accessed = node->modified = (uint32_t)time(NULL);
    }
    return node;
}

/* Frees a node that has neither name nor user; a directory is empty then. */
static void node_release(struct memory_files *files, struct node *node)
{
    if (node->names > 0 || node->opened > 0)
        return;
    files->bytes -= node->room + NODE_BYTES;
    files->nodes--;
    free(node->entries);
    free(node->content);
    free(node);
}

/* Cuts or lengthens a file; 0 or an errno. */
static int node_resize(struct memory_files *files, struct node *node, uint64_t size)
{
    if (size > node->room) {
        /* By halves, so that a file that grows is not copied each time. */
        uint64_t room = size + node->room / 2;
        if (files->bytes + (room - node->room) > files->most_bytes)
            room = size;
        if (size > files->most_bytes || files->bytes + (room - node->room) > files->most_bytes)
            return ENOSPC;
        char *content = realloc(node->content, (size_t)room);
        if (content == NULL)
            return ENOMEM;
        files->bytes += room - node->room;
        node->content = content;
        node->room = (size_t)room;
    }
    if (size > node->size)
        memset(node->content + node->size, 0, (size_t)size - node->size);
    node->size = (size_t)size;
    node->modified = (uint32_t)time(NULL);
    return 0;
}

/* Where the name is among the entries, or belongs. */
static size_t entry_place(const struct node *directory, const char *name, size_t length, bool *found)
{
    size_t low = 0, high = directory->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *other = directory->entries[middle].name;
        int order = strncmp(other, name, length);
        if (order == 0 && other[length] != '\0')
            order = 1;
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int entry_add(struct memory_files *files, struct node *directory, const char *name, struct node *node)
{
    bool found;
    size_t at = entry_place(directory, name, strlen(name), &found);
    if (found)
        return EEXIST;
    if (directory->count == directory->entry_room) {
        size_t room = directory->entry_room * 2 + 8;
        struct entry *entries = realloc(directory->entries, room * sizeof *entries);
        if (entries == NULL)
            return ENOMEM;
        directory->entries = entries;
        directory->entry_room = room;
    }
    size_t cost = ENTRY_BYTES + strlen(name);
    if (files->bytes + cost > files->most_bytes)
        return ENOSPC;
    char *copy = strdup(name);
    if (copy == NULL)
        return ENOMEM;
    files->bytes += cost;
    if (S_ISDIR(node->mode))
        node->parent = directory;
    memmove(directory->entries + at + 1, directory->entries + at, (directory->count - at) * sizeof *directory->entries);
    directory->entries[at] = (struct entry){copy, node};
    directory->count++;
    directory->modified = (uint32_t)time(NULL);
    node->names++;
    return 0;
}

static void entry_remove(struct memory_files *files, struct node *directory, size_t at)
{
    struct entry entry = directory->entries[at];
    directory->count--;
    memmove(directory->entries + at, directory->entries + at + 1, (directory->count - at) * sizeof *directory->entries);
    directory->modified = (uint32_t)time(NULL);
    files->bytes -= ENTRY_BYTES + strlen(entry.name);
    free(entry.name);
    entry.node->names--;
    node_release(files, entry.node);
}

/*
 * Paths
 */

/* Where a path leads. */
struct place {
    struct node *directory; /* that it is in; NULL for the top */
    char name[MOST_NAME + 1];
    struct node *node; /* NULL when there is none of that name */
};

/* Replaces the symbolic link that ends at `rest` by what it says. */
static char *follow(char *path, const char *link_start, const char *rest, const char *target)
{
    size_t before = target[0] == '/' ? 0 : (size_t)(link_start - path);
    size_t size = before + strlen(target) + strlen(rest) + 2;
    char *joined = malloc(size);
    if (joined != NULL) {
        memcpy(joined, path, before);
        joined[before] = '\0';
        strcat(strcat(joined, target), rest);
    }
    free(path);
    return joined;
}

/* Walks one path without "." and "..", and replaces it when a link is met. 0, an errno, or -1 to walk again. */
static int walk(struct memory_files *files, char **path, bool follow_last, struct place *place)
{
    struct node *parents[256];
    size_t depth = 0;
    const char *at = *path;
    *place = (struct place){.node = files->root};
    for (;;) {
        at += strspn(at, "/");
        if (*at == '\0')
            return 0;
        const char *end = strchrnul(at, '/');
        size_t length = (size_t)(end - at);
        if (length == 1 && at[0] == '.') {
            at = end;
            continue;
        }
        if (length == 2 && at[0] == '.' && at[1] == '.') {
            /* Only links say so: the library has cleaned the rest. */
            place->node = depth > 0 ? parents[--depth] : files->root;
            place->directory = NULL;
            at = end;
            continue;
        }
        if (length > MOST_NAME)
            return ENAMETOOLONG;
        if (place->node == NULL)
            return ENOENT;
        if (!S_ISDIR(place->node->mode))
            return ENOTDIR;
        if (depth == sizeof parents / sizeof parents[0])
            return ELOOP;
        parents[depth++] = place->directory = place->node;
        memcpy(place->name, at, length);
        place->name[length] = '\0';
        bool found;
        size_t index = entry_place(place->directory, at, length, &found);
        place->node = found ? place->directory->entries[index].node : NULL;
        bool last = end[strspn(end, "/")] == '\0';
        if (place->node != NULL && S_ISLNK(place->node->mode) && (follow_last || !last)) {
            *path = follow(*path, at, end, place->node->content);
            return *path != NULL ? -1 : ENOMEM;
        }
        at = end;
    }
}

/* Finds where a path leads; 0 or an errno. A last name that does not exist is no failure. */
static int find(struct memory_files *files, const char *path, bool follow_last, struct place *place)
{
    char *copy = strdup(path);
    *place = (struct place){0};
    int failure = copy == NULL ? ENOMEM : -1;
    for (int links = 0; failure == -1; links++)
        failure = links > MOST_LINKS_FOLLOWED ? ELOOP : walk(files, &copy, follow_last, place);
    free(copy);
    return failure;
}

/* The same for what must exist. */
static int find_node(struct memory_files *files, const char *path, bool follow_last, struct node **node)
{
    struct place place = {0};
    int failure = find(files, path, follow_last, &place);
    *node = place.node;
    return failure != 0 ? failure : place.node == NULL ? ENOENT : 0;
}

/* The same for what is about to be made. */
static int find_room(struct memory_files *files, const char *path, struct place *place)
{
    int failure = find(files, path, false, place);
    if (failure == 0 && place->node != NULL)
        failure = EEXIST;
    if (failure == 0 && place->directory == NULL)
        failure = EPERM;
    return failure;
}

/*
 * Attributes
 */

static ssh_sftp_attributes *attributes_of(const struct node *node)
{
    ssh_sftp_attributes *attributes = ssh_sftp_attributes_new();
    ssh_sftp_attributes_set_size(attributes, node->size);
    ssh_sftp_attributes_set_permissions(attributes, node->mode);
    ssh_sftp_attributes_set_owner(attributes, node->user, node->group);
    ssh_sftp_attributes_set_times(attributes, node->accessed, node->modified);
    return attributes;
}

static int set_attributes(struct memory_files *files, struct node *node, const ssh_sftp_attributes *attributes)
{
    uint64_t size;
    uint32_t mode;
    int failure = 0;
    if (ssh_sftp_attributes_size(attributes, &size) == SSH_OK)
        failure = S_ISREG(node->mode) ? node_resize(files, node, size) : EISDIR;
    if (failure == 0 && ssh_sftp_attributes_permissions(attributes, &mode) == SSH_OK)
        node->mode = (node->mode & S_IFMT) | (mode & 07777);
    if (failure == 0) {
        ssh_sftp_attributes_owner(attributes, NULL, NULL) == SSH_OK
            ? ssh_sftp_attributes_owner(attributes, &node->user, &node->group)
            : SSH_OK;
        if (ssh_sftp_attributes_times(attributes, NULL, NULL) == SSH_OK)
            ssh_sftp_attributes_times(attributes, &node->accessed, &node->modified);
    }
    return failure;
}

/*
 * Operations: each gives 0 once it has answered, or an errno to be told to the client. All run under the lock.
 */

typedef int operation_function(struct memory_files *files, ssh_sftp_operation *operation);

static int done(ssh_sftp_operation *operation)
{
    ssh_sftp_operation_accept(operation);
    return 0;
}

static const char *path_of(const ssh_sftp_operation *operation)
{
    return ssh_sftp_operation_path(operation, NULL);
}

static int open_node(struct memory_files *files, ssh_sftp_operation *operation, struct node *node, uint32_t flags)
{
    struct open_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        return ENOMEM;
    file->node = node;
    file->flags = flags;
    node->opened++;
    files->opened++;
    if (ssh_sftp_operation_accept_file(operation, file) != SSH_OK) {
        node->opened--;
        files->opened--;
        free(file);
    }
    return 0;
}

static int make_node(struct memory_files *files, ssh_sftp_operation *operation, struct place *place, uint32_t type,
                     uint32_t mode)
{
    ssh_sftp_attributes *attributes = ssh_sftp_operation_attributes(operation);
    ssh_sftp_attributes_permissions(attributes, &mode);
    ssh_sftp_attributes_free(attributes);
    if (files->bytes + NODE_BYTES > files->most_bytes)
        return ENOSPC;
    place->node = node_new(files, type | (mode & 07777));
    if (place->node == NULL)
        return ENOSPC;
    int failure = entry_add(files, place->directory, place->name, place->node);
    if (failure != 0)
        node_release(files, place->node);
    return failure;
}

static int on_open(struct memory_files *files, ssh_sftp_operation *operation)
{
    uint32_t flags = ssh_sftp_operation_flags(operation), mode = 0644;
    bool creates = (flags & SSH_SFTP_CREATE) != 0, exclusive = (flags & SSH_SFTP_EXCLUSIVE) != 0;
    struct place place;
    int failure = find(files, path_of(operation), !(creates && exclusive), &place);
    if (failure != 0)
        return failure;
    if (place.node == NULL) {
        if (!creates)
            return ENOENT;
        failure = make_node(files, operation, &place, S_IFREG, mode);
        if (failure != 0)
            return failure;
    } else if (creates && exclusive) {
        return EEXIST;
    } else if (!S_ISREG(place.node->mode)) {
        return EISDIR;
    } else if ((flags & SSH_SFTP_TRUNCATE) != 0) {
        node_resize(files, place.node, 0);
    }
    return open_node(files, operation, place.node, flags);
}

static int on_opendir(struct memory_files *files, ssh_sftp_operation *operation)
{
    struct node *node;
    int failure = find_node(files, path_of(operation), true, &node);
    if (failure != 0)
        return failure;
    return S_ISDIR(node->mode) ? open_node(files, operation, node, SSH_SFTP_READ) : ENOTDIR;
}

static int on_close(struct memory_files *files, ssh_sftp_operation *operation)
{
    struct open_file *file = ssh_sftp_operation_file(operation);
    file->node->opened--;
    files->opened--;
    node_release(files, file->node);
    free(file);
    return done(operation);
}

static int on_read(struct memory_files *files, ssh_sftp_operation *operation)
{
    struct open_file *file = ssh_sftp_operation_file(operation);
    uint64_t offset = ssh_sftp_operation_offset(operation);
    size_t length = ssh_sftp_operation_length(operation), left;
    (void)files;
    if ((file->flags & SSH_SFTP_READ) == 0 || !S_ISREG(file->node->mode))
        return EBADF;
    left = offset < file->node->size ? file->node->size - (size_t)offset : 0;
    /* Nothing is the end of the file. */
    ssh_sftp_operation_accept_data(operation, left > 0 ? file->node->content + offset : NULL, left < length ? left : length);
    return 0;
}

static int on_write(struct memory_files *files, ssh_sftp_operation *operation)
{
    struct open_file *file = ssh_sftp_operation_file(operation);
    uint64_t offset = ssh_sftp_operation_offset(operation);
    size_t length;
    const void *data = ssh_sftp_operation_data(operation, &length);
    if ((file->flags & SSH_SFTP_WRITE) == 0 || !S_ISREG(file->node->mode))
        return EBADF;
    if ((file->flags & SSH_SFTP_APPEND) != 0)
        offset = file->node->size;
    if (offset > UINT64_MAX - length)
        return EFBIG;
    if (offset + length > file->node->size) {
        int failure = node_resize(files, file->node, offset + length);
        if (failure != 0)
            return failure;
    }
    if (length > 0)
        memcpy(file->node->content + offset, data, length);
    return done(operation);
}

static int give_attributes(ssh_sftp_operation *operation, const struct node *node)
{
    ssh_sftp_attributes *attributes = attributes_of(node);
    ssh_sftp_operation_accept_attributes(operation, attributes);
    ssh_sftp_attributes_free(attributes);
    return 0;
}

static int on_stat(struct memory_files *files, ssh_sftp_operation *operation)
{
    struct node *node;
    int failure = find_node(files, path_of(operation), ssh_sftp_operation_kind(operation) == SSH_SFTP_OP_STAT, &node);
    return failure != 0 ? failure : give_attributes(operation, node);
}

static int on_fstat(struct memory_files *files, ssh_sftp_operation *operation)
{
    struct open_file *file = ssh_sftp_operation_file(operation);
    (void)files;
    return give_attributes(operation, file->node);
}

static int on_setstat(struct memory_files *files, ssh_sftp_operation *operation)
{
    int32_t kind = ssh_sftp_operation_kind(operation);
    struct open_file *file = ssh_sftp_operation_file(operation);
    struct node *node = file != NULL ? file->node : NULL;
    int failure = node != NULL ? 0 : find_node(files, path_of(operation), kind == SSH_SFTP_OP_SETSTAT, &node);
    if (failure != 0)
        return failure;
    ssh_sftp_attributes *attributes = ssh_sftp_operation_attributes(operation);
    failure = set_attributes(files, node, attributes);
    ssh_sftp_attributes_free(attributes);
    return failure != 0 ? failure : done(operation);
}

static int on_readdir(struct memory_files *files, ssh_sftp_operation *operation)
{
    struct open_file *file = ssh_sftp_operation_file(operation);
    bool found;
    size_t at = entry_place(file->node, file->after, strlen(file->after), &found);
    (void)files;
    if (!S_ISDIR(file->node->mode))
        return EBADF;
    /* By name, so that entries that come and go meanwhile disturb nobody. */
    for (at += found; at < file->node->count; at++) {
        const struct entry *entry = &file->node->entries[at];
        ssh_sftp_attributes *attributes = attributes_of(entry->node);
        ssh_status status = ssh_sftp_operation_add_name(operation, entry->name, strlen(entry->name), attributes);
        ssh_sftp_attributes_free(attributes);
        if (status != SSH_OK)
            break; /* the answer is full: the rest goes into the next one */
        strcpy(file->after, entry->name);
    }
    return done(operation);
}

static int on_remove(struct memory_files *files, ssh_sftp_operation *operation)
{
    bool wants_directory = ssh_sftp_operation_kind(operation) == SSH_SFTP_OP_RMDIR, found;
    struct place place;
    int failure = find(files, path_of(operation), false, &place);
    if (failure == 0 && place.node == NULL)
        failure = ENOENT;
    if (failure == 0 && place.directory == NULL)
        failure = EBUSY;
    if (failure == 0 && S_ISDIR(place.node->mode) != wants_directory)
        failure = wants_directory ? ENOTDIR : EISDIR;
    if (failure == 0 && place.node->count > 0)
        failure = ENOTEMPTY;
    if (failure != 0)
        return failure;
    entry_remove(files, place.directory, entry_place(place.directory, place.name, strlen(place.name), &found));
    return done(operation);
}

static int on_mkdir(struct memory_files *files, ssh_sftp_operation *operation)
{
    struct place place;
    int failure = find_room(files, path_of(operation), &place);
    if (failure == 0)
        failure = make_node(files, operation, &place, S_IFDIR, 0755);
    return failure != 0 ? failure : done(operation);
}

static int on_symlink(struct memory_files *files, ssh_sftp_operation *operation)
{
    struct place place;
    size_t length;
    const char *target = ssh_sftp_operation_target(operation, &length);
    int failure = find_room(files, path_of(operation), &place);
    if (failure == 0 && (length == 0 || length != strlen(target)))
        failure = EINVAL;
    if (failure == 0)
        failure = make_node(files, operation, &place, S_IFLNK, 0777);
    if (failure != 0)
        return failure;
    failure = node_resize(files, place.node, length + 1);
    if (failure != 0) {
        bool found;
        entry_remove(files, place.directory, entry_place(place.directory, place.name, strlen(place.name), &found));
        return failure;
    }
    memcpy(place.node->content, target, length + 1);
    place.node->size = length;
    return done(operation);
}

static int on_readlink(struct memory_files *files, ssh_sftp_operation *operation)
{
    struct node *node;
    int failure = find_node(files, path_of(operation), false, &node);
    if (failure == 0 && !S_ISLNK(node->mode))
        failure = EINVAL;
    if (failure == 0)
        ssh_sftp_operation_accept_path(operation, node->content, node->size);
    return failure;
}

/* Whether a directory is the other one or below it. */
static bool is_within(const struct node *other, const struct node *directory)
{
    while (directory != NULL && directory != other)
        directory = directory->parent;
    return directory == other;
}

static int on_rename(struct memory_files *files, ssh_sftp_operation *operation)
{
    int32_t kind = ssh_sftp_operation_kind(operation);
    struct place from, to;
    bool found;
    int failure = find(files, path_of(operation), false, &from);
    if (failure == 0 && from.node == NULL)
        failure = ENOENT;
    if (failure == 0)
        failure = find(files, ssh_sftp_operation_new_path(operation, NULL), false, &to);
    if (failure == 0 && (from.directory == NULL || to.directory == NULL))
        failure = EBUSY;
    if (failure == 0 && kind == SSH_SFTP_OP_HARDLINK && S_ISDIR(from.node->mode))
        failure = EPERM;
    if (failure == 0 && to.node != NULL && kind != SSH_SFTP_OP_POSIX_RENAME)
        failure = EEXIST;
    if (failure == 0 && S_ISDIR(from.node->mode) && is_within(from.node, to.directory))
        failure = EINVAL;
    if (failure != 0)
        return failure;
    if (to.node == from.node)
        return done(operation);
    if (to.node != NULL) {
        if (S_ISDIR(to.node->mode) != S_ISDIR(from.node->mode))
            return S_ISDIR(to.node->mode) ? EISDIR : ENOTDIR;
        if (to.node->count > 0)
            return ENOTEMPTY;
        entry_remove(files, to.directory, entry_place(to.directory, to.name, strlen(to.name), &found));
    }
    failure = entry_add(files, to.directory, to.name, from.node);
    if (failure == 0 && kind != SSH_SFTP_OP_HARDLINK)
        entry_remove(files, from.directory, entry_place(from.directory, from.name, strlen(from.name), &found));
    return failure != 0 ? failure : done(operation);
}

static int on_fsync(struct memory_files *files, ssh_sftp_operation *operation)
{
    (void)files;
    return done(operation);
}

static int on_statvfs(struct memory_files *files, ssh_sftp_operation *operation)
{
    uint64_t values[SSH_SFTP_VFS_COUNT] = {0}, left = files->most_bytes - files->bytes;
    values[SSH_SFTP_VFS_BLOCK_BYTES] = values[SSH_SFTP_VFS_FRAGMENT_BYTES] = 4096;
    values[SSH_SFTP_VFS_BLOCKS] = files->most_bytes / 4096;
    values[SSH_SFTP_VFS_BLOCKS_FREE] = values[SSH_SFTP_VFS_BLOCKS_AVAILABLE] = left / 4096;
    values[SSH_SFTP_VFS_FILES] = MOST_NODES;
    values[SSH_SFTP_VFS_FILES_FREE] = values[SSH_SFTP_VFS_FILES_AVAILABLE] = MOST_NODES - files->nodes;
    values[SSH_SFTP_VFS_NAME_MAX] = MOST_NAME;
    ssh_sftp_operation_accept_statvfs(operation, values, SSH_SFTP_VFS_COUNT);
    return 0;
}

static const struct {
    int32_t kind;
    operation_function *run;
} operations[] = {
    {SSH_SFTP_OP_OPEN, on_open},         {SSH_SFTP_OP_OPENDIR, on_opendir},   {SSH_SFTP_OP_CLOSE, on_close},
    {SSH_SFTP_OP_READ, on_read},         {SSH_SFTP_OP_WRITE, on_write},       {SSH_SFTP_OP_READDIR, on_readdir},
    {SSH_SFTP_OP_STAT, on_stat},         {SSH_SFTP_OP_LSTAT, on_stat},        {SSH_SFTP_OP_FSTAT, on_fstat},
    {SSH_SFTP_OP_SETSTAT, on_setstat},   {SSH_SFTP_OP_FSETSTAT, on_setstat},  {SSH_SFTP_OP_LSETSTAT, on_setstat},
    {SSH_SFTP_OP_REMOVE, on_remove},     {SSH_SFTP_OP_RMDIR, on_remove},      {SSH_SFTP_OP_MKDIR, on_mkdir},
    {SSH_SFTP_OP_SYMLINK, on_symlink},   {SSH_SFTP_OP_READLINK, on_readlink}, {SSH_SFTP_OP_RENAME, on_rename},
    {SSH_SFTP_OP_HARDLINK, on_rename},   {SSH_SFTP_OP_FSYNC, on_fsync},       {SSH_SFTP_OP_POSIX_RENAME, on_rename},
    {SSH_SFTP_OP_STATVFS, on_statvfs},   {SSH_SFTP_OP_FSTATVFS, on_statvfs},
};

static void carry_out(ssh_sftp_operation *operation, void *userdata)
{
    struct memory_files *files = userdata;
    int32_t kind = ssh_sftp_operation_kind(operation);
    int failure = ENOSYS;
    pthread_mutex_lock(&files->lock);
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (operations[i].kind == kind)
            failure = operations[i].run(files, operation);
    pthread_mutex_unlock(&files->lock);
    if (failure != 0)
        ssh_sftp_operation_refuse_errno(operation, failure);
    ssh_sftp_operation_free(operation);
}

struct memory_files *memory_files_new(uint64_t most_bytes)
{
    struct memory_files *files = calloc(1, sizeof *files);
    if (files == NULL)
        return NULL;
    pthread_mutex_init(&files->lock, NULL);
    files->most_bytes = most_bytes;
    files->root = node_new(files, S_IFDIR | 0755);
    if (files->root == NULL) {
        free(files);
        return NULL;
    }
    files->root->names = 1;
    return files;
}

void memory_files_serve(struct memory_files *files, ssh_sftp_server *server)
{
    ssh_sftp_server_set_callback(server, SSH_SFTP_OP_ANY, carry_out, files, NULL);
}

unsigned memory_files_open(struct memory_files *files)
{
    pthread_mutex_lock(&files->lock);
    unsigned opened = files->opened;
    pthread_mutex_unlock(&files->lock);
    return opened;
}

void memory_files_free(struct memory_files *files)
{
    if (files == NULL)
        return;
    /* From the leaves up, without recursion: a tree may be as deep as it has nodes. */
    for (struct node *node = files->root; node != NULL;) {
        if (node->count == 0) {
            struct node *parent = node->parent;
            if (parent != NULL) {
                entry_remove(files, parent, parent->count - 1);
            } else {
                node->names = 0;
                node_release(files, node);
            }
            node = parent;
        } else if (S_ISDIR(node->entries[node->count - 1].node->mode)) {
            node = node->entries[node->count - 1].node;
        } else {
            entry_remove(files, node, node->count - 1);
        }
    }
    pthread_mutex_destroy(&files->lock);
    free(files);
}
