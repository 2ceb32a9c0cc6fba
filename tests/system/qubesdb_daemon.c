/*
 * The tests' QubesDB daemon as a program, for a gateway that runs.
 *
 *   qubesdb_daemon SOCKET [FILE]
 *
 * FILE has what the database holds at first, a line `PATH VALUE` each. It says
 * "ready", and then takes one command a line, answering each with a line:
 *
 *   write PATH [VALUE]   ok | refused
 *   rm PATH              ok | absent
 *   read PATH            = VALUE | absent
 *   down                 ok, with everyone hung up on and nobody let in
 *   up                   ok
 *
 * At the end of the commands it goes on serving.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/qubesdb/daemon.h"

enum { LINE_SIZE = 8192 };

static const char *cut(char **line)
{
    char *word = *line, *blank = strchr(word, ' ');
    if (blank) {
        *blank = '\0';
        *line = blank + 1;
    } else {
        *line = word + strlen(word);
    }
    return word;
}

static bool may_be_written(const char *path, const char *value)
{
    size_t size = strlen(path);
    return path[0] == '/' && size < 64 && path[size - 1] != '/' &&
           strlen(value) < 3072;
}

static bool load(struct daemon *d, const char *name)
{
    static char line[LINE_SIZE];
    FILE *file = fopen(name, "r");
    if (!file)
        return false;
    while (fgets(line, sizeof line, file)) {
        char *rest = line;
        line[strcspn(line, "\n")] = '\0';
        const char *path = cut(&rest);
        if (may_be_written(path, rest))
            daemon_write(d, path, rest);
    }
    fclose(file);
    return true;
}

static void obey(struct daemon *d, const char *socket, char *line)
{
    const char *command = cut(&line), *path = cut(&line), *value = line;

    if (!strcmp(command, "write") && may_be_written(path, value)) {
        daemon_write(d, path, value);
        puts("ok");
    } else if (!strcmp(command, "rm") && path[0]) {
        puts(daemon_remove(d, path) ? "ok" : "absent");
    } else if (!strcmp(command, "read")) {
        value = daemon_value(d, path);
        if (value)
            printf("= %s\n", value);
        else
            puts("absent");
    } else if (!strcmp(command, "down")) {
        daemon_kill(d);
        puts("ok");
    } else if (!strcmp(command, "up")) {
        daemon_listen(d, socket);
        puts("ok");
    } else {
        puts("refused");
    }
}

/* Reads what is there and obeys whole lines; false at the end. */
static bool read_commands(struct daemon *d, const char *socket)
{
    static char input[LINE_SIZE];
    static size_t size;
    ssize_t got = read(STDIN_FILENO, input + size, sizeof input - size);
    if (got <= 0)
        return false;
    size += (size_t)got;
    for (char *end; (end = memchr(input, '\n', size));) {
        size_t line_size = (size_t)(end - input) + 1;
        *end = '\0';
        obey(d, socket, input);
        size -= line_size;
        memmove(input, input + line_size, size);
    }
    return size < sizeof input;
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: qubesdb_daemon SOCKET [FILE]\n");
        return 2;
    }
    struct daemon *d = daemon_new();
    if (argc == 3 && !load(d, argv[2])) {
        perror(argv[2]);
        return 1;
    }
    daemon_listen(d, argv[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");

    for (int commands = STDIN_FILENO;;) {
        daemon_turn(d, -1, commands);
        struct pollfd polled = {.fd = commands, .events = POLLIN};
        if (commands >= 0 && poll(&polled, 1, 0) == 1 &&
            !read_commands(d, argv[1]))
            commands = -1;
    }
}
