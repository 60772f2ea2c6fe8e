/*
 * two_libraries ORDER BINDING HOST PORT USER KEY: loads the two halves in the given order ("libssh-first" or
 * "libsshwire-first"), with all their names in the open, bound lazily or at once, and lets each run a command, twice
 * by turns.
 *
 * Compiled with LINKED defined, the halves are linked instead, and the first two arguments are left out.
 */
#define _GNU_SOURCE /* RTLD_GLOBAL */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "two_libraries.h"

#ifdef LINKED
#define FIRST_ARGUMENT 1
#else
#define FIRST_ARGUMENT 3

static half *load(const char *directory, const char *file, const char *name, int flags)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, file);
    void *library = dlopen(path, flags | RTLD_GLOBAL);
    half *function = NULL;
    void *symbol = library != NULL ? dlsym(library, name) : NULL;
    if (symbol == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
    /* The way POSIX has for turning an object pointer into a function pointer. */
    memcpy(&function, &symbol, sizeof function);
    return function;
}
#endif

static int try(const char *name, half *run, char **arguments, int print)
{
    char text[256] = "";
    int outcome = run(arguments[0], atoi(arguments[1]), arguments[2], arguments[3], text, sizeof text);
    if (outcome != 0)
        fprintf(stderr, "%s: step %d failed\n", name, outcome);
    else if (print)
        printf("%s: %s", name, text);
    return outcome;
}

int main(int argc, char **argv)
{
    if (argc != FIRST_ARGUMENT + 4)
        return 2;
    char **arguments = argv + FIRST_ARGUMENT;
#ifdef LINKED
    half *libssh = exec_with_libssh, *libsshwire = exec_with_libsshwire;
#else
    char directory[4096];
    snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(argv[0], '/') - argv[0]), argv[0]);
    int flags = strcmp(argv[2], "now") == 0 ? RTLD_NOW : RTLD_LAZY;
    half *libssh = NULL, *libsshwire = NULL;
    if (strcmp(argv[1], "libssh-first") == 0)
        libssh = load(directory, "libwith_libssh.so", "exec_with_libssh", flags);
    libsshwire = load(directory, "libwith_libsshwire.so", "exec_with_libsshwire", flags);
    if (libssh == NULL)
        libssh = load(directory, "libwith_libssh.so", "exec_with_libssh", flags);
#endif
    return try("libssh", libssh, arguments, 1) != 0 || try("libsshwire", libsshwire, arguments, 1) != 0 ||
           try("libssh", libssh, arguments, 0) != 0 || try("libsshwire", libsshwire, arguments, 0) != 0;
}
