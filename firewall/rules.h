/*
 * The rules of one source address, as dom0 writes them: in order, the first
 * that matches decides, else the policy. A set that did not parse decides
 * nothing: it refuses everything and says why.
 */
#ifndef FIREWALL_RULES_H
#define FIREWALL_RULES_H

#include "firewall/rule_names.h"
#include "gateway/base/instant.h"
#include "gateway/packet/ip_header.h"

enum {
    RULES_MAX = 4096,         /* of one address */
    RULES_SOURCES_MAX = 2048, /* addresses; Qubes keeps those of halted qubes */
    RULES_PROBLEM_SIZE = 160,
    RULES_TEXT_SIZE = 256,
    RULES_WAIT_SIZE = 400,
    RULES_NO_RULE = 0x3fff, /* as the place of one */
};

enum rule_action { RULE_DROP, RULE_ACCEPT };

/* A key below /qubes-firewall/<address>/, "policy" or four digits, and its
 * value. */
struct rules_entry {
    struct bytes key, value;
};

/* A condition that is not set is met by everything. */
struct rule {
    uint16_t number; /* its key in QubesDB */
    uint8_t action;  /* enum rule_action */
    bool has_protocol;
    uint8_t protocol; /* IP_TCP, IP_UDP, or IP_ICMP of either family */
    bool has_ports;   /* then TCP or UDP, even where no protocol is named */
    bool has_icmp_type;
    uint8_t icmp_type;
    bool resolvers; /* specialtarget=dns */
    uint16_t first_port, last_port;
    struct prefix destination; /* family NONE: everywhere */
    uint16_t name;             /* dsthost, or RULE_NAMES_NONE */
};

struct rules {
    struct address source;
    uint8_t policy; /* enum rule_action */
    bool bad;
    bool drops_by_name;               /* one of them does */
    bool of_file;                     /* and not dom0's */
    size_t culprit;                   /* where they are bad: which entry */
    char problem[RULES_PROBLEM_SIZE]; /* where it is bad: what is wrong */
    uint16_t count;
    struct rule rules[];
};

/* The flow to be judged. */
struct rules_question {
    uint8_t family, protocol;
    uint8_t icmp_type;
    uint16_t port;              /* destination */
    struct address destination; /* that really gets it */
    struct address asked;       /* the same, or a virtual resolver */
    bool to_resolver;           /* it is a resolver of the tunnel */
    /* The place of the rule that accepted the flow when it began, or NO_RULE:
     * what a rule has accepted by a host name goes on when the name gets other
     * addresses. */
    uint16_t accepted_by;
};

struct rules_verdict {
    enum drop drop; /* NONE, RULE, NAME_UNKNOWN, BAD_RULES, or NO_RULES */
    uint16_t rule;  /* the place of the one that decided, or NO_RULE */
};

/* By the first rule that matches, else by the policy. A rule that drops a host
 * name matches every destination while the name is not known (NAME_UNKNOWN):
 * any could be the one that it is to refuse. `rules` may be NULL. */
MUST_USE struct rules_verdict
rules_judge(const struct rules *rules, const struct rule_names *names,
            struct instant now, const struct rules_question *question);

/* Describes the rules for people; for NULL, what it means to have none. */
void rules_describe(const struct rules *rules, bool accept_unruled,
                    char out[RULES_TEXT_SIZE]);

/* The first rule that waits for its host name, and why it has to, for people:
 * `unasked` is the reason where no question was answered yet. The name's state;
 * KNOWN, and "", where no rule waits. */
enum rule_name_state rules_describe_wait(const struct rules *rules,
                                         const struct rule_names *names,
                                         struct instant now,
                                         const char *unasked,
                                         char out[RULES_WAIT_SIZE]);

#endif
