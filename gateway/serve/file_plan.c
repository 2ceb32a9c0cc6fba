#include "gateway/serve/file_plan.h"

void file_plan_add(struct file_plan *p, enum file_plan_file file,
                   uint32_t seconds, struct instant now)
{
    struct file_plan_entry *e = &p->files[file];
    *e = (struct file_plan_entry){.used = true, .due = INSTANT_NEVER};
    switch (file) {
    case FILE_PLAN_LEASES:
        e->seconds = seconds;
        if (seconds)
            e->due = instant_after(now, duration_seconds(seconds));
        break;
    case FILE_PLAN_STATUS:
        e->seconds = seconds;
        e->ready = true;
        e->due = now;
        break;
    case FILE_PLAN_REVOKED:
        e->seconds = FILE_PLAN_LOOK_SECONDS;
        e->ready = true;
        e->due = instant_after(now, duration_seconds(e->seconds));
        break;
    case FILE_PLAN_FILES:
        break;
    }
}

void file_plan_taken_over(struct file_plan *p)
{
    struct file_plan_entry *e = &p->files[FILE_PLAN_LEASES];
    e->ready = e->used && e->seconds > 0;
}

void file_plan_end(struct file_plan *p)
{
    p->ending = true;
    for (unsigned i = 0; i < FILE_PLAN_FILES; i++) {
        struct file_plan_entry *e = &p->files[i];
        e->last = e->used && e->ready && i != FILE_PLAN_REVOKED;
        e->due = INSTANT_NEVER;
    }
}

bool file_plan_next(struct file_plan *p, struct instant now,
                    enum file_plan_file *file)
{
    for (unsigned i = 0; i < FILE_PLAN_FILES; i++) {
        struct file_plan_entry *e = &p->files[i];
        bool due = e->used && e->ready &&
                   (p->ending ? e->last : instant_reached(now, e->due));
        if (!due)
            continue;
        e->last = false;
        if (!p->ending)
            e->due = instant_after(now, duration_seconds(e->seconds));
        *file = (enum file_plan_file)i;
        return true;
    }
    return false;
}

struct instant file_plan_deadline(const struct file_plan *p)
{
    struct instant next = INSTANT_NEVER;
    for (unsigned i = 0; i < FILE_PLAN_FILES; i++)
        if (p->files[i].used && p->files[i].ready)
            next = instant_earlier(next, p->files[i].due);
    return next;
}

bool file_plan_done(struct file_plan *p, enum file_plan_file file, bool good)
{
    struct file_plan_entry *e = &p->files[file];
    bool news = !good && !e->failed;
    e->failed = !good;
    return news;
}

bool file_plan_is_news(const struct file_plan *p,
                       const struct file_plan_mark *mark)
{
    const struct file_plan_mark *old = &p->revoked;
    return mark->seconds != old->seconds ||
           mark->nanoseconds != old->nanoseconds || mark->size != old->size ||
           mark->inode != old->inode;
}

void file_plan_saw(struct file_plan *p, const struct file_plan_mark *mark)
{
    p->revoked = *mark;
}
