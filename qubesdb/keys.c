#include "qubesdb/keys.h"

#include <assert.h>
#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"

#define CONNECTED_IPS  "/connected-ips"
#define CONNECTED_IPS6 "/connected-ips6"
#define MAPPED         "/mapped-ip/"
#define HANDLED        "/qubes-firewall-handled/"
#define VM_CONFIG      "/vm-config/"

static_assert(sizeof HANDLED - 1 + ADDRESS_TEXT_SIZE - 1 - 6 <=
                  MESSAGE_PATH_SIZE - 1,
              "the longest IPv6 text, 39 characters, fits behind HANDLED");

static const char *const directories[] = {
    KEYS_RULES,
    HANDLED,
    MAPPED,
    VM_CONFIG,
};

static const char *const connected_keys[] = {
    CONNECTED_IPS,
    CONNECTED_IPS6,
};

static const char *const own_keys[] = {
    "/name",
    "/type",
    "/qubes-vm-type",
    "/qubes-ip",
    "/qubes-ip6",
    "/qubes-netmask",
    "/qubes-gateway",
    "/qubes-gateway6",
    "/qubes-primary-dns",
    "/qubes-secondary-dns",
    "/qubes-netvm-network",
    "/qubes-netvm-gateway",
    "/qubes-netvm-gateway6",
    "/qubes-netvm-netmask",
    "/qubes-netvm-primary-dns",
    "/qubes-netvm-secondary-dns",
};

enum {
    DIRECTORY_COUNT = sizeof directories / sizeof *directories,
    CONNECTED_KEY_COUNT = sizeof connected_keys / sizeof *connected_keys,
    OWN_KEY_COUNT = sizeof own_keys / sizeof *own_keys,
};

static bool starts_with(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

static bool is_among(const char *path, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(path, keys[i]))
            return true;
    }
    return false;
}

static bool is_above(const char *prefix, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (starts_with(keys[i], prefix))
            return true;
    }
    return false;
}

bool keys_is_own(const char *path)
{
    return is_among(path, own_keys, OWN_KEY_COUNT);
}

bool keys_wanted(const char *path)
{
    for (size_t i = 0; i < DIRECTORY_COUNT; i++) {
        if (starts_with(path, directories[i]))
            return true;
    }
    return keys_is_own(path) ||
           is_among(path, connected_keys, CONNECTED_KEY_COUNT);
}

bool keys_wanted_below(const char *prefix)
{
    for (size_t i = 0; i < DIRECTORY_COUNT; i++) {
        if (starts_with(prefix, directories[i]))
            return true;
    }
    return is_above(prefix, directories, DIRECTORY_COUNT) ||
           is_above(prefix, own_keys, OWN_KEY_COUNT) ||
           is_above(prefix, connected_keys, CONNECTED_KEY_COUNT);
}

enum keys_rules keys_rules_of(const char *path, char base[MESSAGE_PATH_SIZE])
{
    size_t size = strnlen(path, MESSAGE_PATH_SIZE - 1);
    if (!starts_with(path, KEYS_RULES) || size == strlen(KEYS_RULES))
        return KEYS_NO_RULES;
    const char *slash = strchr(path + strlen(KEYS_RULES), '/');
    if (slash)
        size = (size_t)(slash - path);
    memcpy(base, path, size);
    base[size] = '\0';
    return slash ? KEYS_RULES_PART : KEYS_RULES_BASE;
}

/* DIRECTORY, an address, and TAIL as one path. */
static void path_of(char path[MESSAGE_PATH_SIZE], const char *directory,
                    const struct address *address, const char *tail)
{
    char text[ADDRESS_TEXT_SIZE];
    snprintf(path, MESSAGE_PATH_SIZE, "%s%s%s", directory,
             address_format(address, text), tail);
}

bool keys_rules_source(const char *base, struct address *source)
{
    char canonical[MESSAGE_PATH_SIZE];
    struct address a;
    if (!starts_with(base, KEYS_RULES) ||
        !address_parse(bytes_of_text(base + strlen(KEYS_RULES)), &a))
        return false;
    path_of(canonical, KEYS_RULES, &a, "");
    if (strcmp(canonical, base) != 0)
        return false;
    *source = a;
    return true;
}

static void complain(const char *path, struct bytes value, const char *why)
{
    char quoted[LOG_QUOTE_SIZE];
    log_warn("qubesdb: %s %s: \"%s\"", path, why, log_quote(quoted, value));
}

