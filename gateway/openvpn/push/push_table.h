/*
 * Every option that a server may push, in one table: who may say it, what
 * leaves it out or changes it, and what it does (openvpn: options_parse.c,
 * options.c, remove_option, update_option).
 */
#ifndef OPENVPN_PUSH_PUSH_TABLE_H
#define OPENVPN_PUSH_PUSH_TABLE_H

#include "gateway/openvpn/push/push_options_granted.h"

/* The source of an option, and the one to tell problems to. */
struct push_source {
    bool pushed; /* else the profile */
    config_note *report;
    void *context;
};

/* Groups that a PUSH_UPDATE replaces as a whole. */
enum push_group {
    PUSH_GROUP_NONE,
    PUSH_GROUP_ROUTE,
    PUSH_GROUP_ROUTE_IPV6,
    PUSH_GROUP_REDIRECT,
    PUSH_GROUP_DNS,
    PUSH_GROUP_DHCP,
};

enum push_flag {
    PUSH_PUSHED = 1 << 0,  /* a server may say it */
    PUSH_PROFILE = 1 << 1, /* the profile's lines come here */
    PUSH_ROUTES = 1 << 2,  /* `route-nopull` leaves it out */
    PUSH_UPDATES = 1 << 3, /* PUSH_UPDATE may change it */
};

struct push_table_option {
    const char *name;
    uint8_t least, most; /* arguments */
    uint8_t flags;
    enum push_group group;
    /* False if it is malformed. */
    bool (*apply)(struct push_options *o, const struct config_tokens *t,
                  const struct push_source *s);
};

/* By exact name; NULL if there is none. */
const struct push_table_option *push_table_find(const char *name);

/* True if the option had its effect; else it is told. */
bool push_table_apply(struct push_options *o,
                      const struct push_table_option *option,
                      const struct config_tokens *t,
                      const struct push_source *s);

/* Takes back what was said about it, or about its group. */
void push_table_remove(struct push_options *o,
                       const struct push_table_option *option);
void push_table_forget(struct push_options *o, enum push_group group);

void push_table_tell(const struct push_source *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
