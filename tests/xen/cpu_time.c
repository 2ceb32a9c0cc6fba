/* cpu_time DOMAIN: how many nanoseconds of processor time it has used; what
 * the hypervisor did for it is in that. Run in dom0. */
#include <stdio.h>
#include <stdlib.h>

#include <xenstat.h>

int main(int argc, char **argv)
{
    xenstat_handle *xen = xenstat_init();
    xenstat_node *node = xen ? xenstat_get_node(xen, 0) : NULL;
    xenstat_domain *domain =
        node && argc == 2
            ? xenstat_node_domain(node, (unsigned)strtoul(argv[1], NULL, 10))
            : NULL;
    if (!domain) {
        fputs("cpu_time: no such domain, or this is not dom0\n", stderr);
        return EXIT_FAILURE;
    }
    printf("%llu\n", xenstat_domain_cpu_ns(domain));
    return EXIT_SUCCESS;
}
