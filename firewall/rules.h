/*
 * The rules of one source address, as dom0 writes them: in order, the first
 * that matches decides, else the policy. What did not parse decides nothing:
 * it refuses everything and says why.
 */
#ifndef FIREWALL_RULES_H
#define FIREWALL_RULES_H

#include "firewall/rule_names.h"
#include "gateway/base/instant.h"
#include "gateway/packet/ip_packet.h"

enum {
    RULES_MAX = 4096, /* of one address */
    RULES_PROBLEM_SIZE = 160,
    RULES_TEXT_SIZE = 256,
};

enum rule_action { RULE_DROP, RULE_ACCEPT };

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
    char problem[RULES_PROBLEM_SIZE]; /* where it is bad: what is wrong */
    uint16_t count;
    struct rule rules[];
};

/* What a flow would be: judged once, when it begins. */
struct rules_question {
    uint8_t family, protocol;
    uint8_t icmp_type;
    uint16_t port;              /* destination */
    struct address destination; /* that really gets it */
    struct address asked;       /* the same, or a virtual resolver */
    bool to_resolver;           /* it is a resolver of the tunnel */
    bool may_wait;              /* until names are resolved */
};

/* DROP_NONE, DROP_RULE, DROP_BAD_RULES, or DROP_NO_RULES for NULL. */
MUST_USE enum drop rules_judge(const struct rules *rules,
                               const struct rule_names *names,
                               struct instant now,
                               const struct rules_question *question);

/* What they are, for people; of NULL what it means to have none. */
void rules_describe(const struct rules *rules, bool accept_unruled,
                    char out[RULES_TEXT_SIZE]);

#endif
