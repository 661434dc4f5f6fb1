/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which frames are among the first of their flow. */
#ifndef WEIR_FLOWS_BPF_H
#define WEIR_FLOWS_BPF_H

#include "hash.bpf.h"
#include "parse.bpf.h"
#include "../abi/sampling.h"

/*
 * A small counter for each flow hash: 4 bits of time, 4 bits of frames. A fixed array, since a map of flows costs more
 * than sampling saves, and lets every frame of a spoofed flood pass as the first of its flow's entry. Updates are not
 * atomic: two CPUs on one flow may let one frame more through.
 */
__u8 flow_slots[WEIR_FLOW_SLOTS];

/* One end of a flow. */
static __always_inline __u64 hash_end(const __be32 *address, __u32 words, __u16 port)
{
    if (words == 1)
        return hash_words(0xFFFF, address[0], port);
    return hash_words((__u64)address[0] << 32 | address[1], (__u64)address[2] << 32 | address[3], port);
}

/* The same for both directions. Only for IP packets. 0 if the addresses cannot be read. */
static __always_inline __u64 hash_flow(struct __sk_buff *skb, const struct packet *packet)
{
    __u16 source = packet->ports_of == NO_PORTS ? 0 : packet->source;
    __u16 destination = packet->ports_of == NO_PORTS ? 0 : packet->destination;
    __be32 address[8];
    __u64 both;

    if (packet->family == WEIR_IPV4) {
        if (bpf_skb_load_bytes(skb, packet->ip + offsetof(struct iphdr, saddr), address, 8) < 0)
            return 0;
        both = hash_end(address, 1, source) + hash_end(address + 1, 1, destination);
    } else {
        if (bpf_skb_load_bytes(skb, packet->ip + offsetof(struct ipv6hdr, saddr), address, 32) < 0)
            return 0;
        both = hash_end(address, 4, source) + hash_end(address + 4, 4, destination);
    }
    return mix(both, packet->number);
}

static __always_inline bool is_first(struct __sk_buff *skb, const struct packet *packet, __u64 now)
{
    __u8 epoch = (now >> WEIR_FLOW_EPOCH_SHIFT & 0xF) << 4;
    __u8 *slot = &flow_slots[hash_flow(skb, packet) & (WEIR_FLOW_SLOTS - 1)];
    __u8 value = *slot;

    if ((value & 0xF0) != epoch)
        value = epoch;
    if ((value & 0x0F) >= WEIR_FIRST_FRAMES)
        return false;
    *slot = value + 1;
    return true;
}

#endif
