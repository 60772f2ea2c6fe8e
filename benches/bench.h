/*
 * What the benchmark client and the benchmark server share.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>
#include <stdlib.h>

#include <sshwire.h>

/* As large as a message may get, so that the library's own sizes decide. */
#define BENCH_BUFFER (256 * 1024)

/* Ends the program with the cause. A benchmark that went wrong in any way must not give a figure. */
static inline _Noreturn void bench_fail(const char *what, ssh_status status, ssh_error *error)
{
    if (error != NULL)
        status = ssh_error_code(error);
    fprintf(stderr, "%s: %s%s%s\n", what, ssh_status_name(status), error == NULL ? "" : ": ",
            error == NULL ? "" : ssh_error_message(error));
    ssh_error_free(error);
    exit(1);
}

static inline void bench_check(const char *what, ssh_status status, ssh_error *error)
{
    if (status != SSH_OK)
        bench_fail(what, status, error);
}

/* Leaves one cipher, and for those that need a MAC the one that all figures are taken with. */
static inline void bench_use_cipher(ssh_security_options *options, const char *cipher)
{
    ssh_error *error = NULL;
    bench_check("cipher", ssh_security_options_set_ciphers(options, cipher, &error), error);
    bench_check("MAC", ssh_security_options_set_digests(options, "hmac-sha2-256-etm@openssh.com", &error), error);
}

#endif
