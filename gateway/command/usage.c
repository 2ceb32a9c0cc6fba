#include "gateway/command/usage.h"

#include <string.h>

#include "gateway/base/spelling.h"

#define CONTROL "[--control SOCKET]"

static const struct usage {
    const char *name, *takes, *does; /* further lines are indented here */
} commands[] = {
    {"run",
     "[--profile FILE | --profiles DIR] [--downstream SPEC]...\n"
     "      [--qubesdb SOCKET|vchan|none] [--rules FILE] " CONTROL "\n"
     "      [--announce SOCKET] [--pcap FILE] [--no-sandbox] [--require-wall]\n"
     "      [-v]",
     "serve qubes through the VPN of the profile, or of that in DIR\n"
     "          which dom0 names; SPEC is xen, or for one qube\n"
     "          tap:IFNAME or vchan:DOMID:PATH, and\n"
     "          ,ip=ADDRESS[,ip6=ADDRESS][,gw=ADDRESS][,mac=MAC]"},
    {"attach", "DOMID:PATH IFNAME [--no-sandbox] [-v]",
     "in a qube: its network card over a vchan to that gateway"},
    {"serve", "--config FILE " CONTROL " [--no-sandbox] [-v]",
     "be an OpenVPN server for many clients"},
    {"check", "FILE", "say what is wrong with a profile, and what it asks for"},
    {"status", "[--quiet | [--json] [--all] [--watch | --follow]] " CONTROL,
     "whether it is connected, to what, and what was refused and why;\n"
     "          --all: also what is normal; --watch: again and again;\n"
     "          --follow: a line for each change; --quiet: nothing but exit 0\n"
     "          if it is connected"},
    {"settings", "[--json] " CONTROL,
     "what is set, by whom, and what is wrong with it"},
    {"reconnect", CONTROL, "tear down the tunnel and connect anew"},
    {"stop", CONTROL, "say goodbye to the server, and end the gateway"},
    {"login", CONTROL, "answer for user name, password or what is asked"},
    {"log-level", "error|warn|info|debug|default " CONTROL,
     "how much the gateway says from now on"},
    {"kick", "NAME [--halt] " CONTROL,
     "of a server: end a client's session; with --halt it is told to stay\n"
     "          away"},
    {"update", "NAME OPTION... " CONTROL,
     "of a server: push other options to a client that is connected"},
    {"genkey", "KIND [--server-key FILE] [--metadata TEXT] OUT",
     "make a key file; KIND is wireguard (its public key is printed),\n"
     "          tls-auth, tls-crypt, tls-crypt-v2-server or "
     "tls-crypt-v2-client"},
    {"help", "[COMMAND]", "this text, or that of one command"},
    {"version", "", "of this program"},
};

static const struct usage *find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void print(const struct usage *u, FILE *out)
{
    fprintf(out, "  %s%s%s\n          %s\n", u->name, *u->takes ? " " : "",
            u->takes, u->does);
}

static const char exits[] =
    "\nexit: 0 done, 1 failed while running, 2 usage or profile unusable\n";

void usage_print(FILE *out)
{
    fputs("usage: vpn-gateway COMMAND [OPTIONS]\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        print(&commands[i], out);
    fputs(exits, out);
}

bool usage_print_command(const char *name, FILE *out)
{
    const struct usage *u = find(name);
    if (!u)
        return false;
    fputs("usage: vpn-gateway\n", out);
    print(u, out);
    fputs(exits, out);
    return true;
}

const char *usage_nearest(const char *name)
{
    struct spelling spelling = spelling_of(name);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        spelling_offer(&spelling, commands[i].name);
    return spelling.nearest;
}
