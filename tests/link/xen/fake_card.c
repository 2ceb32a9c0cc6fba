#include "tests/link/xen/fake_card.h"

#include "tests/link/xen/xen_double.h"

#include <stdio.h>
#include <string.h>

static char path[256];

const char *fake_card_back(uint32_t domain, uint32_t handle, const char *key)
{
    snprintf(path, sizeof path, "/local/domain/%d/backend/vif/%u/%u%s%s",
             FAKE_CARD_BACKEND, domain, handle, *key ? "/" : "", key);
    return path;
}

const char *fake_card_front(uint32_t domain, uint32_t handle, const char *key)
{
    snprintf(path, sizeof path, "/local/domain/%u/device/vif/%u%s%s", domain,
             handle, *key ? "/" : "", key);
    return path;
}

bool fake_card_is(struct fake_xenstored *x, uint32_t domain, uint32_t handle,
                  const char *key, const char *value)
{
    const char *is =
        fake_xenstored_read(x, fake_card_back(domain, handle, key));
    return is && strcmp(is, value) == 0;
}

void fake_card_attach(struct fake_xenstored *x, uint32_t domain,
                      uint32_t handle, const char *ip)
{
    char frontend[64], id[16];
    snprintf(frontend, sizeof frontend, "/local/domain/%u/device/vif/%u",
             domain, handle);
    snprintf(id, sizeof id, "%u", domain);
    const char *const entries[][2] = {
        {"frontend", frontend},
        {"frontend-id", id},
        {"online", "1"},
        {"state", "1"},
        {"script", "/etc/xen/scripts/vif-route-qubes"},
        {"mac", "00:16:3e:5e:6c:0a"},
        {"ip", ip},
        {"bridge", "xenbr0"},
        {"type", "vif"},
        {"hotplug-status", ""},
    };
    fake_xenstored_lock(x);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        fake_xenstored_write(x, fake_card_back(domain, handle, entries[i][0]),
                             entries[i][1]);
    fake_xenstored_write(x, fake_card_front(domain, handle, "state"), "1");
    fake_xenstored_unlock(x);
}

void fake_card_detach(struct fake_xenstored *x, uint32_t domain,
                      uint32_t handle)
{
    fake_xenstored_lock(x);
    fake_xenstored_write(x, fake_card_back(domain, handle, "online"), "0");
    /* One that is Closed stays so. */
    if (!fake_card_is(x, domain, handle, "state", "6"))
        fake_xenstored_write(x, fake_card_back(domain, handle, "state"), "5");
    fake_xenstored_unlock(x);
}

void fake_card_ask(struct fake_xenstored *x, uint32_t domain)
{
    char transmit[16], receive[16], port[16];
    snprintf(transmit, sizeof transmit, "%d", XEN_DOUBLE_TRANSMIT_REF);
    snprintf(receive, sizeof receive, "%d", XEN_DOUBLE_RECEIVE_REF);
    snprintf(port, sizeof port, "%d", XEN_DOUBLE_PORT);
    const char *const entries[][2] = {
        {"tx-ring-ref", transmit},
        {"rx-ring-ref", receive},
        {"event-channel", port},
        {"request-rx-copy", "1"},
        {"feature-rx-notify", "1"},
        {"feature-sg", "1"},
        {"feature-gso-tcpv4", "1"},
        {"feature-gso-tcpv6", "1"},
        {"feature-ipv6-csum-offload", "1"},
        {"multi-queue-num-queues", "1"},
        {"state", "4"},
    };
    fake_xenstored_lock(x);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        fake_xenstored_write(x, fake_card_front(domain, 0, entries[i][0]),
                             entries[i][1]);
    fake_xenstored_unlock(x);
}
