/*
 * certificate: what this library makes of certificates and revocation lists, for comparing with ssh-keygen.
 *
 *     certificate show FILE                               what is in it, one thing a line
 *     certificate check user|host PRINCIPAL AUTHORITY [ADDRESS] < CERTIFICATE
 *     certificate issue user|host KEY.pub AUTHORITY ID SERIAL FROM TO PRINCIPALS [critical:NAME=VALUE|NAME[=VALUE]...]
 *     certificate revoked LIST FILE...                    for each file with a key or certificate, "ok" or "revoked"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sshwire.h>

static void show_text(const char *what, char *text)
{
    printf("%s %s\n", what, text != NULL ? text : "-");
    ssh_memory_free(text);
}

static int trouble(const char *what, ssh_error *error)
{
    fprintf(stderr, "%s: %s\n", what, error != NULL ? ssh_error_message(error) : "?");
    ssh_error_free(error);
    return 1;
}

static ssh_key *public_key(const char *path)
{
    char line[16384] = "";
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(line, sizeof line, file) == NULL)
        exit(trouble(path, NULL));
    fclose(file);
    return ssh_key_from_line(line, NULL);
}

static int show(const char *path)
{
    ssh_error *error = NULL;
    ssh_certificate *certificate = ssh_certificate_load_file(path, &error);
    if (certificate == NULL)
        return trouble(path, error);
    ssh_key *authority = ssh_certificate_authority(certificate);
    show_text("type", ssh_certificate_type(certificate));
    printf("kind %s\n", ssh_certificate_kind(certificate) == SSH_CERTIFICATE_USER ? "user" : "host");
    show_text("key", ssh_certificate_fingerprint(certificate));
    show_text("authority", ssh_key_fingerprint(authority));
    show_text("algorithm", ssh_certificate_signature_algorithm(certificate));
    show_text("id", ssh_certificate_key_id(certificate));
    printf("serial %llu\n", (unsigned long long)ssh_certificate_serial(certificate));
    printf("valid %llu %llu\n", (unsigned long long)ssh_certificate_valid_after(certificate),
           (unsigned long long)ssh_certificate_valid_before(certificate));
    for (size_t i = 0; i < ssh_certificate_principal_count(certificate); i++)
        show_text("principal", ssh_certificate_principal(certificate, i));
    for (size_t i = 0; i < ssh_certificate_critical_option_count(certificate); i++) {
        char *name = ssh_certificate_critical_option_name(certificate, i);
        char *value = ssh_certificate_critical_option(certificate, name);
        printf("critical %s %s\n", name, value != NULL ? value : "");
        ssh_memory_free(value);
        ssh_memory_free(name);
    }
    for (size_t i = 0; i < ssh_certificate_extension_count(certificate); i++) {
        char *name = ssh_certificate_extension_name(certificate, i);
        char *value = ssh_certificate_extension(certificate, name);
        printf("extension %s %s\n", name, value != NULL ? value : "");
        ssh_memory_free(value);
        ssh_memory_free(name);
    }
    ssh_key_free(authority);
    ssh_certificate_free(certificate);
    return 0;
}

static int32_t kind_of(const char *word)
{
    return strcmp(word, "user") == 0 ? SSH_CERTIFICATE_USER : SSH_CERTIFICATE_HOST;
}

static int check(char **arguments)
{
    static char text[131072];
    ssh_error *error = NULL;
    size_t length = fread(text, 1, sizeof text, stdin);
    ssh_key *authority = public_key(arguments[2]);
    const ssh_key *authorities[] = {authority};
    ssh_certificate *certificate = ssh_certificate_load(text, length, &error);
    if (certificate == NULL)
        return trouble("certificate", error);
    ssh_status status = ssh_certificate_check(certificate, kind_of(arguments[0]), authorities, 1, arguments[1],
                                              arguments[3], 0, &error);
    printf("%s\n", status == SSH_OK ? "good" : ssh_error_message(error));
    ssh_error_free(error);
    ssh_certificate_free(certificate);
    ssh_key_free(authority);
    return 0;
}

static int issue(char **arguments)
{
    ssh_error *error = NULL;
    ssh_key *key = public_key(arguments[1]);
    ssh_key *authority = ssh_key_load_file(arguments[2], NULL, &error);
    if (authority == NULL)
        return trouble(arguments[2], error);
    ssh_certificate *draft = ssh_certificate_new(kind_of(arguments[0]), key);
    ssh_certificate_set_key_id(draft, arguments[3]);
    ssh_certificate_set_serial(draft, strtoull(arguments[4], NULL, 10));
    ssh_certificate_set_validity(draft, strtoull(arguments[5], NULL, 10), strtoull(arguments[6], NULL, 10));
    for (char *name = strtok(arguments[7], ","); name != NULL; name = strtok(NULL, ","))
        ssh_certificate_add_principal(draft, name);
    for (char **option = arguments + 8; *option != NULL; option++) {
        bool critical = strncmp(*option, "critical:", 9) == 0;
        char *name = *option + (critical ? 9 : 0), *value = strchr(name, '=');
        if (value != NULL)
            *value++ = '\0';
        if (critical)
            ssh_certificate_set_critical_option(draft, name, value);
        else
            ssh_certificate_set_extension(draft, name, value);
    }
    ssh_certificate *certificate = ssh_certificate_sign(draft, authority, NULL, &error);
    if (certificate == NULL)
        return trouble("sign", error);
    char *line = ssh_certificate_line(certificate, "made by libsshwire");
    puts(line);
    ssh_memory_free(line);
    ssh_certificate_free(certificate);
    ssh_certificate_free(draft);
    ssh_key_free(authority);
    ssh_key_free(key);
    return 0;
}

static int revoked(char **arguments)
{
    ssh_error *error = NULL;
    ssh_revocations *list = ssh_revocations_load_file(arguments[0], &error);
    if (list == NULL)
        return trouble(arguments[0], error);
    for (char **path = arguments + 1; *path != NULL; path++) {
        ssh_certificate *certificate = ssh_certificate_load_file(*path, NULL);
        ssh_key *key = certificate == NULL ? public_key(*path) : NULL;
        ssh_status status = certificate != NULL ? ssh_revocations_check_certificate(list, certificate)
                                                : ssh_revocations_check_key(list, key);
        puts(status == SSH_OK ? "ok" : status == SSH_ERR_REVOKED ? "revoked" : ssh_status_name(status));
        ssh_key_free(key);
        ssh_certificate_free(certificate);
    }
    ssh_revocations_free(list);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "show") == 0)
        return show(argv[2]);
    if ((argc == 5 || argc == 6) && strcmp(argv[1], "check") == 0)
        return check(argv + 2);
    if (argc >= 10 && strcmp(argv[1], "issue") == 0)
        return issue(argv + 2);
    if (argc >= 3 && strcmp(argv[1], "revoked") == 0)
        return revoked(argv + 2);
    return 2;
}
