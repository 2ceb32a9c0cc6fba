#include "gateway/openvpn/tls/distinguished_name.h"

#include <stdio.h>

/* X.520 attributes under 2.5.4, by their last number; the names are
 * OpenSSL's. */
static const char *const x520_names[] = {
    [3] = "CN",
    [4] = "SN",
    [5] = "serialNumber",
    [6] = "C",
    [7] = "L",
    [8] = "ST",
    [9] = "street",
    [10] = "O",
    [11] = "OU",
    [12] = "title",
    [13] = "description",
    [15] = "businessCategory",
    [16] = "postalAddress",
    [17] = "postalCode",
    [20] = "telephoneNumber",
    [41] = "name",
    [42] = "GN",
    [43] = "initials",
    [44] = "generationQualifier",
    [45] = "x500UniqueIdentifier",
    [46] = "dnQualifier",
    [65] = "pseudonym",
    [72] = "role",
    [97] = "organizationIdentifier",
};

static const struct {
    const char *oid; /* DER content */
    const char *name;
} other_names[] = {
    {"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", "emailAddress"},
    {"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02", "unstructuredName"},
    {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "UID"},
    {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", "DC"},
};

/* Tags of DER (X.690). */
enum {
    TAG_OID = 0x06,
    TAG_UTF8_STRING = 0x0c,
    TAG_BMP_STRING = 0x1e,
    TAG_SEQUENCE = 0x30,
};

static const uint8_t common_name_oid[] = {0x55, 0x04, 3};

struct element {
    uint8_t tag;
    struct bytes content;
};

/* One DER element with a definite length below 64 KiB, which is more than
 * any name has. */
static struct element read_element(struct reader *r)
{
    struct element e = {.tag = read_u8(r)};
    size_t size = read_u8(r);
    if (size == 0x81)
        size = read_u8(r);
    else if (size == 0x82)
        size = read_u16(r);
    else if (size >= 0x80)
        r->failed = true;
    e.content = read_bytes(r, size);
    return e;
}

struct attribute {
    bool first_of_set;
    struct bytes oid;
    struct element value;
};

/* Steps through SEQUENCE OF SET OF SEQUENCE { OID, value }. */
struct walk {
    struct reader names;
    struct reader set;
};

static bool walk_start(struct walk *w, struct bytes der)
{
    struct reader whole = reader_of(der);
    struct element sequence = read_element(&whole);
    w->names = reader_of(sequence.content);
    w->set = reader_of(bytes_of(NULL, 0));
    return reader_finished(&whole) && sequence.tag == TAG_SEQUENCE;
}

/* False at the end, and where it is malformed: then *ok becomes false. */
static bool walk_next(struct walk *w, struct attribute *out, bool *ok)
{
    out->first_of_set = w->set.left == 0;
    if (w->set.left == 0) {
        if (w->names.left == 0)
            return false;
        struct element set = read_element(&w->names);
        w->set = reader_of(set.content);
    }
    struct element pair = read_element(&w->set);
    struct reader r = reader_of(pair.content);
    struct element oid = read_element(&r);
    out->oid = oid.content;
    out->value = read_element(&r);
    if (reader_finished(&r) && reader_ok(&w->set) && reader_ok(&w->names) &&
        oid.tag == TAG_OID && oid.content.size > 0)
        return true;
    *ok = false;
    return false;
}

static void write_utf8(struct writer *w, uint32_t c)
{
    if (c < 0x80) {
        write_u8(w, (uint8_t)c);
    } else if (c < 0x800) {
        write_u8(w, (uint8_t)(0xc0 | c >> 6));
        write_u8(w, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        write_u8(w, (uint8_t)(0xe0 | c >> 12));
        write_u8(w, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        write_u8(w, (uint8_t)(0x80 | (c & 0x3f)));
    }
}

/* OpenSSL doubles the backslash as soon as it escapes anything, and OpenVPN
 * then makes '_' of what is not printable. A NUL inside cannot end the text
 * early this way. */
static void write_character(struct writer *w, uint32_t c, bool escape)
{
    if (c < 0x20 || c == 0x7f)
        c = '_';
    if (c == '\\' && escape)
        write_u8(w, '\\');
    write_utf8(w, c);
}

static void write_value(struct writer *w, const struct element *value,
                        bool escape)
{
    struct reader r = reader_of(value->content);
    while (r.left > 0) {
        switch (value->tag) {
        case TAG_BMP_STRING:
            write_character(w, read_u16(&r), escape);
            break;
        case TAG_UTF8_STRING: {
            uint8_t byte = read_u8(&r);
            if (byte < 0x80)
                write_character(w, byte, escape);
            else
                write_u8(w, byte);
            break;
        }
        default: /* ASCII, or Latin-1 for T61String */
            write_character(w, read_u8(&r), escape);
        }
    }
    if (r.failed)
        w->failed = true;
}

static const char *attribute_name(struct bytes oid)
{
    if (oid.size == 3 && oid.data[0] == 0x55 && oid.data[1] == 0x04 &&
        oid.data[2] < sizeof x520_names / sizeof *x520_names)
        return x520_names[oid.data[2]];
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++) {
        if (bytes_equal(oid, bytes_of_text(other_names[i].oid)))
            return other_names[i].name;
    }
    return NULL;
}

void distinguished_name_write_oid(struct writer *w, struct bytes oid)
{
    /* Each byte ends at most one arc, and an arc of 32 bits has 10 digits. */
    char number[DISTINGUISHED_NAME_OID_SIZE];
    size_t used = 0;
    uint64_t arc = 0;
    bool first = true;
    for (size_t i = 0; i < oid.size; i++) {
        arc = arc << 7 | (oid.data[i] & 0x7f);
        if (arc > UINT32_MAX || used + 24 > sizeof number) {
            w->failed = true;
            return;
        }
        if (oid.data[i] & 0x80)
            continue;
        uint64_t root = arc < 80 ? arc / 40 : 2;
        if (first)
            used +=
                (size_t)snprintf(number + used, sizeof number - used, "%u.%u",
                                 (unsigned)root, (unsigned)(arc - root * 40));
        else
            used += (size_t)snprintf(number + used, sizeof number - used, ".%u",
                                     (unsigned)arc);
        first = false;
        arc = 0;
    }
    write_bytes(w, bytes_of(number, used));
}

/* NUL-terminates what was written; "" and false if something was wrong. */
static bool finish_text(struct writer *w, bool ok)
{
    write_u8(w, 0);
    if (ok && writer_ok(w))
        return true;
    if (w->capacity > 0)
        w->start[0] = 0;
    return false;
}

bool distinguished_name_format(struct bytes der, char *out, size_t size)
{
    struct writer w = writer_of(out, size);
    struct walk walk;
    struct attribute attribute;
    bool ok = walk_start(&walk, der);
    bool first = true;
    while (ok && walk_next(&walk, &attribute, &ok)) {
        if (!first)
            write_bytes(&w,
                        bytes_of_text(attribute.first_of_set ? ", " : " + "));
        first = false;
        const char *name = attribute_name(attribute.oid);
        if (name)
            write_bytes(&w, bytes_of_text(name));
        else
            distinguished_name_write_oid(&w, attribute.oid);
        write_u8(&w, '=');
        write_value(&w, &attribute.value, true);
    }
    return finish_text(&w, ok);
}

bool distinguished_name_common(struct bytes der, char *out, size_t size)
{
    struct walk walk;
    struct attribute attribute, found = {.value.content = {NULL, 0}};
    bool ok = walk_start(&walk, der);
    while (ok && walk_next(&walk, &attribute, &ok)) {
        if (bytes_equal(attribute.oid,
                        bytes_of(common_name_oid, sizeof common_name_oid)))
            found = attribute;
    }
    struct writer w = writer_of(out, size);
    write_value(&w, &found.value, false);
    return finish_text(&w, ok && found.value.content.size > 0);
}
