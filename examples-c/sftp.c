/*
 * sftp: copies files to and from another machine, and looks after those that are there.
 */
#define _GNU_SOURCE /* getopt_long */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "alias.h"

static const char help[] =
    "usage: sftp [OPTION...] [USER@]HOST COMMAND [ARGUMENT...]\n"
    "Works on HOST's files. Paths there begin in your home directory, unless they begin with a slash. Options may stand\n"
    "behind the command too, and \"--\" before a path that begins with a minus.\n"
    "\n"
    "  get REMOTE [LOCAL]         copy a file from there; with -r a directory\n"
    "  put LOCAL [REMOTE]         copy a file to there; with -r a directory\n"
    "                             (where no second name is given, the last part of the first)\n"
    "  cat REMOTE                 write a file to the standard output\n"
    "  ls [PATH]                  list a directory; with -L in detail\n"
    "  mkdir PATH, rmdir PATH, rm PATH\n"
    "  mv OLD NEW                 rename; what is called NEW is replaced, where the server can do that\n"
    "  ln TARGET PATH             make a symbolic link\n"
    "  chmod MODE PATH            MODE in octal\n"
    "  df [PATH]                  how much room there is\n"
    "\n"
    "  -r, --recursive            directories and all that is in them\n"
    "  -a, --resume               go on where an earlier copy ended\n"
    "  -P, --preserve             keep permissions and times\n"
    "  -q, --quiet                no progress\n"
    "  -L, --long                 list in detail\n"
    "  -d, --itself               list a directory or a link itself, and not what it leads to\n" CLIENT_HELP ALIAS_HELP
    "\n"
    "example: sftp -r -i key --fingerprint SHA256:... me@example.org put photos backup/photos\n";

struct job {
    ssh_sftp *sftp;
    uint32_t flags;
    bool quiet, in_detail, itself;
};

/* --- the progress line ------------------------------------------------------------------------------ */

#define NAME_COLUMNS 28
#define BAR_COLUMNS 20

struct progress {
    struct timespec began, shown;
    uint64_t begun_at; /* bytes that were there already, of the file under way */
    uint64_t finished; /* files */
    uint64_t skipped;  /* entries */
    bool show, any, drawn;
};

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

/* 1234567 as "1.2 MB", in at most 8 characters. */
static const char *readable(double bytes, char text[16])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    size_t unit = 0;
    while (bytes >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1000;
        unit++;
    }
    snprintf(text, 16, unit > 0 && bytes < 9.95 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return text;
}

/* The end of a path, with what a terminal might take for a command made harmless. */
static void printable_tail(const char *path, char *text, size_t columns)
{
    char *safe = ssh_text_printable(path, strlen(path));
    size_t length = safe != NULL ? strlen(safe) : 0;
    const char *from = length > columns ? safe + length - columns : safe;
    while (from != NULL && ((unsigned char)*from & 0xc0) == 0x80) /* not in the middle of a character */
        from++;
    snprintf(text, columns + 1, "%s", from != NULL ? from : "?");
    ssh_memory_free(safe);
}

static void draw(struct progress *progress, const char *path, uint64_t done, uint64_t total, double seconds)
{
    char name[NAME_COLUMNS + 1], bar[BAR_COLUMNS + 1], amount[16], rate[16];
    double speed = seconds > 0 ? (double)(done - progress->begun_at) / seconds : 0;
    bool known = total != UINT64_MAX && total > 0;
    double part = known ? (double)done / (double)total : 0;
    size_t full = (size_t)((part > 1 ? 1 : part) * BAR_COLUMNS);
    printable_tail(path, name, NAME_COLUMNS);
    memset(bar, '#', full);
    memset(bar + full, '.', BAR_COLUMNS - full);
    bar[BAR_COLUMNS] = '\0';
    fprintf(stderr, "\r%-*s ", NAME_COLUMNS, name);
    if (known)
        fprintf(stderr, "[%s] %3.0f %% ", bar, part > 1 ? 100 : part * 100);
    fprintf(stderr, "%8s %8s/s", readable((double)done, amount), readable(speed, rate));
    if (known && done < total && speed > 0) {
        unsigned long left = (unsigned long)((double)(total - done) / speed) + 1;
        fprintf(stderr, " %lu:%02lu left", left / 60, left % 60);
    }
    fputs("\033[K", stderr);
    progress->drawn = true;
}

