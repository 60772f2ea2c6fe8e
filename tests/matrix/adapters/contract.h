/* What the adapters in C share: the words of adapters/README.md. */
#ifndef CONTRACT_H
#define CONTRACT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline const char *told(const char *name)
{
    const char *value = getenv(name);
    return value == NULL ? "" : value;
}

static inline int cannot(const char *why)
{
    fprintf(stderr, "%s\n", why);
    return 254;
}

#endif
