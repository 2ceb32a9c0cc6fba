#include "gateway/uplink/udp_aims.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "gateway/uplink/udp_train.h"

void udp_aims_set(struct udp_aims *a, unsigned number,
                  const struct endpoint *to)
{
    assert(number < BURST_ENDPOINTS_MAX);
    a->all[number].to = *to;
    a->all[number].size = 0;
    if (address_is_set(&to->address))
        a->all[number].size =
            (a->mapped ? socket_name_mapped_of
                       : socket_name_of)(to, &a->all[number].name);
}

enum address_family udp_aims_address(const struct udp_aims *a, unsigned number,
                                     struct msghdr *message)
{
    if (number >= BURST_ENDPOINTS_MAX || a->all[number].size == 0)
        return ADDRESS_NONE;
    message->msg_name = (void *)(uintptr_t)&a->all[number].name;
    message->msg_namelen = a->all[number].size;
    return a->all[number].to.address.family;
}

/* A socket that is connected there; -1 and errno. */
static int probe(const struct endpoint *to)
{
    union socket_name name;
    socklen_t size = socket_name_of(to, &name);
    int fd = socket(name.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, &name.any, size) == 0)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

static uint16_t mtu_to(const struct endpoint *to)
{
    int fd = probe(to);
    if (fd < 0)
        return 0;
    uint16_t mtu = socket_name_mtu(fd, to->address.family);
    close(fd);
    return mtu;
}

uint16_t udp_aims_mtu(const struct udp_aims *a)
{
    uint16_t least = 0;
    for (size_t i = 0; i < BURST_ENDPOINTS_MAX; i++) {
        uint16_t mtu = a->all[i].size > 0 ? mtu_to(&a->all[i].to) : 0;
        if (mtu > 0 && (least == 0 || mtu < least))
            least = mtu;
    }
    return least;
}

bool udp_aims_has_ipv6(const struct udp_aims *a)
{
    for (size_t i = 0; i < BURST_ENDPOINTS_MAX; i++) {
        if (a->all[i].size > 0 && a->all[i].to.address.family == ADDRESS_IPV6)
            return true;
    }
    return false;
}

/* Opens sockets of both families; on a machine without IPv6, of one. */
int udp_aims_open(struct udp_aims *a, unsigned number,
                  const struct endpoint *to)
{
    int fd = probe(to);
    if (fd < 0)
        return -1;
    close(fd);
    fd = udp_socket_open(UDP_BOTH);
    a->mapped = fd >= 0;
    if (!a->mapped)
        fd = udp_socket_open(UDP_IPV4);
    if (fd >= 0)
        udp_socket_tell_ecn(fd);
    udp_aims_set(a, number, to);
    return fd;
}