/* Unset if it is absent, empty or malformed. */
static struct address read_address(const struct store *s, const char *path,
                                   enum address_family family)
{
    struct bytes value;
    struct address a;
    if (!store_get(s, path, &value) || value.size == 0)
        return (struct address){0};
    if (!address_parse(value, &a) || a.family != family) {
        complain(path, value,
                 family == ADDRESS_IPV4 ? "is no IPv4 address"
                                        : "is no IPv6 address");
        return (struct address){0};
    }
    return a;
}

static enum keys_vm_type read_type(const struct store *s)
{
    static const struct {
        const char *text;
        enum keys_vm_type type;
    } types[] = {
        {"AppVM", KEYS_VM_APP},
        {"DispVM", KEYS_VM_DISPOSABLE},
        {"StandaloneVM", KEYS_VM_STANDALONE},
        {"TemplateVM", KEYS_VM_TEMPLATE},
    };
    struct bytes value;
    if (!store_get(s, "/type", &value))
        return KEYS_VM_UNKNOWN;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (text_equal(value, types[i].text))
            return types[i].type;
    }
    return KEYS_VM_UNKNOWN;
}

void keys_own(const struct store *s, struct keys_own *out)
{
    struct keys_own own = {.type = read_type(s)};
    struct bytes value;

    if (store_get(s, "/name", &value) &&
        !text_copy(own.name, sizeof own.name, value))
        complain("/name", value, "is no name of a qube");
    own.ip = read_address(s, "/qubes-ip", ADDRESS_IPV4);
    own.ip6 = read_address(s, "/qubes-ip6", ADDRESS_IPV6);
    own.gateway = read_address(s, "/qubes-gateway", ADDRESS_IPV4);
    own.gateway6 = read_address(s, "/qubes-gateway6", ADDRESS_IPV6);
    own.dns[0] = read_address(s, "/qubes-primary-dns", ADDRESS_IPV4);
    own.dns[1] = read_address(s, "/qubes-secondary-dns", ADDRESS_IPV4);
    own.provides_network =
        store_get(s, "/qubes-netvm-network", &value) && value.size > 0;
    own.netvm_gateway = read_address(s, "/qubes-netvm-gateway", ADDRESS_IPV4);
    own.netvm_gateway6 = read_address(s, "/qubes-netvm-gateway6", ADDRESS_IPV6);
    own.netvm_dns[0] =
        read_address(s, "/qubes-netvm-primary-dns", ADDRESS_IPV4);
    own.netvm_dns[1] =
        read_address(s, "/qubes-netvm-secondary-dns", ADDRESS_IPV4);
    *out = own;
}

bool keys_is_connected(const struct store *s, const struct address *visible)
{
    const char *path =
        visible->family == ADDRESS_IPV4 ? CONNECTED_IPS : CONNECTED_IPS6;
    struct bytes rest, part;
    struct address a;
    if (!store_get(s, path, &rest))
        return true;
    while (text_cut(&rest, ' ', &part)) {
        if (address_parse(part, &a) && address_equal(&a, visible))
            return true;
    }
    return false;
}

bool keys_mapped_source(const char *path, struct address *real)
{
    struct bytes rest = bytes_of_text(path), text;
    if (!starts_with(path, MAPPED))
        return false;
    rest.data += strlen(MAPPED);
    rest.size -= strlen(MAPPED);
    return text_cut(&rest, '/', &text) && address_parse(text, real);
}

void keys_mapped(const struct store *s, const struct address *real,
                 struct keys_mapped *out)
{
    char path[MESSAGE_PATH_SIZE];
    path_of(path, MAPPED, real, "/visible-ip");
    out->visible_ip = read_address(s, path, real->family);
    path_of(path, MAPPED, real, "/visible-gateway");
    out->visible_gateway = read_address(s, path, real->family);
}

bool keys_vm_config(const struct store *s, const char *name,
                    struct bytes *value)
{
    char path[MESSAGE_PATH_SIZE];
    int size = snprintf(path, sizeof path, VM_CONFIG "%s", name);
    return size > 0 && size < MESSAGE_PATH_SIZE && store_get(s, path, value);
}

const char *keys_vm_config_name(const char *path)
{
    bool below = starts_with(path, VM_CONFIG) && path[strlen(VM_CONFIG)];
    return below ? path + strlen(VM_CONFIG) : NULL;
}

void keys_handled_path(const struct address *source,
                       char path[MESSAGE_PATH_SIZE])
{
    path_of(path, HANDLED, source, "");
}

uint32_t keys_handled(const struct store *s, const struct address *source)
{
    char path[MESSAGE_PATH_SIZE];
    struct bytes value;
    uint32_t count;
    keys_handled_path(source, path);
    if (!store_get(s, path, &value) || !text_to_u32(value, UINT32_MAX, &count))
        return 0;
    return count;
}
