#include "gateway/nano/archive.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"
#include "tests/nano/tar.h"

enum { INPUT_MAX = 64 * 1024 };

static void expect(bool what)
{
    if (!what)
        abort();
}

static void look_at(const struct archive_member *m, struct bytes volume)
{
    size_t length = strlen(m->name);
    expect(length > 0 && length < ARCHIVE_NAME_SIZE);
    expect(m->name[0] != '/' && m->name[length - 1] != '/');
    expect(!strstr(m->name, "//") && strcmp(m->name, "..") != 0 &&
           strncmp(m->name, "../", 3) != 0 && !strstr(m->name, "/../") &&
           strcmp(m->name + (length < 3 ? 0 : length - 3), "/..") != 0);
    expect(m->content.size <= ARCHIVE_FILE_MAX);
    if (m->content.size)
        expect(m->content.data >= volume.data &&
               m->content.data + m->content.size <= volume.data + volume.size);
}

/* Any archive: names stay below the directory, contents within the volume, and
 * the limits hold. The checksums are made right first. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t copy[INPUT_MAX];
    if (size > sizeof copy)
        return 0;
    memcpy(copy, data, size);
    for (size_t at = 0; at + ARCHIVE_BLOCK <= size; at += ARCHIVE_BLOCK)
        if (memcmp(copy + at + 257, "ustar", 5) == 0)
            tar_fix_checksum(copy + at);

    struct bytes volume = bytes_of(copy, size);
    struct archive a = archive_of(volume);
    struct archive_member m;
    enum archive_result result;
    size_t members = 0;
    while ((result = archive_next(&a, &m)) == ARCHIVE_MEMBER) {
        look_at(&m, volume);
        members++;
    }
    expect(members <= ARCHIVE_MEMBERS_MAX && a.content <= ARCHIVE_CONTENT_MAX);
    expect(archive_check(volume, &m) == result);
    expect(archive_next(&a, &m) != ARCHIVE_MEMBER);
    return 0;
}
