/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reading a frame's headers. The decoder in Swift (module Packets) follows the same rules, so that both count alike.
 *
 * L is the frame's length on the wire. The first violated rule ends the reading: the packet is malformed, and what was
 * read before stands. Numbers are big-endian.
 *
 * Ethernet
 *   E1  L < 14: malformed, family other.
 *   E2  While the type is 0x8100, 0x88A8 or 0x9100 a tag follows. More than WEIR_MAX_TAGS in the frame, or one that does
 *       not fit: malformed, family other.
 *   E3  0x0800 is IPv4, 0x86DD is IPv6, all else is family other and ends the reading. The type decides the family.
 * An interface without Ethernet (WEIR_INTERFACE_RAW_IP): the first four bits decide, 4 or 6; empty: malformed.
 * IPv4 (rest = bytes from the header to the frame's end)
 *   4a  rest < 20: malformed.                4b  version not 4, header length < 20 or > rest: malformed.
 *   4c  total length 0 means rest if the frame is segmented or rest > 65535 (BIG TCP).
 *   4d  total length < header length or > rest: malformed. What lies behind it is padding.
 *   4e  protocol: 6 TCP, 17 UDP, 1 ICMP, else other.
 *   4f  fragment offset > 0: a later fragment, which ends the reading.
 * IPv6
 *   6a  rest < 40 or version not 6: malformed.
 *   6b  payload length 0 means rest - 40 if hop-by-hop options follow, the frame is segmented, or rest - 40 > 65535.
 *   6c  payload length > rest - 40: malformed.
 *   6d  Extension headers 0, 43, 44, 51, 60, 135, 139, 140: more than WEIR_MAX_EXTENSION_HEADERS, or one that does not
 *       fit: malformed. A fragment header with an offset: a later fragment, protocol by its next header, which ends the
 *       reading.
 *   6e  protocol: 6 TCP, 17 UDP, 58 ICMP, else other.
 * Layer 4 (room = bytes from there to the end of the IP packet)
 *   T1  TCP: room < 20, data offset < 20 or > room: malformed.
 *   U1  UDP: room < 8, length 1 ... 7: malformed. Length 0 in IPv4: malformed unless the frame is segmented or room >
 *       65535 (a tunnel around BIG TCP). Length > room, not a first fragment: malformed.
 *   I1  ICMP and ICMPv6: room < 8: malformed.
 *   S1  SCTP: room < 12: malformed.
 */
#ifndef WEIR_PARSE_BPF_H
#define WEIR_PARSE_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../abi/counters.h"
#include "../abi/parsing.h"

/* No header starts above this: 14 + 4 tags + 40 + 8 x 2048 bytes. Tells the verifier that offsets stay small. */
#define HEADERS_END 0x7000U

#define ETH_P_QINQ_OLD 0x9100

/* Where reading stopped. */
#define READ_WHOLE 0
#define READ_MALFORMED (-1)

/* Later fragments and unknown protocols have no ports. */
#define NO_PORTS WEIR_PORT_PROTOCOLS

struct packet {
    __u32 family;   /* WEIR_IPV4 ... */
    __u32 protocol; /* WEIR_TCP ..., WEIR_PROTOCOLS if none was read */
    __u32 ip;       /* offset of the IP header */
    __u32 headers;  /* bytes before the payload of layer 4, as far as read */
    __u32 payload;  /* bytes of layer 4 payload, by the IP length */
    __u32 ports_of; /* WEIR_TCP, WEIR_UDP or NO_PORTS: source and destination mean something */
    __u32 sequence;
    __u32 acknowledgement;
    __u16 source; /* host byte order */
    __u16 destination;
    __u8 number;   /* IP protocol number */
    __u8 flags;    /* TCP_SYN ...; 0 if there is no whole TCP header */
    __u8 fragment; /* 1: a later one */
    __u8 malformed;
    __u8 segmented; /* the frame holds several packets */
    __u8 reserved[3];
};

/* Bits of struct packet's flags, as in byte 13 of the TCP header. */
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/*
 * `size` bytes at `offset`: in place where the program type may (`direct`) and the frame has them in its linear part,
 * else copied. The caller has checked that the frame is long enough; NULL all the same makes it malformed.
 */
static __always_inline const void *header(struct __sk_buff *skb, __u32 offset, __u32 size, void *copy, bool direct)
{
    if (offset > HEADERS_END)
        return NULL;
    if (direct) {
        const void *start = (const void *)(long)skb->data + offset;
        if (start + size <= (const void *)(long)skb->data_end)
            return start;
    }
    return bpf_skb_load_bytes(skb, offset, copy, size) < 0 ? NULL : copy;
}

static __always_inline int read_tcp(struct __sk_buff *skb, struct packet *packet, __u32 room, bool direct)
{
    __u8 copy[sizeof(struct tcphdr)];
    const struct tcphdr *tcp;
    __u32 length;

    if (room < sizeof(*tcp))
        return READ_MALFORMED;
    tcp = header(skb, packet->headers, sizeof(*tcp), copy, direct);
    if (!tcp)
        return READ_MALFORMED;
    length = tcp->doff * 4U;
    if (length < sizeof(*tcp) || length > room)
        return READ_MALFORMED;
    packet->ports_of = WEIR_TCP;
    packet->source = bpf_ntohs(tcp->source);
    packet->destination = bpf_ntohs(tcp->dest);
    packet->sequence = bpf_ntohl(tcp->seq);
    packet->acknowledgement = bpf_ntohl(tcp->ack_seq);
    packet->flags = ((const __u8 *)tcp)[13];
    packet->headers += length;
    packet->payload = room - length;
    return READ_WHOLE;
}

static __always_inline int read_udp(
    struct __sk_buff *skb, struct packet *packet, __u32 room, bool first_fragment, bool direct)
{
    __u8 copy[sizeof(struct udphdr)];
    const struct udphdr *udp;
    __u32 length;

    if (room < sizeof(*udp))
        return READ_MALFORMED;
    udp = header(skb, packet->headers, sizeof(*udp), copy, direct);
    if (!udp)
        return READ_MALFORMED;
    length = bpf_ntohs(udp->len);
    if (!length && packet->family == WEIR_IPV4 && !packet->segmented && room <= 0xFFFF)
        return READ_MALFORMED;
    if (length && length < sizeof(*udp))
        return READ_MALFORMED;
    if (length > room && !first_fragment)
        return READ_MALFORMED;
    packet->ports_of = WEIR_UDP;
    packet->source = bpf_ntohs(udp->source);
    packet->destination = bpf_ntohs(udp->dest);
    packet->headers += sizeof(*udp);
    packet->payload = room - sizeof(*udp);
    return READ_WHOLE;
}

static __always_inline int read_transport(
    struct __sk_buff *skb, struct packet *packet, __u32 end, bool first_fragment, bool direct)
{
    __u32 room = end - packet->headers;
    __u32 fixed;

    switch (packet->number) {
    case IPPROTO_TCP:
        packet->protocol = WEIR_TCP;
        return read_tcp(skb, packet, room, direct);
    case IPPROTO_UDP:
        packet->protocol = WEIR_UDP;
        return read_udp(skb, packet, room, first_fragment, direct);
    case IPPROTO_ICMP:
        packet->protocol = packet->family == WEIR_IPV4 ? WEIR_ICMP : WEIR_OTHER_PROTOCOL;
        fixed = packet->family == WEIR_IPV4 ? 8 : 0;
        break;
    case IPPROTO_ICMPV6:
        packet->protocol = packet->family == WEIR_IPV6 ? WEIR_ICMP : WEIR_OTHER_PROTOCOL;
        fixed = packet->family == WEIR_IPV6 ? 8 : 0;
        break;
    case IPPROTO_SCTP:
        packet->protocol = WEIR_OTHER_PROTOCOL;
        fixed = 12;
        break;
    default:
        packet->protocol = WEIR_OTHER_PROTOCOL;
        fixed = 0;
    }
    if (room < fixed)
        return READ_MALFORMED;
    packet->headers += fixed;
    packet->payload = room - fixed;
    return READ_WHOLE;
}

/* The counter for a protocol number of which nothing further is read. */
static __always_inline __u32 protocol_of(__u8 number, __u32 family)
{
    if (number == IPPROTO_TCP)
        return WEIR_TCP;
    if (number == IPPROTO_UDP)
        return WEIR_UDP;
    return number == (family == WEIR_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) ? WEIR_ICMP : WEIR_OTHER_PROTOCOL;
}

static __always_inline int read_ipv4(struct __sk_buff *skb, struct packet *packet, bool segmented, bool direct)
{
    __u32 rest = skb->len - packet->headers;
    __u8 copy[sizeof(struct iphdr)];
    const struct iphdr *ip;
    __u32 length, total, end;
    __u16 fragment;

    if (skb->len < packet->headers || rest < sizeof(*ip))
        return READ_MALFORMED;
    ip = header(skb, packet->headers, sizeof(*ip), copy, direct);
    if (!ip)
        return READ_MALFORMED;
    length = ip->ihl * 4U;
    if (ip->version != 4 || length < sizeof(*ip) || length > rest)
        return READ_MALFORMED;
    total = bpf_ntohs(ip->tot_len);
    if (!total && (segmented || rest > 0xFFFF))
        total = rest;
    if (total < length || total > rest)
        return READ_MALFORMED;
    packet->number = ip->protocol;
    end = packet->headers + total;
    packet->headers += length;
    fragment = bpf_ntohs(ip->frag_off);
    if (fragment & 0x1FFF) {
        packet->fragment = 1;
        packet->protocol = protocol_of(ip->protocol, WEIR_IPV4);
        return READ_WHOLE;
    }
    return read_transport(skb, packet, end, fragment & 0x2000, direct);
}

static __always_inline bool is_extension(__u8 number)
{
    return number == IPPROTO_HOPOPTS || number == IPPROTO_ROUTING || number == IPPROTO_FRAGMENT ||
           number == IPPROTO_AH || number == IPPROTO_DSTOPTS || number == IPPROTO_MH || number == 139 || number == 140;
}

/* What walking the extension headers found, in one number so that a function of its own can hand it back. */
#define CHAIN_MALFORMED 0ULL
#define CHAIN(offset, number, later, first) \
    (1ULL << 63 | (__u64)(later) << 41 | (__u64)(first) << 40 | (__u64)(number) << 32 | (offset))
#define CHAIN_OFFSET(chain) ((__u32)(chain))
#define CHAIN_NUMBER(chain) ((__u8)((chain) >> 32))
#define CHAIN_FIRST(chain) ((chain) >> 40 & 1)
#define CHAIN_LATER(chain) ((chain) >> 41 & 1)

/* Rare, so a function of its own: the verifier reads it once, and the common path stays small. */
__noinline __u64 read_extensions(struct __sk_buff *skb, __u32 offset, __u32 end, __u32 number)
{
    bool first_fragment = false;

    for (__u32 count = 0; count <= WEIR_MAX_EXTENSION_HEADERS; count++) {
        __u8 head[8];
        __u32 length;

        if (!is_extension(number))
            return CHAIN(offset, number & 0xFF, false, first_fragment);
        if (count == WEIR_MAX_EXTENSION_HEADERS || offset > end || end - offset < sizeof(head) ||
            bpf_skb_load_bytes(skb, offset, head, sizeof(head)) < 0)
            return CHAIN_MALFORMED;
        length = number == IPPROTO_FRAGMENT ? 8 : number == IPPROTO_AH ? (head[1] + 2) * 4 : (head[1] + 1) * 8;
        if (end - offset < length)
            return CHAIN_MALFORMED;
        if (number == IPPROTO_FRAGMENT) {
            __u32 field = head[2] << 8 | head[3];
            if (field >> 3)
                return CHAIN(offset + length, head[0], true, false);
            first_fragment |= field & 1;
        }
        offset += length;
        number = head[0];
    }
    return CHAIN_MALFORMED;
}

static __always_inline int read_ipv6(struct __sk_buff *skb, struct packet *packet, bool segmented, bool direct)
{
    __u32 rest = skb->len - packet->headers;
    bool first_fragment = false;
    __u8 copy[sizeof(struct ipv6hdr)];
    const struct ipv6hdr *ip;
    __u32 length, end;

    if (skb->len < packet->headers || rest < sizeof(*ip))
        return READ_MALFORMED;
    ip = header(skb, packet->headers, sizeof(*ip), copy, direct);
    if (!ip || ip->version != 6)
        return READ_MALFORMED;
    rest -= sizeof(*ip);
    length = bpf_ntohs(ip->payload_len);
    if (!length && (ip->nexthdr == IPPROTO_HOPOPTS || segmented || rest > 0xFFFF))
        length = rest;
    if (length > rest)
        return READ_MALFORMED;
    packet->number = ip->nexthdr;
    packet->headers += sizeof(*ip);
    end = packet->headers + length;
    if (is_extension(packet->number)) {
        __u64 chain = read_extensions(skb, packet->headers, end, packet->number);
        if (chain == CHAIN_MALFORMED)
            return READ_MALFORMED;
        packet->headers = CHAIN_OFFSET(chain);
        packet->number = CHAIN_NUMBER(chain);
        if (CHAIN_LATER(chain)) {
            packet->fragment = 1;
            packet->protocol = protocol_of(packet->number, WEIR_IPV6);
            return READ_WHOLE;
        }
        first_fragment = CHAIN_FIRST(chain);
    }
    return read_transport(skb, packet, end, first_fragment, direct);
}

/* The ethertype behind the tags, in network byte order; 0 if a tag is cut or one too many. */
static __always_inline __be16 read_link(struct __sk_buff *skb, struct packet *packet, bool direct)
{
    __u8 copy[sizeof(struct ethhdr)];
    const struct ethhdr *ethernet = header(skb, 0, sizeof(*ethernet), copy, direct);
    __be16 type;

    if (!ethernet)
        return 0;
    type = ethernet->h_proto;
    packet->headers = sizeof(*ethernet);
    for (__u32 tags = 0; tags <= WEIR_MAX_TAGS; tags++) {
        const __be16 *tag;

        if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD) && type != bpf_htons(ETH_P_QINQ_OLD))
            return type ? type : bpf_htons(1);
        if (tags == WEIR_MAX_TAGS)
            return 0;
        tag = header(skb, packet->headers, 2 * sizeof(*tag), copy, direct);
        if (!tag)
            return 0;
        type = tag[1];
        packet->headers += 2 * sizeof(*tag);
    }
    return 0;
}

