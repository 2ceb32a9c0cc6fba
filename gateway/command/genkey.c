#include "gateway/command/genkey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/secret.h"
#include "gateway/base/spelling.h"
#include "gateway/crypto/noise/x25519.h"
#include "gateway/openvpn/control/tls_crypt_v2.h"
#include "gateway/process/arguments.h"
#include "gateway/process/randomness.h"
#include "gateway/wireguard/profile/conf_key.h"

enum { TEXT_SIZE = TLS_CRYPT_V2_TEXT_MAX, PROBLEM_SIZE = 256 };

struct request {
    const char *server_key; /* path */
    const char *metadata;
    const char *out; /* path */
};

static void complain(const char *path, const char *what)
{
    fprintf(stderr, "vpn-gateway: %s: %s\n", path, what);
}

/* The file with the text, or none at all. */
static bool write_new_file(const char *path, const char *text)
{
    size_t size = strlen(text);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        complain(path, errno == EEXIST
                           ? "exists already, and keys are not overwritten"
                           : strerror(errno));
        return false;
    }
    bool written = write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
    if (close(fd) != 0 || !written) {
        complain(path, strerror(errno));
        unlink(path);
        return false;
    }
    return true;
}

static bool read_file(const char *path, char *out, size_t capacity,
                      size_t *size)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        complain(path, strerror(errno));
        return false;
    }
    *size = fread(out, 1, capacity, file);
    bool whole = !ferror(file) && *size < capacity;
    fclose(file);
    if (!whole)
        complain(path, "cannot be read, or is too large for a key");
    return whole;
}

static bool make_static(const struct request *r, char *text)
{
    struct static_key key;
    (void)r;
    randomness_fill(NULL, key.bytes, sizeof key.bytes);
    bool made = static_key_format(&key, text, TEXT_SIZE);
    secret_wipe(&key, sizeof key);
    return made;
}

static bool make_server(const struct request *r, char *text)
{
    struct tls_crypt_v2_server_key key;
    (void)r;
    randomness_fill(NULL, key.bytes, sizeof key.bytes);
    bool made = tls_crypt_v2_format_server(&key, text, TEXT_SIZE);
    secret_wipe(&key, sizeof key);
    return made;
}

static bool load_server_key(const char *path, struct tls_crypt_key *out)
{
    struct tls_crypt_v2_server_key key;
    char text[TEXT_SIZE];
    size_t size;
    if (!read_file(path, text, sizeof text, &size))
        return false;
    bool usable = tls_crypt_v2_parse_server(bytes_of(text, size), &key);
    if (!usable)
        complain(path, "is not a tls-crypt-v2 server key");
    usable = usable && tls_crypt_v2_init(out, &key);
    secret_wipe(text, sizeof text);
    secret_wipe(&key, sizeof key);
    return usable;
}

/* The type byte and the user's text, or the time. */
static bool set_metadata(struct tls_crypt_v2_content *content, const char *text)
{
    struct writer w = writer_of(content->metadata, sizeof content->metadata);
    if (text) {
        write_u8(&w, TLS_CRYPT_V2_METADATA_USER);
        write_bytes(&w, bytes_of_text(text));
    } else {
        write_u8(&w, TLS_CRYPT_V2_METADATA_TIME);
        write_u64(&w, (uint64_t)time(NULL));
    }
    content->metadata_size = (uint16_t)w.size;
    return writer_ok(&w);
}

static bool make_client(const struct request *r, char *text)
{
    struct tls_crypt_key server;
    struct tls_crypt_v2_content content;
    struct tls_crypt_v2_client_key key;

    if (!set_metadata(&content, r->metadata)) {
        fprintf(stderr, "vpn-gateway: --metadata: at most %d bytes\n",
                TLS_CRYPT_V2_METADATA_MAX - 1);
        return false;
    }
    if (!load_server_key(r->server_key, &server))
        return false;
    randomness_fill(NULL, content.key.bytes, sizeof content.key.bytes);
    bool made = tls_crypt_v2_wrap(&server, &content, &key) &&
                tls_crypt_v2_format_client(&key, text, TEXT_SIZE);
    tls_crypt_key_clear(&server);
    secret_wipe(&content, sizeof content);
    secret_wipe(&key, sizeof key);
    return made;
}

