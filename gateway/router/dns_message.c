#define CARES_NO_DEPRECATED /* newer names are not in Debian 12's c-ares */
#include "gateway/router/dns_message.h"

#include <ares.h>
#include <netinet/in.h>

enum {
    CLASS_IN = 1,
    TYPE_A = 1,
    TYPE_AAAA = 28,
    HEADER_SIZE = 12,
    FLAG_RESPONSE = 0x80, /* of the third byte */
    FLAG_TRUNCATED = 0x02,
    CODE_MASK = 0x0f, /* of the fourth */
    CODE_NO_ERROR = 0,
    CODE_NO_NAME = 3,
    QUESTION_TAIL = 4, /* type and class behind the name */
};

size_t dns_message_query(uint8_t out[DNS_MESSAGE_QUERY_MAX], const char *name,
                         enum address_family family, uint16_t id)
{
    unsigned char *message = NULL;
    int size = 0;
    int type = family == ADDRESS_IPV6 ? TYPE_AAAA : TYPE_A;
    if (ares_create_query(name, CLASS_IN, type, id, 1, &message, &size,
                          DNS_MESSAGE_UDP_SIZE) != ARES_SUCCESS)
        return 0;
    size_t used = size > 0 && size <= DNS_MESSAGE_QUERY_MAX ? (size_t)size : 0;
    memcpy(out, message, used);
    ares_free_string(message);
    return used;
}

/* Bytes of the one question: an uncompressed name, type, class. 0 where the
 * message does not hold it. */
static size_t question_size(struct bytes message)
{
    size_t at = HEADER_SIZE;
    while (at < message.size && message.data[at] != 0)
        at += (size_t)message.data[at] + 1;
    at += 1 + QUESTION_TAIL;
    return at <= message.size ? at - HEADER_SIZE : 0;
}

/* An answer repeats identification and question (RFC 5452 4.2, 4.3). */
static bool answers(struct bytes message, struct bytes query)
{
    size_t question = question_size(query);
    return question > 0 && message.size >= HEADER_SIZE + question &&
           load_u16(message.data) == load_u16(query.data) &&
           (message.data[2] & FLAG_RESPONSE) &&
           load_u16(message.data + 4) == 1 &&
           memcmp(message.data + HEADER_SIZE, query.data + HEADER_SIZE,
                  question) == 0;
}

static void add(struct dns_message_answer *a, enum address_family family,
                const void *bytes, int ttl)
{
    uint32_t seconds = ttl > 0 ? (uint32_t)ttl : 0;
    a->addresses[a->count++] = address_from_bytes(family, bytes);
    if (seconds < a->ttl)
        a->ttl = seconds;
}

/* c-ares follows aliases. One address more than there is room for tells that
 * the answer has more. */
static enum dns_message_outcome parse_addresses(struct bytes message,
                                                enum address_family family,
                                                struct dns_message_answer *out)
{
    struct ares_addrttl v4[DNS_MESSAGE_ADDRESSES_MAX + 1];
    struct ares_addr6ttl v6[DNS_MESSAGE_ADDRESSES_MAX + 1];
    int count = DNS_MESSAGE_ADDRESSES_MAX + 1, status;
    if (family == ADDRESS_IPV6)
        status = ares_parse_aaaa_reply(message.data, (int)message.size, NULL,
                                       v6, &count);
    else
        status = ares_parse_a_reply(message.data, (int)message.size, NULL, v4,
                                    &count);
    if (status == ARES_ENODATA || (status == ARES_SUCCESS && count <= 0))
        return DNS_MESSAGE_NO_ADDRESS;
    if (status != ARES_SUCCESS)
        return DNS_MESSAGE_FAILURE;
    for (int i = 0; i < count && i < DNS_MESSAGE_ADDRESSES_MAX; i++)
        if (family == ADDRESS_IPV6)
            add(out, family, &v6[i].ip6addr, v6[i].ttl);
        else
            add(out, family, &v4[i].ipaddr, v4[i].ttl);
    return count > DNS_MESSAGE_ADDRESSES_MAX ? DNS_MESSAGE_TOO_MANY
                                             : DNS_MESSAGE_ADDRESSES;
}

bool dns_message_parse(struct bytes message, struct bytes query,
                       enum address_family family,
                       struct dns_message_answer *out)
{
    if (!answers(message, query))
        return false;
    uint8_t code = message.data[3] & CODE_MASK;
    struct dns_message_answer answer = {.ttl = UINT32_MAX};
    if (code == CODE_NO_NAME)
        answer.outcome = DNS_MESSAGE_NO_NAME;
    else if (code == CODE_NO_ERROR)
        answer.outcome = parse_addresses(message, family, &answer);
    else
        answer.outcome = DNS_MESSAGE_FAILURE;
    if (message.data[2] & FLAG_TRUNCATED)
        answer.outcome = DNS_MESSAGE_TRUNCATED;
    *out = answer;
    return true;
}
