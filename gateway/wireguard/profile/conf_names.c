#include "gateway/wireguard/profile/conf_names.h"

#include "gateway/base/spelling.h"
#include "gateway/base/text.h"

static const struct {
    const char *key;
    enum conf_name name;
    const char *elsewhere; /* of those ignored */
} names[] = {
    {"PrivateKey", CONF_NAME_PRIVATE_KEY, NULL},
    {"Address", CONF_NAME_ADDRESS, NULL},
    {"DNS", CONF_NAME_DNS, NULL},
    {"MTU", CONF_NAME_MTU, NULL},
    {"ListenPort", CONF_NAME_LISTEN_PORT, NULL},
    {"Table", CONF_NAME_IGNORED,
     "routes of the kernel are not used: AllowedIPs says what goes through the "
     "tunnel"},
    {"FwMark", CONF_NAME_IGNORED,
     "packets of the gateway itself need no mark: nothing but the tunnel's own "
     "leaves"},
    {"SaveConfig", CONF_NAME_IGNORED, "this file is never written to"},
    {"PreUp", CONF_NAME_HOOK, NULL},
    {"PostUp", CONF_NAME_HOOK, NULL},
    {"PreDown", CONF_NAME_HOOK, NULL},
    {"PostDown", CONF_NAME_HOOK, NULL},
    {"PublicKey", CONF_NAME_PUBLIC_KEY, NULL},
    {"PresharedKey", CONF_NAME_PRESHARED_KEY, NULL},
    {"Endpoint", CONF_NAME_ENDPOINT, NULL},
    {"AllowedIPs", CONF_NAME_ALLOWED_IPS, NULL},
    {"PersistentKeepalive", CONF_NAME_KEEPALIVE, NULL},
    {"Jc", CONF_NAME_JUNK, NULL},
    {"Jmin", CONF_NAME_JUNK, NULL},
    {"Jmax", CONF_NAME_JUNK, NULL},
    {"I1", CONF_NAME_JUNK, NULL},
    {"I2", CONF_NAME_JUNK, NULL},
    {"I3", CONF_NAME_JUNK, NULL},
    {"I4", CONF_NAME_JUNK, NULL},
    {"I5", CONF_NAME_JUNK, NULL},
    {"S1", CONF_NAME_PADDING, NULL},
    {"S2", CONF_NAME_PADDING, NULL},
    {"S3", CONF_NAME_PADDING, NULL},
    {"S4", CONF_NAME_PADDING, NULL},
    {"H1", CONF_NAME_HEADER, NULL},
    {"H2", CONF_NAME_HEADER, NULL},
    {"H3", CONF_NAME_HEADER, NULL},
    {"H4", CONF_NAME_HEADER, NULL},
    {"HeaderProtectionKey", CONF_NAME_MAGIC, NULL},
    {"ContentPaddingAddition", CONF_NAME_MAGIC, NULL},
};

enum { NAMES = sizeof names / sizeof *names };

enum conf_name conf_names_find(struct bytes key)
{
    for (size_t i = 0; i < NAMES; i++)
        if (text_equal_ignoring_case(key, names[i].key))
            return names[i].name;
    return CONF_NAME_UNKNOWN;
}

const char *conf_names_nearest(struct bytes key)
{
    char word[SPELLING_NAME_MAX];
    if (!text_copy(word, sizeof word, key))
        return NULL;
    struct spelling s = spelling_of(word);
    for (size_t i = 0; i < NAMES && names[i].name != CONF_NAME_JUNK; i++)
        spelling_offer(&s, names[i].key);
    return s.nearest;
}

const char *conf_names_ignored(struct bytes key)
{
    for (size_t i = 0; i < NAMES; i++)
        if (text_equal_ignoring_case(key, names[i].key))
            return names[i].elsewhere;
    return NULL;
}

static bool mentions(struct bytes text, const char *word)
{
    size_t size = strlen(word);
    for (size_t i = 0; i + size <= text.size; i++)
        if (text_starts_ignoring_case(bytes_of(text.data + i, text.size - i),
                                      word))
            return true;
    return false;
}

const char *conf_names_hook(struct bytes command)
{
    if (mentions(command, "MASQUERADE") || mentions(command, "FORWARD"))
        return "it is not run: it forwards for others, so this is a server's "
               "or a router's file";
    if (mentions(command, "resolvectl") ||
        mentions(command, "systemd-resolve") || mentions(command, "resolvconf"))
        return "it is not run, and is not needed: `DNS' says which resolvers "
               "the qubes use";
    if (mentions(command, "REJECT") || mentions(command, "DROP") ||
        mentions(command, "fwmark"))
        return "it is not run, and is not needed: this gateway closes by "
               "itself, because no way leads around the tunnel";
    return "it is never run: what it did has to be done by hand, if it is "
           "needed. Routes and resolvers come from AllowedIPs and DNS, and the "
           "gateway closes by itself";
}

const char *conf_names_section(struct bytes name)
{
    if (text_equal_ignoring_case(name, "Socks5") ||
        text_equal_ignoring_case(name, "http") ||
        text_equal_ignoring_case(name, "TCPClientTunnel") ||
        text_equal_ignoring_case(name, "TCPServerTunnel") ||
        text_equal_ignoring_case(name, "STDIOTunnel"))
        return "it is wireproxy's: WireGuard has [Interface] and [Peer] alone. "
               "Without this section the rest is a profile";
    if (text_equal_ignoring_case(name, "connection") ||
        text_equal_ignoring_case(name, "wireguard") ||
        text_equal_ignoring_case(name, "ipv4") ||
        text_equal_ignoring_case(name, "ipv6"))
        return "it is NetworkManager's: this is no .conf of wg-quick. The "
               "provider's own file is wanted";
    return "there is no such section: WireGuard has [Interface] and [Peer]";
}

bool conf_names_plain_header(struct bytes key, struct bytes value)
{
    return value.size == 1 && key.size == 2 && value.data[0] == key.data[1];
}
