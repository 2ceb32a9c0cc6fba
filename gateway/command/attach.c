#include "gateway/command/attach.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/libxenvchan.h"
#include "gateway/base/log.h"
#include "gateway/event/signals.h"
#include "gateway/link/tun_device.h"
#include "gateway/link/xen/vchan.h"
#include "gateway/link/xen/vchan_frontend.h"
#include "gateway/process/arguments.h"
#include "gateway/process/sandbox.h"
#include "gateway/process/settings.h"

struct attachment {
    uint32_t gateway;
    char path[VCHAN_PATH_SIZE];
    const char *interface;
    bool no_sandbox;
    enum log_level level;
};

static bool parse_options(int argc, char **argv, struct attachment *out,
                          const char **why)
{
    static const struct option known[] = {
        {"no-sandbox", no_argument, NULL, 'S'},
        {NULL, 0, NULL, 0},
    };
    *out = (struct attachment){.level = LOG_INFO};
    arguments_begin();
    for (int c; (c = arguments_next(argc, argv, known, true)) != -1;) {
        *why = arguments_problem(argv, c, known);
        if (c == 'v')
            out->level = LOG_DEBUG;
        else if (c == 'S')
            out->no_sandbox = true;
        else
            return false;
    }
    *why = argc - optind > 2 ? arguments_surplus(argv[optind + 2])
           : optind < argc   ? "IFNAME is missing"
                             : "DOMID:PATH and IFNAME are missing";
    if (argc - optind != 2)
        return false;
    out->interface = argv[optind + 1];
    struct bytes place = bytes_of_text(argv[optind]);
    return settings_parse_place(place, &out->gateway, out->path, why);
}

static void signalled(void *context, struct instant now, int number)
{
    (void)now;
    if (number == SIGTERM || number == SIGINT)
        loop_quit(context);
}

/* The TAP is made while that is still allowed. */
static struct vchan_frontend *plug_in(const struct attachment *a,
                                      struct loop *loop)
{
    enum error error;
    struct sandbox sandbox;
    struct vchan_frontend_options options = {
        .gateway = a->gateway, .path = a->path, .name = a->interface};

    options.tap = tun_device_open(TUN_DEVICE_ETHERNET, a->interface,
                                  &options.takes_udp_gso, &error);
    if (options.tap < 0 || !sandbox_enter(
                               &(struct sandbox_options){
                                   .off = a->no_sandbox,
                                   .read = (const char *const[]){NULL},
                                   .remove = (const char *const[]){NULL},
                               },
                               &sandbox))
        return NULL;
    return vchan_frontend_open(&options, loop);
}

static int run(const struct attachment *a)
{
    struct signals signals;
    struct loop *loop = loop_new();
    int result = EXIT_FAILURE;

    if (loop && signals_open(&signals, loop, signalled, loop) == OK) {
        struct vchan_frontend *plug = plug_in(a, loop);
        if (plug && loop_run(loop) == OK && !vchan_frontend_failed(plug))
            result = EXIT_SUCCESS;
        vchan_frontend_close(plug);
        signals_close(&signals);
    }
    loop_free(loop);
    return result;
}

int attach(int argc, char **argv)
{
    struct attachment a;
    const char *why;
    if (!parse_options(argc, argv, &a, &why))
        return arguments_refuse(argv[0], why);
    log_set_level(a.level);
    return libxenvchan_load() ? run(&a) : EXIT_FAILURE;
}