/* Draws ten times a second; a file that is done gets a line of its own. */
static bool on_progress(void *userdata, const char *path, uint64_t done, uint64_t total, uint64_t files, uint64_t skipped)
{
    struct progress *progress = userdata;
    struct timespec now;
    progress->skipped = skipped;
    if (!progress->show)
        return true;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!progress->any || files != progress->finished) {
        progress->any = true;
        progress->finished = files;
        progress->began = now;
        progress->shown = (struct timespec){0, 0};
        progress->begun_at = done;
    }
    if (seconds_between(&progress->shown, &now) >= 0.1 || done == total) {
        draw(progress, path, done, total, seconds_between(&progress->began, &now));
        progress->shown = now;
    }
    return true;
}

/* --- commands --------------------------------------------------------------------------------------- */

/* What a copy is called that is given no name: the last part of the path, where that is one. Freed by the caller. */
static char *copy_name(const char *path)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    char *name = strndup(path + begin, end - begin);
    if (name == NULL)
        fail("out of memory");
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        fail("\"%s\" does not say what to call the copy: give its name too", path);
    return name;
}

static ssh_status transfer(struct job *job, bool upload, const char *from, const char *to, ssh_error **error)
{
    struct progress progress = {.show = !job->quiet && isatty(STDERR_FILENO)};
    ssh_status status =
        upload ? ssh_sftp_put(job->sftp, from, to, job->flags, on_progress, &progress, SSH_TIMEOUT_DEFAULT, error)
               : ssh_sftp_get(job->sftp, from, to, job->flags, on_progress, &progress, SSH_TIMEOUT_DEFAULT, error);
    if (progress.drawn)
        fputc('\n', stderr);
    if (progress.skipped > 0)
        say("%" PRIu64 " left out: symbolic links, and what is neither file nor directory", progress.skipped);
    return status;
}

static ssh_status do_get(struct job *job, char **words, ssh_error **error)
{
    return transfer(job, false, words[0], words[1], error);
}

static ssh_status do_put(struct job *job, char **words, ssh_error **error)
{
    return transfer(job, true, words[0], words[1], error);
}

static bool to_stdout(void *userdata, const void *data, size_t length)
{
    (void)userdata;
    return write_all(STDOUT_FILENO, data, length);
}

static ssh_status do_cat(struct job *job, char **words, ssh_error **error)
{
    return ssh_sftp_get_callback(job->sftp, words[0], 0, to_stdout, 0, NULL, NULL, SSH_TIMEOUT_DEFAULT, error);
}

static void print_name(const char *name, size_t length)
{
    char *safe = isatty(STDOUT_FILENO) ? ssh_text_printable(name, length) : NULL;
    if (safe != NULL)
        fputs(safe, stdout);
    else
        fwrite(name, 1, length, stdout);
    putchar('\n');
    ssh_memory_free(safe);
}

/* "drwxr-xr-x" and the like. */
static void mode_letters(int32_t type, uint32_t permissions, char text[11])
{
    static const char types[] = "?-dls", all[] = "rwxrwxrwx";
    static const struct {
        int place;
        uint32_t bit;
        char letter;
    } special[] = {{3, 04000, 's'}, {6, 02000, 's'}, {9, 01000, 't'}};
    text[0] = type >= 0 && type < 5 ? types[type] : '?';
    for (int i = 0; i < 9; i++)
        text[i + 1] = permissions & (0400U >> i) ? all[i] : '-';
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (permissions & special[i].bit) {
            char *place = text + special[i].place;
            /* A capital where it cannot be executed. */
            *place = *place == 'x' ? special[i].letter : (char)(special[i].letter - 'a' + 'A');
        }
    text[10] = '\0';
}

static void print_entry(const struct job *job, const ssh_sftp_attributes *entry, const char *name, size_t length)
{
    uint64_t size = 0;
    uint32_t permissions = 0, user = 0, group = 0;
    uint32_t accessed = 0, modified = 0;
    char when[32] = "-";
    if (job->in_detail) {
        char letters[11];
        struct tm local;
        ssh_sftp_attributes_size(entry, &size);
        ssh_sftp_attributes_permissions(entry, &permissions);
        ssh_sftp_attributes_owner(entry, &user, &group);
        ssh_sftp_attributes_times(entry, &accessed, &modified);
        time_t at = (time_t)modified;
        if (at != 0 && localtime_r(&at, &local) != NULL)
            strftime(when, sizeof when, "%Y-%m-%d %H:%M", &local);
        mode_letters(ssh_sftp_attributes_type(entry), permissions, letters);
        printf("%s %6u %6u %12" PRIu64 " %16s ", letters, (unsigned)user, (unsigned)group, size, when);
    }
    print_name(name, length);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(ssh_sftp_attributes_name(*(ssh_sftp_attributes *const *)left, NULL),
                  ssh_sftp_attributes_name(*(ssh_sftp_attributes *const *)right, NULL));
}

/* As many entries are sorted and shown at a time: a server may list without end. */
#define MOST_ENTRIES 100000

