#include "gateway/base/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

bool text_copy(char *out, size_t out_size, struct bytes text)
{
    if (text.size >= out_size)
        return false;
    if (text.size) {
        if (memchr(text.data, '\0', text.size))
            return false;
        memcpy(out, text.data, text.size);
    }
    out[text.size] = '\0';
    return true;
}

bool text_to_u32(struct bytes text, uint32_t most, uint32_t *out)
{
    if (text.size == 0 || text.size > 10)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (value > most)
        return false;
    *out = (uint32_t)value;
    return true;
}

bool text_equal(struct bytes text, const char *word)
{
    return bytes_equal(text, bytes_of_text(word));
}

bool text_equal_ignoring_case(struct bytes text, const char *word)
{
    return text.size == strlen(word) &&
           (text.size == 0 ||
            !strncasecmp((const char *)text.data, word, text.size));
}

bool text_starts_with(struct bytes text, const char *prefix)
{
    size_t n = strlen(prefix);
    return text.size >= n && (n == 0 || !memcmp(text.data, prefix, n));
}

bool text_starts_ignoring_case(struct bytes text, const char *prefix)
{
    size_t n = strlen(prefix);
    return text.size >= n &&
           text_equal_ignoring_case(bytes_of(text.data, n), prefix);
}

bool text_cut(struct bytes *rest, char separator, struct bytes *part)
{
    if (!rest->data)
        return false;
    const uint8_t *at =
        rest->size ? memchr(rest->data, separator, rest->size) : NULL;
    if (!at) {
        *part = *rest;
        *rest = (struct bytes){NULL, 0};
        return true;
    }
    size_t n = (size_t)(at - rest->data);
    *part = (struct bytes){rest->data, n};
    *rest = (struct bytes){at + 1, rest->size - n - 1};
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct bytes text_trim(struct bytes text)
{
    while (text.size && is_blank(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool text_from_base64(struct bytes text, uint8_t *out, size_t capacity,
                      size_t *size)
{
    if (text.size % 4 != 0)
        return false;
    size_t padding = 0;
    while (padding < 2 && padding < text.size &&
           text.data[text.size - 1 - padding] == '=')
        padding++;

    struct writer w = writer_of(out, capacity);
    uint32_t group = 0;
    size_t digits = text.size - padding;
    for (size_t i = 0; i < digits; i++) {
        int value = base64_value(text.data[i]);
        if (value < 0)
            return false;
        group = group << 6 | (uint32_t)value;
        if (i % 4 == 1)
            write_u8(&w, (uint8_t)(group >> 4));
        else if (i % 4 == 2)
            write_u8(&w, (uint8_t)(group >> 2));
        else if (i % 4 == 3)
            write_u8(&w, (uint8_t)group);
    }
    *size = w.size;
    return writer_ok(&w);
}

bool text_to_base64(struct bytes data, char *out, size_t capacity)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (capacity < (data.size + 2) / 3 * 4 + 1)
        return false;
    for (size_t i = 0; i < data.size; i += 3) {
        size_t n = data.size - i;
        uint32_t group = (uint32_t)data.data[i] << 16;
        if (n > 1)
            group |= (uint32_t)data.data[i + 1] << 8;
        if (n > 2)
            group |= data.data[i + 2];
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = n > 1 ? digits[group >> 6 & 63] : '=';
        *out++ = n > 2 ? digits[group & 63] : '=';
    }
    *out = '\0';
    return true;
}

void text_write(struct writer *w, const char *format, ...)
{
    char text[TEXT_WRITE_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (n < 0 || n > TEXT_WRITE_MAX)
        w->failed = true;
    else
        write_bytes(w, bytes_of(text, (size_t)n));
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (uint8_t)tolower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_from_hex(struct bytes text, uint8_t *out, size_t capacity,
                   size_t *size)
{
    if (text.size % 2 != 0 || text.size / 2 > capacity)
        return false;
    for (size_t i = 0; i < text.size / 2; i++) {
        int high = hex_value(text.data[2 * i]);
        int low = hex_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    *size = text.size / 2;
    return true;
}
