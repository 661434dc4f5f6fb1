/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Totals of an interface and of a local port. */
#ifndef WEIR_COUNT_BPF_H
#define WEIR_COUNT_BPF_H

#include "parse.bpf.h"

/* What this host has counted on each watched interface. An array with an index of its own: a hash costs 7 ns a frame more. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 64);
    __type(key, __u32);
    __type(value, struct weir_interface);
} interfaces SEC(".maps");

/* Where an interface's entry is. Written by user space. */
__u64 place_of[WEIR_PLACES];

/* Whether "ports" is one array for all CPUs (atomic adds) instead of one for each. Set before load with the map's type. */
const volatile bool shared_ports = false;

/* Every local port. Key: (WEIR_TCP or WEIR_UDP) << 16 | port. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, WEIR_PORT_PROTOCOLS * WEIR_PORTS);
    __type(key, __u32);
    __type(value, struct weir_port);
} ports SEC(".maps");

/* Each way of losing something. One entry. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct weir_losses);
} losses SEC(".maps");

static __always_inline struct weir_losses *lost(void)
{
    __u32 only = 0;
    return bpf_map_lookup_elem(&losses, &only);
}

static __always_inline struct weir_interface *watched(__u32 index)
{
    __u64 word = place_of[WEIR_PLACE(index, 0)];
    __u32 entry;

    for (__u32 probe = 1; probe < WEIR_PROBES && word >> 32 != index; probe++)
        word = place_of[WEIR_PLACE(index, probe)];
    if (word >> 32 != index)
        return NULL;
    entry = (__u32)word - 1;
    return bpf_map_lookup_elem(&interfaces, &entry);
}

/* What one frame adds. */
struct amount {
    __u64 packets;
    __u64 bytes;
};

static __always_inline void add(struct weir_volume *volume, const struct amount *amount)
{
    volume->packets += amount->packets;
    volume->bytes += amount->bytes;
}

/* 1 if `value` is above `bound`, without a branch: sizes are as good as random, and a wrong guess costs more than all. */
static __always_inline __u64 above(__u64 value, __u64 bound)
{
    return (bound - value) >> 63;
}

static __always_inline __u64 *size_bucket(struct weir_direction *direction, __u64 bytes)
{
    __u64 bucket = above(bytes, WEIR_SIZE_0) + above(bytes, WEIR_SIZE_1) + above(bytes, WEIR_SIZE_2) +
                   above(bytes, WEIR_SIZE_3) + above(bytes, WEIR_SIZE_4) + above(bytes, WEIR_SIZE_5) +
                   above(bytes, WEIR_SIZE_6);
    return &direction->sizes[bucket & (WEIR_SIZE_BUCKETS - 1)];
}

/*
 * Packets and bytes of a frame on the wire. Segmentation offload repeats the headers in each packet; a stripped tag
 * (4 bytes) comes back in each. A frame injected with a virtio header has a segment size but no number of segments yet.
 * Of a segmented tunnel only the outer headers are known: its packets are exact, its bytes lack the inner headers of all
 * segments but one.
 */
static __always_inline struct amount measure(
    struct __sk_buff *skb, const struct packet *packet, struct weir_direction *direction)
{
    __u32 tag = skb->vlan_present ? 4 : 0;
    struct amount amount = {1, skb->len + tag};
    __u32 size = skb->gso_size;

    if (size) {
        __u64 segments = skb->gso_segs;
        __u64 full = packet->headers + tag + size;

        if (segments <= 1 && skb->len > packet->headers)
            segments = (skb->len - packet->headers + size - 1) / size;
        if (segments > 1) {
            amount.packets = segments;
            amount.bytes += (segments - 1) * (packet->headers + tag);
            *size_bucket(direction, full) += segments - 1;
            *size_bucket(direction, amount.bytes - (segments - 1) * full) += 1;
            return amount;
        }
    }
    *size_bucket(direction, amount.bytes) += 1;
    return amount;
}

/* One direction's totals. What the frame amounts to on the wire. */
static __always_inline struct amount count_interface(
    struct __sk_buff *skb, const struct packet *packet, struct weir_direction *direction)
{
    struct amount amount = measure(skb, packet, direction);

    direction->frames += 1;
    add(&direction->total, &amount);
    if (packet->family < WEIR_FAMILIES)
        add(&direction->family[packet->family], &amount);
    if (packet->protocol < WEIR_PROTOCOLS)
        add(&direction->protocol[packet->protocol], &amount);
    if (packet->fragment)
        direction->fragments += amount.packets;
    if (packet->malformed)
        direction->malformed += amount.packets;
    if (packet->flags & TCP_SYN)
        direction->flags[packet->flags & TCP_ACK ? WEIR_SYN_ACK : WEIR_SYN] += 1;
    if (packet->flags & TCP_FIN)
        direction->flags[WEIR_FIN] += 1;
    if (packet->flags & TCP_RST)
        direction->flags[WEIR_RST] += 1;
    return amount;
}

/* The local port's place in "ports". Only for packets that have ports. */
static __always_inline __u32 local_port(const struct packet *packet, bool egress)
{
    return packet->ports_of << 16 | (egress ? packet->source : packet->destination);
}

/* In a table that other CPUs write to, too, (`shared`) or one of this CPU alone. */
static __always_inline void count_volume(
    struct weir_port *port, const struct amount *amount, bool egress, bool shared)
{
    struct weir_volume *volume = egress ? &port->out : &port->in;

    if (shared) {
        __sync_fetch_and_add(&volume->packets, amount->packets);
        __sync_fetch_and_add(&volume->bytes, amount->bytes);
    } else {
        add(volume, amount);
    }
}

static __always_inline void count_port(__u32 local, const struct amount *amount, bool egress)
{
    struct weir_port *port = bpf_map_lookup_elem(&ports, &local);

    if (port)
        count_volume(port, amount, egress, shared_ports);
}

#endif
