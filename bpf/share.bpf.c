// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Shares an interface's frames out among its rings: both directions of a flow to the worker that owns its shard.
 *   1. The flow's keyed hash, the same that user space computes (Flows/ShardMap.swift); its highest six bits are the shard.
 *   2. Shard modulo rings is the ring.
 * The pieces of a fragmented datagram go by addresses alone, so that they meet in one place. What is no IP packet, or has
 * two tags, goes to the first ring. Where user space finds another shard (an error that quotes a packet of a flow) it hands it over.
 */
#include <linux/if_packet.h>

#include "lib/parse.bpf.h"

/* Set before load. */
const volatile __u64 keys[5] = {0};
const volatile __u32 rings = 1;
const volatile bool raw_ip = false;

/* Where a program of this type runs, a received frame begins behind its link header already, a sent one with it. */
__noinline int parse(struct __sk_buff *skb, struct packet *packet)
{
    if (packet)
        read_packet(skb, packet, raw_ip || skb->pkt_type != PACKET_OUTGOING, skb->gso_size, false);
    return 0;
}

/* The two halves of a 64 x 64 bit product, one on the other. */
static __always_inline __u64 fold(__u64 left, __u64 right)
{
    __u64 low_left = (__u32)left, high_left = left >> 32;
    __u64 low_right = (__u32)right, high_right = right >> 32;
    __u64 first = low_left * high_right, second = high_left * low_right;
    __u64 carry = (low_left * low_right >> 32) + (__u32)first + (__u32)second;

    return (high_left * high_right + (first >> 32) + (second >> 32) + (carry >> 32)) ^ (left * right);
}

static __always_inline __u64 hash_end(__u64 high, __u64 low, __u16 port)
{
    return fold(fold(high ^ keys[0], low ^ keys[1]) ^ keys[2], port ^ keys[3]);
}

static __always_inline __u64 mapped(__be32 address)
{
    return 0xFFFFULL << 32 | bpf_ntohl(address);
}

SEC("socket")
int weir_share(struct __sk_buff *skb)
{
    __u16 source = 0, destination = 0;
    struct packet packet;
    __u64 ends;

    if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
        return 0;
    parse(skb, &packet);
    if (packet.family == WEIR_OTHER_FAMILY)
        return 0;
    if (packet.ports_of != NO_PORTS) {
        source = packet.source;
        destination = packet.destination;
    } else if (packet.number == IPPROTO_SCTP && !packet.fragment && !packet.malformed) {
        __be16 ports[2];
        if (!bpf_skb_load_bytes(skb, packet.headers - 12, ports, sizeof(ports))) {
            source = bpf_ntohs(ports[0]);
            destination = bpf_ntohs(ports[1]);
        }
    }
    if (packet.headers == packet.ip) {
        /* An IP header that is not believed: user space takes no address from it either. */
        ends = 2 * hash_end(0, 0, 0);
    } else if (packet.family == WEIR_IPV4) {
        struct iphdr ip;
        if (bpf_skb_load_bytes(skb, packet.ip, &ip, sizeof(ip)) < 0)
            return 0;
        if (ip.frag_off & bpf_htons(0x2000))
            source = destination = 0;
        ends = hash_end(0, mapped(ip.saddr), source) + hash_end(0, mapped(ip.daddr), destination);
    } else {
        __be64 address[4];
        if (bpf_skb_load_bytes(skb, packet.ip + offsetof(struct ipv6hdr, saddr), address, sizeof(address)) < 0)
            return 0;
        ends = hash_end(bpf_be64_to_cpu(address[0]), bpf_be64_to_cpu(address[1]), source) +
               hash_end(bpf_be64_to_cpu(address[2]), bpf_be64_to_cpu(address[3]), destination);
    }
    return (fold(ends, ((__u64)packet.number << 8 | packet.family) ^ keys[4]) >> 58) % rings;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
