#include "gateway/vpn/foreign_file.h"

#include <string.h>

#include "gateway/base/text.h"

enum { HEAD_SIZE = 64 };

static bool starts_with_magic(struct bytes text, const char *magic, size_t size)
{
    return text.size >= size && memcmp(text.data, magic, size) == 0;
}

static bool is_page(struct bytes text)
{
    static const char *const starts[] = {"<!doctype html", "<html", "<head",
                                         "<?xml"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (text_starts_ignoring_case(text, starts[i]))
            return true;
    return false;
}

/* An object, or a list of something. A section in brackets is none. */
static bool is_json(struct bytes text)
{
    if (!text_starts_with(text, "["))
        return text_starts_with(text, "{");
    struct bytes item = text_trim(bytes_of(text.data + 1, text.size - 1));
    return text_starts_with(item, "{") || text_starts_with(item, "\"");
}

/* The first line that says something is the section which all of them have. */
static bool is_keyfile(struct bytes text)
{
    struct bytes line;
    while (text_cut(&text, '\n', &line)) {
        line = text_trim(line);
        if (line.size > 0 && line.data[0] != '#')
            return text_equal(line, "[connection]");
    }
    return false;
}

/* Text in UTF-16 has a NUL in every character: Windows' editors write it. */
static const char *binary_problem(struct bytes text)
{
    if (starts_with_magic(text, "PK\x03\x04", 4))
        return "this is a ZIP archive: unpack it, and take a .ovpn or .conf "
               "file of it";
    if (starts_with_magic(text, "\x1f\x8b", 2))
        return "this is a gzip archive: unpack it, and take a .ovpn or .conf "
               "file of it";
    if (starts_with_magic(text,
                          "\x7f"
                          "ELF",
                          4))
        return "this is a program, no profile";
    if (starts_with_magic(text, "\xff\xfe", 2) ||
        starts_with_magic(text, "\xfe\xff", 2))
        return "this is text in UTF-16: save it as UTF-8";
    if (starts_with_magic(text, "\x30\x82", 2))
        return "this is a certificate or key (DER or PKCS#12) alone: it goes "
               "beside a profile, which names it";
    /* Further behind it is a slip, which the parser names with its line. */
    struct bytes head =
        bytes_of(text.data, text.size < HEAD_SIZE ? text.size : HEAD_SIZE);
    if (head.size > 0 && memchr(head.data, 0, head.size))
        return "this is a binary file, no profile";
    return NULL;
}

const char *foreign_file_problem(struct bytes text)
{
    const char *problem = binary_problem(text);
    if (problem)
        return problem;
    if (starts_with_magic(text, "\xef\xbb\xbf", 3))
        text = bytes_of(text.data + 3, text.size - 3);
    struct bytes start = text_trim(text);
    if (start.size == 0)
        return "this file is empty";
    if (is_page(start))
        return "this is a web page (HTML), no profile: download the profile "
               "again, logged in at the provider";
    if (is_json(start))
        return "this is JSON, no profile: take the .ovpn or .conf file of the "
               "provider";
    if (is_keyfile(start))
        return "this is how NetworkManager keeps a connection, no profile: "
               "take the .ovpn or .conf file that it was made from";
    if (text_starts_with(start, "-----BEGIN "))
        return "this is a certificate or key (PEM) alone: it goes beside a "
               "profile, which names it";
    return NULL;
}
