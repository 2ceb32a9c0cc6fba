/* client_waiting(): what a client that gets no further waits for. */
#include <stdio.h>

#include "gateway/openvpn/client/client_state.h"

enum { WORTH_TELLING = 2 /* s */ };

const char *client_state_place(const struct client *c,
                               char out[CLIENT_PLACE_SIZE])
{
    const struct config_remote *r = c->remote;
    bool ipv6 = strchr(r->host, ':') != NULL;
    snprintf(out, CLIENT_PLACE_SIZE, "%s%s%s:%u/%s", ipv6 ? "[" : "", r->host,
             ipv6 ? "]" : "", r->port,
             r->protocol == CONFIG_TCP ? "tcp" : "udp");
    return out;
}

const char *client_state_silence_hint(const struct client *c)
{
    if (c->closed)
        return "ICMP says that nobody listens there: the server does not run, "
               "or the port is another";
    if (c->remote->protocol == CONFIG_TCP)
        return "no OpenVPN server, a tls-crypt or tls-auth key that is not the "
               "server's, or a firewall";
    return c->remote->wrap == CONFIG_WRAP_NONE
               ? "wrong port or protocol, or a firewall"
               : "wrong port or protocol, a tls-crypt or tls-auth key that is "
                 "not the server's, or a firewall";
}

static bool no_answer(const struct client *c, const char *place,
                      long long seconds, char out[CLIENT_WAITING_SIZE])
{
    if (session_heard(&c->session))
        snprintf(out, CLIENT_WAITING_SIZE,
                 "%s answers, but the TLS handshake has not ended (%lld s): "
                 "packets are lost, or the server refuses the certificate",
                 place, seconds);
    else
        snprintf(out, CLIENT_WAITING_SIZE, "no answer yet from %s (%lld s): %s",
                 place, seconds, client_state_silence_hint(c));
    return true;
}

bool client_waiting(const struct client *c, struct instant now,
                    char out[CLIENT_WAITING_SIZE])
{
    char place[CLIENT_PLACE_SIZE];
    long long seconds = instant_since(now, c->since).us / 1000000;
    if (seconds < WORTH_TELLING)
        return false;
    switch (c->state) {
    case CLIENT_CONNECTING:
        snprintf(out, CLIENT_WAITING_SIZE,
                 "no connection yet to %s (%lld s): wrong address or port, or "
                 "a firewall",
                 client_state_place(c, place), seconds);
        return true;
    case CLIENT_NEGOTIATING:
        return no_answer(c, client_state_place(c, place), seconds, out);
    case CLIENT_AWAIT_PUSH_REPLY:
        snprintf(out, CLIENT_WAITING_SIZE,
                 "%s knows us, but has sent no address and no routes yet "
                 "(%lld s): it may wait for somebody's approval",
                 client_state_place(c, place), seconds);
        return true;
    case CLIENT_IDLE:
    case CLIENT_UP:
    case CLIENT_PAUSING:
    case CLIENT_AWAIT_CREDENTIALS:
    case CLIENT_STOPPED:
    case CLIENT_STATE_COUNT:
        break;
    }
    return false;
}