static bool make_wireguard(const struct request *r, char *text)
{
    uint8_t key[X25519_KEY_SIZE];
    (void)r;
    randomness_fill(NULL, key, sizeof key);
    x25519_clamp(key);
    conf_key_write(key, text);
    strcat(text, "\n");
    secret_wipe(key, sizeof key);
    return true;
}

/* For the server's configuration. */
static bool show_wireguard(const char *text)
{
    uint8_t private_key[X25519_KEY_SIZE], public_key[X25519_KEY_SIZE];
    char out[CONF_KEY_TEXT_SIZE];
    struct bytes key = bytes_of(text, CONF_KEY_TEXT_SIZE - 1);
    bool good = conf_key_read(key, private_key) == NULL;
    x25519_public(public_key, private_key);
    conf_key_write(public_key, out);
    secret_wipe(private_key, sizeof private_key);
    return good && puts(out) >= 0 && fflush(stdout) == 0;
}

static const struct kind {
    const char *name;
    bool (*make)(const struct request *r, char *text);
    bool (*show_public)(const char *text); /* NULL: there is none */
    bool for_server; /* takes --server-key, and --metadata */
} kinds[] = {
    {"wireguard", make_wireguard, show_wireguard, false},
    {"tls-auth", make_static, NULL, false},
    {"tls-crypt", make_static, NULL, false},
    {"tls-crypt-v2-server", make_server, NULL, false},
    {"tls-crypt-v2-client", make_client, NULL, true},
};

/* --- The command line ---------------------------------------------------- */

static const struct kind *find(const char *name, const char **why)
{
    static char problem[PROBLEM_SIZE];
    struct spelling spelling = spelling_of(name);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(name, kinds[i].name) == 0)
            return &kinds[i];
        spelling_offer(&spelling, kinds[i].name);
    }
    *why = "KIND is wireguard, tls-auth, tls-crypt, tls-crypt-v2-server or "
           "tls-crypt-v2-client";
    if (!spelling.nearest)
        return NULL;
    snprintf(problem, sizeof problem,
             "unknown KIND `%.100s'; did you mean `%s'?", name,
             spelling.nearest);
    *why = problem;
    return NULL;
}

/* NULL, or the reason why these options do not go with that kind. */
static const char *misfit(const struct kind *kind, const struct request *r)
{
    if (kind->for_server)
        return r->server_key ? NULL
                             : "tls-crypt-v2-client needs --server-key FILE";
    if (r->server_key)
        return "--server-key is for tls-crypt-v2-client alone";
    return r->metadata ? "--metadata is for tls-crypt-v2-client alone" : NULL;
}

static bool parse_options(int argc, char **argv, struct request *out,
                          const char **why)
{
    static const struct option options[] = {
        {"server-key", required_argument, NULL, 's'},
        {"metadata", required_argument, NULL, 'm'},
        {NULL, 0, NULL, 0},
    };
    *out = (struct request){0};
    arguments_begin();
    for (int c; (c = arguments_next(argc, argv, options, false)) != -1;) {
        *why = arguments_problem(argv, c, options);
        if (c == 's')
            out->server_key = optarg;
        else if (c == 'm')
            out->metadata = optarg;
        else
            return false;
    }
    return true;
}

/* The kind that is wanted; NULL, and why. */
static const struct kind *parse(int argc, char **argv, struct request *out,
                                const char **why)
{
    if (!parse_options(argc, argv, out, why))
        return NULL;
    *why = "KIND and OUT are missing";
    const struct kind *kind = optind < argc ? find(argv[optind], why) : NULL;
    if (!kind)
        return NULL;
    *why = argc - optind > 2    ? arguments_surplus(argv[optind + 2])
           : argc - optind == 1 ? "OUT, the file to make, is missing"
                                : misfit(kind, out);
    if (*why)
        return NULL;
    out->out = argv[optind + 1];
    return kind;
}

int genkey(int argc, char **argv)
{
    struct request r;
    char text[TEXT_SIZE];
    const char *why;
    const struct kind *kind = parse(argc, argv, &r, &why);
    if (!kind)
        return arguments_refuse(argv[0], why);
    bool done = kind->make(&r, text) && write_new_file(r.out, text) &&
                (!kind->show_public || kind->show_public(text));
    secret_wipe(text, sizeof text);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
