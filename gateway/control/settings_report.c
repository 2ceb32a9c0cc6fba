#include "gateway/control/settings_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/control/json_text.h"

enum { VALUE_SIZE = 1200, NOTE_SIZE = 64, NAME_WIDTH = 14 };

static const char from_command_line[] = "command line";
static const char from_dom0[] = "vm-config";
static const char from_profile[] = "profile";
static const char from_server[] = "server";
static const char from_order[] = "log-level command";
static const char from_default[] = "default";

struct row {
    char value[VALUE_SIZE]; /* "" means nothing */
    const char *origin;
    char note[NOTE_SIZE]; /* what became of it, or "" */
};

/* --- What stands where dom0 says nothing --------------------------------- */

__attribute__((format(printf, 2, 3))) static void add(struct row *row,
                                                      const char *format, ...)
{
    va_list arguments;
    size_t used = strlen(row->value);
    va_start(arguments, format);
    vsnprintf(row->value + used, sizeof row->value - used, format, arguments);
    va_end(arguments);
}

static void add_server(struct row *row, const char *host, uint16_t port)
{
    add(row, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

static void remotes_of(const struct protocol_profile *profile, struct row *row)
{
    enum { SHOWN = 3 };
    row->origin = from_profile;
    for (size_t i = 0; i < profile->server_count && i < SHOWN; i++) {
        const struct protocol_server *s = &profile->servers[i];
        if (!s->host)
            continue;
        add(row, "%s", i ? " " : "");
        add_server(row, s->host, s->port);
        add(row, "/%s", s->transport == PROTOCOL_TCP ? "tcp" : "udp");
    }
    if (profile->server_count > SHOWN)
        add(row, " and %zu more", profile->server_count - SHOWN);
}

static void proxy_of(const struct protocol_profile *profile, struct row *row)
{
    static const char *const schemes[] = {
        [PROTOCOL_PROXY_NONE] = "",
        [PROTOCOL_PROXY_HTTP] = "http://",
        [PROTOCOL_PROXY_SOCKS] = "socks5://",
    };
    const struct protocol_proxy *p = &profile->servers[0].proxy;
    if (profile->server_count == 0 || p->kind == PROTOCOL_PROXY_NONE)
        return;
    row->origin = from_profile;
    add(row, "%s", schemes[p->kind]);
    add_server(row, p->host, p->port);
}

static void username_of(const struct protocol_profile *profile, struct row *row)
{
    if (!profile->username)
        return;
    row->origin = from_profile;
    add(row, "%s", profile->username);
}

static void resolvers_of(const struct tunnel *granted, struct row *row)
{
    char text[ADDRESS_TEXT_SIZE];
    row->origin = from_server;
    for (size_t i = 0; i < granted->resolver_count; i++)
        add(row, "%s%s", i ? " " : "",
            address_format(&granted->resolvers[i], text));
}

static void set_lower(const struct settings_report_source *s,
                      enum vm_config_key key, struct row *row)
{
    const struct protocol_profile *profile =
        s->vpn.client ? vpn_client_profile(s->vpn.client) : NULL;
    switch (key) {
    case VM_CONFIG_REMOTE:
        if (profile)
            remotes_of(profile, row);
        break;
    case VM_CONFIG_PROXY:
        if (profile)
            proxy_of(profile, row);
        break;
    case VM_CONFIG_USERNAME:
        if (profile)
            username_of(profile, row);
        break;
    case VM_CONFIG_DNS:
        if (s->granted)
            resolvers_of(s->granted, row);
        break;
    case VM_CONFIG_MTU:
        if (s->granted) {
            row->origin = from_server;
            add(row, "%u", s->granted->mtu);
        }
        break;
    case VM_CONFIG_IPV6:
        add(row, "on");
        break;
    case VM_CONFIG_LOG_LEVEL:
        add(row, "%s", log_level_name(log_get_level()));
        break;
    case VM_CONFIG_PROFILE:
    case VM_CONFIG_KEY_COUNT:
        break;
    }
}

/* --- Rows ---------------------------------------------------------------- */

static void set_upper(const struct settings_report_source *s,
                      enum vm_config_key key, struct row *row)
{
    if (key == VM_CONFIG_PROFILE && s->settings->profile) {
        add(row, "%s", s->settings->profile);
        row->origin = from_command_line;
    }
    if (key == VM_CONFIG_LOG_LEVEL &&
        (s->log_level_ordered || s->settings->verbose)) {
        add(row, "%s", log_level_name(log_get_level()));
        row->origin = s->log_level_ordered ? from_order : from_command_line;
    }
}

/* A wrong value with none before it has the meaning that opens least. */
static void set_dom0(const struct vm_config *c, enum vm_config_key key,
                     struct row *row)
{
    if (vm_config_in_force(c, key)) {
        row->origin = from_dom0;
        add(row, "%s", c->texts[key]);
    } else if (c->states[key] == VM_CONFIG_WRONG && key != VM_CONFIG_MTU &&
               key != VM_CONFIG_USERNAME && key != VM_CONFIG_LOG_LEVEL) {
        row->origin = from_dom0;
        add(row, "%s", key == VM_CONFIG_IPV6 ? "off" : "");
    }
}

static json_t *row_json(const char *name, const struct row *row,
                        const char *takes, const char *problem)
{
    return json_pack("{s:s,s:o,s:s,s:o,s:o,s:o}", "name", name, "value",
                     json_text(row->value[0] ? row->value : NULL), "origin",
                     row->origin, "takes", json_text(takes), "problem",
                     json_text(problem && problem[0] ? problem : NULL), "note",
                     json_text(row->note[0] ? row->note : NULL));
}

/* The value is what may be; the path may carry less. */
static void note_mtu(const struct settings_report_source *s, struct row *row)
{
    if (!s->granted)
        return;
    unsigned long wanted = strtoul(row->value, NULL, 10);
    uint16_t used = tunnel_mtu(s->granted, ADDRESS_IPV4);
    if (wanted > used)
        snprintf(row->note, sizeof row->note, "%u in use, %s", used,
                 used < s->granted->mtu ? "all the path to the server carries"
                                        : "all the server allows");
}

static json_t *key_json(const struct settings_report_source *s,
                        enum vm_config_key key)
{
    struct row row = {.origin = NULL};
    set_upper(s, key, &row);
    if (!row.origin)
        set_dom0(s->dom0, key, &row);
    if (!row.origin) {
        row.origin = from_default;
        set_lower(s, key, &row);
    }
    if (key == VM_CONFIG_MTU)
        note_mtu(s, &row);
    return row_json(vm_config_name(key), &row, vm_config_form(key),
                    s->dom0->why[key]);
}

static json_t *option_json(const char *name, const char *value,
                           const char *otherwise)
{
    struct row row = {.origin = from_default};
    if (value && (!otherwise || strcmp(value, otherwise) != 0))
        row.origin = from_command_line;
    if (value)
        add(&row, "%s", value);
    return row_json(name, &row, NULL, NULL);
}

json_t *settings_report_json(const struct settings_report_source *s)
{
    const struct settings *o = s->settings;
    json_t *rows = json_array();
    for (unsigned key = 0; key < VM_CONFIG_KEY_COUNT; key++)
        json_array_append_new(rows, key_json(s, (enum vm_config_key)key));
    json_array_append_new(
        rows, option_json("profiles", o->profiles, SETTINGS_PROFILES_DEFAULT));
    json_array_append_new(rows, option_json("qubesdb",
                                            o->qubesdb ? o->qubesdb : "none",
                                            SETTINGS_QUBESDB_DEFAULT));
    json_array_append_new(rows, option_json("rules", o->rules, NULL));
    json_array_append_new(
        rows, option_json("control", o->control, SETTINGS_CONTROL_DEFAULT));
    json_array_append_new(rows, option_json("pcap", o->pcap, NULL));
    return json_pack("{s:o}", "settings", rows);
}

/* --- For a person -------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

void settings_report_print(const json_t *report, FILE *out)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(report, "settings"), i, row)
    {
        const char *name = text_of(row, "name"), *value = text_of(row, "value");
        const char *takes = text_of(row, "takes");
        const char *problem = text_of(row, "problem");
        const char *note = text_of(row, "note");
        if (!name)
            continue;
        fprintf(out, "%-*s  %s  (%s%s%s)\n", NAME_WIDTH, name,
                value ? value : "-", text_of(row, "origin"), note ? "; " : "",
                note ? note : "");
        if (problem)
            fprintf(out, "%-*s  %s: it takes %s\n", NAME_WIDTH, "", problem,
                    takes ? takes : "another value");
    }
}
