#include "gateway/process/kernel_rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/log.h"

enum { REFUSED_PORT = 9 }; /* discard; the same as in rpm/wall.nft */

/* Zero if it was sent, or errno. */
static int send_to(const struct sockaddr *to, socklen_t size)
{
    int fd = socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int number = sendto(fd, "", 0, 0, to, size) < 0 ? errno : 0;
    close(fd);
    return number;
}

static bool refuses_ipv4(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(REFUSED_PORT),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    return send_to((const struct sockaddr *)&to, sizeof to) == EPERM;
}

/* A machine without IPv6 says something else than EPERM: that is as good. */
static bool refuses_ipv6(void)
{
    struct sockaddr_in6 to = {
        .sin6_family = AF_INET6,
        .sin6_port = htons(REFUSED_PORT),
        .sin6_addr = IN6ADDR_LOOPBACK_INIT,
    };
    return send_to((const struct sockaddr *)&to, sizeof to) != 0;
}

/* A setting that is not there is off. */
static bool is_off(const char *path)
{
    char value = '0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT;
    bool known = read(fd, &value, 1) == 1;
    close(fd);
    return known && value == '0';
}

bool kernel_rules_stands(void)
{
    if (!is_off("/proc/sys/net/ipv4/ip_forward") ||
        !is_off("/proc/sys/net/ipv6/conf/all/forwarding")) {
        log_error("wall: the kernel forwards packets: who switched that on? "
                  "vpn-gateway-wall.service switches it off");
        return false;
    }
    if (!refuses_ipv4() || !refuses_ipv6()) {
        log_error("wall: the kernel's rules are not there: see `systemctl "
                  "status vpn-gateway-wall'");
        return false;
    }
    return true;
}
