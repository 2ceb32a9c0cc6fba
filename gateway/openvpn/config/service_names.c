#include "gateway/openvpn/config/service_names.h"

static const struct {
    const char *name;
    uint16_t port;
} services[] = {
    {"ftp", 21},        {"ssh", 22},       {"telnet", 23},
    {"smtp", 25},       {"domain", 53},    {"tftp", 69},
    {"http", 80},       {"www", 80},       {"kerberos", 88},
    {"pop3", 110},      {"ntp", 123},      {"imap", 143},
    {"imap2", 143},     {"snmp", 161},     {"ldap", 389},
    {"https", 443},     {"smtps", 465},    {"submissions", 465},
    {"isakmp", 500},    {"syslog", 514},   {"submission", 587},
    {"ldaps", 636},     {"domain-s", 853}, {"ftps", 990},
    {"telnets", 992},   {"imaps", 993},    {"pop3s", 995},
    {"socks", 1080},    {"openvpn", 1194}, {"l2tp", 1701},
    {"l2f", 1701},      {"radius", 1812},  {"ipsec-nat-t", 4500},
    {"sip", 5060},      {"sip-tls", 5061}, {"http-alt", 8080},
    {"webcache", 8080},
};

bool service_names_find(const char *name, uint16_t *port)
{
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        if (!strcmp(services[i].name, name)) {
            *port = services[i].port;
            return true;
        }
    }
    return false;
}