/* The same for an interface without Ethernet. */
static __always_inline __be16 read_version(struct __sk_buff *skb, bool direct)
{
    __u8 copy;
    const __u8 *first = header(skb, 0, 1, &copy, direct);

    if (!first)
        return 0;
    return *first >> 4 == 4 ? bpf_htons(ETH_P_IP) : *first >> 4 == 6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(1);
}

static __always_inline int read_frame(
    struct __sk_buff *skb, struct packet *packet, bool raw_ip, bool segmented, bool direct)
{
    __be16 type = raw_ip ? read_version(skb, direct) : read_link(skb, packet, direct);

    packet->ip = packet->headers;
    if (type == bpf_htons(ETH_P_IP)) {
        packet->family = WEIR_IPV4;
        return read_ipv4(skb, packet, segmented, direct);
    }
    if (type == bpf_htons(ETH_P_IPV6)) {
        packet->family = WEIR_IPV6;
        return read_ipv6(skb, packet, segmented, direct);
    }
    return type ? READ_WHOLE : READ_MALFORMED;
}

/*
 * Reads what the frame says of itself, in place: a copy in wide words waits for the bytes that were just written one by
 * one, which took 10 ns. Meant to be called from one function that is not inlined: the verifier then takes what it stored
 * for unknown numbers, instead of following each kind of packet through all that comes after.
 */
static __always_inline void read_packet(
    struct __sk_buff *skb, struct packet *packet, bool raw_ip, bool segmented, bool direct)
{
    *packet = (struct packet){
        .family = WEIR_OTHER_FAMILY, .protocol = WEIR_PROTOCOLS, .ports_of = NO_PORTS, .segmented = segmented};
    packet->malformed = read_frame(skb, packet, raw_ip, segmented, direct) == READ_MALFORMED;
}

#endif
