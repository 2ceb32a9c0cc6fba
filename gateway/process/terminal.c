#include "gateway/process/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ROWS_DEFAULT = 24 };

static bool is_capable(FILE *out)
{
    const char *term = getenv("TERM");
    return isatty(fileno(out)) == 1 && term && *term &&
           strcmp(term, "dumb") != 0;
}

bool terminal_has_colour(FILE *out)
{
    const char *no_colour = getenv("NO_COLOR"); /* https://no-color.org */
    return is_capable(out) && !(no_colour && *no_colour);
}

/* Without a cursor, and what is too wide is cut. */
bool terminal_enter_screen(FILE *out)
{
    if (!is_capable(out))
        return false;
    fputs("\033[?1049h\033[?25l\033[?7l", out);
    return true;
}

void terminal_leave_screen(FILE *out)
{
    fputs("\033[?7h\033[?25h\033[?1049l", out);
    fflush(out);
}

static size_t rows_of(FILE *out)
{
    struct winsize size;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_row == 0)
        return ROWS_DEFAULT;
    return size.ws_row;
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; (text = strchr(text, '\n')); text++)
        lines++;
    return lines;
}

void terminal_show(FILE *out, const char *text)
{
    size_t rows = rows_of(out), lines = count_lines(text);
    size_t shown = lines < rows ? lines : rows - 1;
    fputs("\033[H", out);
    for (size_t i = 0; i < shown; i++) {
        size_t size = strcspn(text, "\n");
        fprintf(out, "%.*s\033[K\r\n", (int)size, text);
        text += size + 1;
    }
    fputs("\033[J", out);
    if (shown < lines)
        fprintf(out, "%zu more lines: without --watch all are shown",
                lines - shown);
}