/* Shows entries in order, and frees them. */
static void print_entries(const struct job *job, ssh_sftp_attributes **entries, size_t count)
{
    if (count > 0)
        qsort(entries, count, sizeof *entries, by_name);
    for (size_t i = 0; i < count; i++) {
        size_t length;
        const char *name = ssh_sftp_attributes_name(entries[i], &length);
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            print_entry(job, entries[i], name, length);
        ssh_sftp_attributes_free(entries[i]);
    }
}

static ssh_status list_directory(struct job *job, const char *path, ssh_error **error)
{
    ssh_sftp_attributes **entries = NULL, *entry;
    size_t count = 0, room = 0;
    ssh_status status;
    ssh_sftp_dir *dir = ssh_sftp_opendir(job->sftp, path, SSH_TIMEOUT_DEFAULT, error);
    if (dir == NULL)
        return ssh_error_code(*error);
    while ((status = ssh_sftp_dir_read(dir, &entry, SSH_TIMEOUT_DEFAULT, error)) == SSH_OK) {
        if (count == MOST_ENTRIES) {
            print_entries(job, entries, count);
            count = 0;
        }
        if (count == room) {
            room = room == 0 ? 64 : room * 2;
            entries = realloc(entries, room * sizeof *entries);
            if (entries == NULL)
                fail("out of memory");
        }
        entries[count++] = entry;
    }
    ssh_sftp_dir_free(dir);
    print_entries(job, entries, count);
    free(entries);
    return status == SSH_EOF ? SSH_OK : status;
}

static ssh_status do_ls(struct job *job, char **words, ssh_error **error)
{
    const char *path = words[0] != NULL ? words[0] : ".";
    ssh_sftp_attributes *found = job->itself ? ssh_sftp_lstat(job->sftp, path, SSH_TIMEOUT_DEFAULT, error)
                                             : ssh_sftp_stat(job->sftp, path, SSH_TIMEOUT_DEFAULT, error);
    if (found == NULL)
        return ssh_error_code(*error);
    bool directory = !job->itself && ssh_sftp_attributes_type(found) == SSH_SFTP_TYPE_DIRECTORY;
    if (!directory)
        print_entry(job, found, path, strlen(path));
    ssh_sftp_attributes_free(found);
    return directory ? list_directory(job, path, error) : SSH_OK;
}

static ssh_status do_mkdir(struct job *job, char **words, ssh_error **error)
{
    return ssh_sftp_mkdir(job->sftp, words[0], 0777, SSH_TIMEOUT_DEFAULT, error);
}

static ssh_status do_rmdir(struct job *job, char **words, ssh_error **error)
{
    return ssh_sftp_rmdir(job->sftp, words[0], SSH_TIMEOUT_DEFAULT, error);
}

static ssh_status do_rm(struct job *job, char **words, ssh_error **error)
{
    return ssh_sftp_remove(job->sftp, words[0], SSH_TIMEOUT_DEFAULT, error);
}

static ssh_status do_mv(struct job *job, char **words, ssh_error **error)
{
    if (ssh_sftp_has_extension(job->sftp, "posix-rename@openssh.com"))
        return ssh_sftp_posix_rename(job->sftp, words[0], words[1], SSH_TIMEOUT_DEFAULT, error);
    return ssh_sftp_rename(job->sftp, words[0], words[1], SSH_TIMEOUT_DEFAULT, error);
}

static ssh_status do_ln(struct job *job, char **words, ssh_error **error)
{
    return ssh_sftp_symlink(job->sftp, words[0], words[1], SSH_TIMEOUT_DEFAULT, error);
}

static ssh_status do_chmod(struct job *job, char **words, ssh_error **error)
{
    char *end;
    unsigned long mode = strtoul(words[0], &end, 8);
    if (end == words[0] || *end != '\0' || mode > 07777)
        fail("\"%s\" is no mode in octal", words[0]);
    return ssh_sftp_chmod(job->sftp, words[1], (uint32_t)mode, SSH_TIMEOUT_DEFAULT, error);
}

static ssh_status do_df(struct job *job, char **words, ssh_error **error)
{
    uint64_t values[SSH_SFTP_VFS_COUNT];
    char size[16], available[16];
    ssh_status status = ssh_sftp_statvfs(job->sftp, words[0] != NULL ? words[0] : ".", values, SSH_SFTP_VFS_COUNT,
                                         SSH_TIMEOUT_DEFAULT, error);
    if (status == SSH_OK) {
        double unit = (double)values[SSH_SFTP_VFS_FRAGMENT_BYTES];
        printf("%s available of %s\n", readable((double)values[SSH_SFTP_VFS_BLOCKS_AVAILABLE] * unit, available),
               readable((double)values[SSH_SFTP_VFS_BLOCKS] * unit, size));
    }
    return status;
}

