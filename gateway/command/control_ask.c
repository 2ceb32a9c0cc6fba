#include "gateway/command/control_ask.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "gateway/base/secret.h"
#include "gateway/process/local_socket.h"

enum { ANSWER_MAX = 4 * 1024 * 1024, TIMEOUT_SECONDS = 10 };

static int connect_to(const char *path)
{
    struct timeval patience = {.tv_sec = TIMEOUT_SECONDS};
    int fd = local_socket_connect(path, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static bool send_line(int fd, const json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT);
    if (!text)
        return false;
    size_t size = strlen(text);
    bool sent = send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size &&
                send(fd, "\n", 1, MSG_NOSIGNAL) == 1;
    secret_wipe(text, size);
    free(text);
    return sent;
}

/* Everything up to the end of the connection. */
static json_t *receive_answer(int fd)
{
    char *text = malloc(ANSWER_MAX);
    size_t size = 0;
    json_t *answer = NULL;
    ssize_t n = text ? 1 : 0;
    while (n > 0 && size < ANSWER_MAX) {
        n = recv(fd, text + size, ANSWER_MAX - size, 0);
        if (n > 0)
            size += (size_t)n;
    }
    if (n == 0 && text)
        answer = json_loadb(text, size, 0, NULL);
    free(text);
    return answer;
}

static void explain_socket(const char *path, int number,
                           char why[CONTROL_ASK_WHY_SIZE])
{
    const char *hint = "";
    if (number == EACCES || number == EPERM)
        hint = ": only root, and members of its group, may ask it: try sudo";
    else if (number == ENOENT || number == ECONNREFUSED)
        hint = ": it does not run, or has another --control SOCKET";
    snprintf(why, CONTROL_ASK_WHY_SIZE, "no gateway answers at %s: %s%s", path,
             strerror(number), hint);
}

json_t *control_ask_quietly(const char *path, json_t *request,
                            char why[CONTROL_ASK_WHY_SIZE])
{
    int fd = connect_to(path);
    if (fd < 0) {
        explain_socket(path, errno, why);
        json_decref(request);
        return NULL;
    }
    json_t *answer = send_line(fd, request) ? receive_answer(fd) : NULL;
    json_decref(request);
    close(fd);

    const char *error =
        answer ? json_string_value(json_object_get(answer, "error"))
               : "the connection ended without an answer";
    if (!error)
        return answer;
    snprintf(why, CONTROL_ASK_WHY_SIZE, "%s", error);
    json_decref(answer);
    return NULL;
}

json_t *control_ask(const char *path, json_t *request)
{
    char why[CONTROL_ASK_WHY_SIZE];
    json_t *answer = control_ask_quietly(path, request, why);
    if (!answer)
        fprintf(stderr, "vpn-gateway: %s\n", why);
    return answer;
}

json_t *control_ask_for_status(void)
{
    return json_pack("{s:s}", "command", "status");
}
