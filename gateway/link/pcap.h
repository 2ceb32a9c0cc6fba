/*
 * Writes the IP packets of the qubes, both ways, to a file for tcpdump and
 * wireshark: classic pcap with nanoseconds, LINKTYPE_RAW, super-packets as
 * they are (a checksum still to be filled shows as wrong).
 *
 *   file   := magic(4) major(2) minor(2) zone(4) accuracy(4) snaplen(4)
 *             linktype(4) record*            all in the host's byte order
 *   record := seconds(4) nanoseconds(4) captured(4) length(4) bytes
 *
 * Opened before the sandbox; afterwards it needs only write(). A pipe works
 * as well; where its reader is slow, whole packets are left out.
 */
#ifndef LINK_PCAP_H
#define LINK_PCAP_H

#include "gateway/base/error.h"
#include "gateway/event/loop.h"
#include "gateway/packet/packet.h"

struct pcap; /* heap */

/* Replaces an existing file. At most `size_max` bytes are written, 0: 1 GiB.
 * NULL and *error on failure; the log says what. */
struct pcap *pcap_open(const char *path, uint64_t size_max, struct loop *loop,
                       enum error *error);
void pcap_close(struct pcap *p);

/* Into the buffer, which goes to the file when it is half full, or after a
 * second. NULL for `p` does nothing. */
void pcap_write(struct pcap *p, struct instant now,
                const struct packet *packet);

#endif