static const struct command {
    const char *name;
    int least, most; /* arguments */
    ssh_status (*run)(struct job *job, char **words, ssh_error **error);
} commands[] = {
    {"get", 1, 2, do_get},     {"put", 1, 2, do_put},     {"cat", 1, 1, do_cat}, {"ls", 0, 1, do_ls},
    {"mkdir", 1, 1, do_mkdir}, {"rmdir", 1, 1, do_rmdir}, {"rm", 1, 1, do_rm},   {"mv", 2, 2, do_mv},
    {"ln", 2, 2, do_ln},       {"chmod", 2, 2, do_chmod}, {"df", 0, 1, do_df},
};

static const struct command *find_command(const char *name, int arguments)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0) {
            if (arguments < commands[i].least || arguments > commands[i].most)
                fail("%s: %s; try --help", name,
                     arguments < commands[i].least ? "something is missing" : "too many words");
            return &commands[i];
        }
    fail("there is no command \"%s\"; try --help", name);
}

static bool is_copy(const struct command *command)
{
    return command->run == do_get || command->run == do_put;
}

struct program {
    struct client_options client;
    struct alias_options alias;
    struct job job;
};

static void take_option(struct program *program, int option, const char *value)
{
    struct job *job = &program->job;
    switch (option) {
    case 'h': fputs(help, stdout); exit(0);
    case 'r': job->flags |= SSH_SFTP_RECURSIVE; break;
    case 'a': job->flags |= SSH_SFTP_RESUME; break;
    case 'P': job->flags |= SSH_SFTP_PRESERVE; break;
    case 'q': job->quiet = true; break;
    case 'd': job->itself = true; break;
    case 'L': job->in_detail = true; break;
    default:
        if (!client_option(&program->client, option, value) && !alias_option(&program->alias, option, value))
            fail("try --help");
    }
}

/* Reads the command line; options may stand anywhere up to "--". Leaves the other words at its beginning, with a NULL
 * behind them, and returns how many there are. */
static int read_command_line(struct program *program, int argc, char **argv)
{
    static const struct option options[] = {CLIENT_LONG_OPTIONS, ALIAS_LONG_OPTIONS,
                                            {"recursive", no_argument, NULL, 'r'},
                                            {"resume", no_argument, NULL, 'a'},
                                            {"preserve", no_argument, NULL, 'P'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"itself", no_argument, NULL, 'd'},
                                            {"long", no_argument, NULL, 'L'},
                                            {NULL, 0, NULL, 0}};
    static const char letters[] = "raPqdL" CLIENT_SHORT_OPTIONS ALIAS_SHORT_OPTIONS;
    int option, count;
    while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1)
        take_option(program, option, optarg);
    /* getopt_long() has moved the other words to the end. */
    count = argc - optind;
    memmove(argv, argv + optind, ((size_t)count + 1) * sizeof *argv);
    return count;
}

/* Says what went wrong, with all that the command was about: either end of a copy may be the cause. */
static void say_failure(const struct command *command, char **words, ssh_error *error)
{
    char what[1024];
    const char *second = words[0] != NULL ? words[1] : NULL;
    bool copies = is_copy(command);
    snprintf(what, sizeof what, "%s%s%s%s%s", command->name, words[0] != NULL ? " " : "",
             words[0] != NULL ? words[0] : "", second == NULL ? "" : copies ? " to " : " ", second != NULL ? second : "");
    say_error(what, error);
}

int main(int argc, char **argv)
{
    struct program program = {.job = {.sftp = NULL}, .alias = {.file = NULL}};
    struct job *job = &program.job;
    program_name = "sftp";
    client_defaults(&program.client);
    int count = read_command_line(&program, argc, argv);
    if (count < 2)
        fail("which host, and what to do? try --help");
    client_target(&program.client, argv[0]);
    const struct command *command = find_command(argv[1], count - 2);
    char **words = argv + 2, *name = NULL;
    /* Only a NULL stands there. */
    if (is_copy(command) && words[1] == NULL)
        words[1] = name = copy_name(words[0]);

    ssh_error *error = NULL;
    ssh_transport *transport = alias_connect(&program.alias, &program.client);
    job->sftp = ssh_transport_open_sftp_client(transport, SSH_TIMEOUT_DEFAULT, &error);
    if (job->sftp == NULL)
        fail_error("sftp", error);
    ssh_status status = command->run(job, words, &error);
    if (status != SSH_OK)
        say_failure(command, words, error);
    if (fflush(stdout) != 0)
        fail("the output cannot be written");
    ssh_sftp_free(job->sftp);
    ssh_transport_close(transport);
    ssh_transport_free(transport);
    free(name);
    return status == SSH_OK ? 0 : 1;
}
