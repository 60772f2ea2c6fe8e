#include "listening.h"

#include <stdio.h>
#include <string.h>

#include "common.h"

void listen_at(ssh_listener *listener, const char *place)
{
    char host[256];
    uint16_t bound = 0;
    ssh_error *error = NULL;
    if (place[0] == '/') {
        if (ssh_listener_bind(listener, place, 0, NULL, &error) != SSH_OK)
            fail_error(place, error);
        printf("listening on %s\n", place);
        fflush(stdout);
        return;
    }
    const char *colon = strrchr(place, ':');
    if (colon == NULL || (size_t)(colon - place) >= sizeof host)
        fail("--listen wants ADDRESS:PORT, not \"%s\"", place);
    uint16_t port = (uint16_t)parse_number(colon + 1, 0, 65535, "--listen");
    snprintf(host, sizeof host, "%.*s", (int)(colon - place), place);
    char *name = host;
    if (name[0] == '[') {
        name++;
        name[strcspn(name, "]")] = '\0';
    }
    if (ssh_listener_bind(listener, name, port, &bound, &error) != SSH_OK)
        fail_error(place, error);
    printf(strchr(name, ':') != NULL ? "listening on [%s]:%u\n" : "listening on %s:%u\n", name, bound);
    fflush(stdout);
}
