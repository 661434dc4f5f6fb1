/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What count.bpf.c counts. One home for these structs: clang reads them for the programs, Swift imports them.
 *
 * packet  what was on the wire: a frame counts as its number of segments
 * bytes   L2 bytes on the wire without FCS: frame length + (segments - 1) x headers, + 4 for a stripped tag
 */
#ifndef WEIR_COUNTERS_H
#define WEIR_COUNTERS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* One pair of totals since the map was made. */
struct weir_volume {
    __u64 packets;
    __u64 bytes;
};

/* Index of weir_direction.family. */
#define WEIR_IPV4 0U
#define WEIR_IPV6 1U
#define WEIR_OTHER_FAMILY 2U
#define WEIR_FAMILIES 3U

/* Index of weir_direction.protocol: what the IP header, or the last extension header read, names. IP packets only. */
#define WEIR_TCP 0U
#define WEIR_UDP 1U
#define WEIR_ICMP 2U /* ICMP and ICMPv6 */
#define WEIR_OTHER_PROTOCOL 3U
#define WEIR_PROTOCOLS 4U

/* Index of weir_direction.flags: frames with that flag (in a segmented frame one segment carries it). */
#define WEIR_SYN 0U     /* SYN without ACK */
#define WEIR_SYN_ACK 1U /* SYN with ACK */
#define WEIR_FIN 2U
#define WEIR_RST 3U
#define WEIR_FLAGS 4U

/* Upper bounds of weir_direction.sizes, in L2 bytes of one packet; the last bucket holds what is above 9018. */
#define WEIR_SIZE_BUCKETS 8U
#define WEIR_SIZE_0 64U
#define WEIR_SIZE_1 127U
#define WEIR_SIZE_2 255U
#define WEIR_SIZE_3 511U
#define WEIR_SIZE_4 1023U
#define WEIR_SIZE_5 1518U
#define WEIR_SIZE_6 9018U

/* One direction of one interface. */
struct weir_direction {
    __u64 frames;
    struct weir_volume total;
    struct weir_volume family[WEIR_FAMILIES];
    struct weir_volume protocol[WEIR_PROTOCOLS];
    __u64 flags[WEIR_FLAGS];
    __u64 sizes[WEIR_SIZE_BUCKETS];
    __u64 fragments; /* packets that are a later fragment: no ports */
    __u64 malformed; /* packets whose headers end early or contradict themselves; counted above as far as they go */
};
_Static_assert(sizeof(struct weir_direction) == 8 * (1 + 2 + 6 + 8 + 4 + 8 + 2), "weir_direction has padding");

/* Bits of weir_interface.options. */
#define WEIR_INTERFACE_LOCAL_PORTS 1U /* packets count towards ports, services and clients too: set it on one interface of
                                         a stack (bond, bridge, VLAN) only, or a packet counts there once for each */
#define WEIR_INTERFACE_RAW_IP 2U      /* frames begin with the IP header (tun, WireGuard) */

/*
 * Map "interfaces": per-CPU array. The variable "place_of", __u64 [WEIR_PLACES], tells an interface's entry: a word holds the
 * interface's index in its upper half and the entry's number + 1 in its lower; 0: a free place. An index may stand in the
 * first free of its WEIR_PROBES places, the next a step after the one before. User space gives places and entries out.
 */
#define WEIR_PLACES 1024U
#define WEIR_PROBES 8U
#define WEIR_PLACE(index, probe) (((index) + (probe) * 67U) % WEIR_PLACES)
struct weir_interface {
    struct weir_direction rx;
    struct weir_direction tx;
    __u64 options; /* no counter: user space gives every CPU the same value */
};
_Static_assert(sizeof(struct weir_interface) == 504, "weir_interface changed");

/* Map "ports": key (WEIR_TCP or WEIR_UDP) << 16 | local port; in: received by us on that port, out: sent from it. */
#define WEIR_PORT_PROTOCOLS 2U /* WEIR_TCP and WEIR_UDP */
struct weir_port {
    struct weir_volume in;
    struct weir_volume out;
};
_Static_assert(sizeof(struct weir_port) == 32, "weir_port changed");

/*
 * Map "services": per-CPU array, key the service's number (1 ... WEIR_SERVICES - 1), which user space gives to a listening
 * port in the variable "service_of": __u16 [WEIR_TCP or WEIR_UDP][port], 0 for a port where nothing listens.
 */
#define WEIR_SERVICES 4096U
struct weir_service {
    __u64 syn_in;      /* SYN received: connections offered */
    __u64 syn_ack_out; /* SYN+ACK sent: connections answered */
    __u64 completed;   /* third packet of a handshake whose acknowledgement matches our SYN+ACK */
};
_Static_assert(sizeof(struct weir_service) == 24, "weir_service changed");

/*
 * The clients of services: a table of our own, since the kernel's hash waits for memory several times a look-up.
 *
 * It is made of buckets of WEIR_CLIENT_WAYS slots; a client stands in one of the two buckets that its hash names. Each of
 * the arrays has an element for a bucket:
 *   "client_tags"     __u64: a byte for each slot, the first in the lowest bits; small enough to stay in the cache. 0: free,
 *                     WEIR_CLIENT_LEAVING, or WEIR_CLIENT_PRESENT and seven bits of the client's hash
 *   "clients"         struct weir_client for each slot
 *   "client_volumes"  struct weir_port for each slot, and all that once for each CPU, unless they share one
 * Programs take free slots and never give one up. User space, alone, marks a slot as leaving; no program finds the client
 * then. By the next sweep none still writes to it: user space clears the slot and frees it.
 *
 * The variable "sweep", __u32: a number that user space raises with each sweep, every ten seconds. It tells a client's
 * age without a clock.
 */
#define WEIR_CLIENT_WAYS 8U
#define WEIR_CLIENT_LEAVING 0x01U
#define WEIR_CLIENT_PRESENT 0x80U

struct weir_client {
    __u64 address[2];  /* as in the packet; IPv4 mapped (::ffff:a.b.c.d) */
    __u32 service;     /* the service's key in "ports" */
    __u32 connections; /* handshakes completed since it entered */
    __u32 last_seen;   /* the sweep in which it last sent or was sent something */
    __u32 answered;    /* the sweep in which it entered or was last sent a SYN+ACK */
};
_Static_assert(sizeof(struct weir_client) == 32, "two clients in a cache line");

/* Map "losses": per-CPU array with one entry; every way in which the tables can turn something away. */
struct weir_losses {
    __u64 interface_unknown; /* frames on an interface that is not in "interfaces" */
    __u64 clients_full;      /* times a client did not enter: its buckets were full. Its bytes stay in the port's total */
};
_Static_assert(sizeof(struct weir_losses) == 16, "weir_losses changed");

#endif
