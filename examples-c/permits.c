#include "permits.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "common.h"

void permits_default(struct permits *permits)
{
    static const char *const loopback[] = {"localhost:*", "127.0.0.1:*", "[[]::1]:*", "/*"};
    if (permits->connect_count == 0 && permits->listen_count == 0) {
        permits->connect[permits->connect_count++] = "*";
        for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
            permits->listen[permits->listen_count++] = loopback[i];
    }
}

void permits_check(const char *pattern, const char *option)
{
    if (pattern[0] != '/' && pattern[0] != '*' && strchr(pattern, ':') == NULL)
        fail("%s: \"%s\" is neither HOST:PORT nor a path", option, pattern);
}

static bool matches(const char *const *patterns, size_t count, const char *place)
{
    for (size_t i = 0; i < count; i++)
        if (fnmatch(patterns[i], place, 0) == 0)
            return true;
    return false;
}

/* A way out of the places that are permitted. */
static bool leads_up(const char *path)
{
    const char *end = strrchr(path, '/');
    return strstr(path, "/../") != NULL || (end != NULL && strcmp(end, "/..") == 0);
}

static void on_forward(ssh_request *request, void *userdata)
{
    const struct permits *permits = userdata;
    ssh_error *error = NULL;
    char place[300];
    uint16_t port = 0;
    bool connect = ssh_request_kind(request) == SSH_REQUEST_CONNECT, permitted = false;
    const char *address = ssh_request_destination(request, &port);
    if (address != NULL && address[0] == '/') {
        int length = snprintf(place, sizeof place, "%s", address);
        permitted = !leads_up(address) && length < (int)sizeof place;
    } else if (address != NULL) {
        int length = snprintf(place, sizeof place, strchr(address, ':') != NULL ? "[%s]:%u" : "%s:%u", address, port);
        permitted = (port != 0 || !connect) && length < (int)sizeof place;
    }
    permitted = permitted && (connect ? matches(permits->connect, permits->connect_count, place)
                                      : matches(permits->listen, permits->listen_count, place));
    if (!permitted)
        ssh_request_refuse(request);
    else if (ssh_request_serve(request, &error) != SSH_OK)
        say_error(place, error);
    ssh_request_free(request);
}

void permits_serve(ssh_server *server, const struct permits *permits)
{
    ssh_server_set_callback(server, SSH_REQUEST_CONNECT, on_forward, (void *)permits, NULL);
    ssh_server_set_callback(server, SSH_REQUEST_LISTEN, on_forward, (void *)permits, NULL);
}
