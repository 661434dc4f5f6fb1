/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Connections to services, and who their clients are. */
#ifndef WEIR_SERVICES_BPF_H
#define WEIR_SERVICES_BPF_H

#include "clients.bpf.h"

/* The number of the service that listens on a port; 0: none. Written by user space. */
__u16 service_of[WEIR_PORT_PROTOCOLS][WEIR_PORTS];

/* Connections of each service. Key: the service's number. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, WEIR_SERVICES);
    __type(key, __u32);
    __type(value, struct weir_service);
} services SEC(".maps");

/*
 * Handshakes that we answered: the connection's tag in the upper half, the acknowledgement that completes it in the
 * lower. One array whatever arrives: a flood overwrites slots, and then a client enters with our first payload instead.
 */
#define HANDSHAKE_BITS 17
__u64 handshakes[1 << HANDSHAKE_BITS];

/* Two words as they lie in memory, one behind the other. */
static __always_inline __u64 both(__u32 first, __u32 second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (__u64)second << 32 | first;
#else
    return (__u64)first << 32 | second;
#endif
}

/*
 * Addresses lie behind one another: source, destination. Read again here: few packets belong to a service. Written in the
 * widest words, as they are read: bytes that were just written one by one make a wider load wait.
 */
static __always_inline bool read_peer(
    struct __sk_buff *skb, const struct packet *packet, __u32 local, bool egress, struct peer *peer)
{
    const __be32 *words;
    __u32 copy[4];

    if (packet->family == WEIR_IPV4) {
        words = header(skb, packet->ip + (egress ? offsetof(struct iphdr, daddr) : offsetof(struct iphdr, saddr)),
                       sizeof(*words), copy, true);
        if (!words)
            return false;
        peer->address[0] = 0;
        peer->address[1] = both(bpf_htonl(0xFFFF), words[0]);
    } else {
        words = header(skb, packet->ip + (egress ? offsetof(struct ipv6hdr, daddr) : offsetof(struct ipv6hdr, saddr)),
                       sizeof(copy), copy, true);
        if (!words)
            return false;
        peer->address[0] = both(words[0], words[1]);
        peer->address[1] = both(words[2], words[3]);
    }
    peer->service = local;
    peer->port = egress ? packet->destination : packet->source;
    peer->hash = hash_peer(peer);
    return true;
}

/* The slot and the word that stand for one answered handshake. */
static __always_inline __u64 *handshake(const struct peer *peer, __u32 acknowledgement, __u64 *word)
{
    __u64 hash = mix(peer->hash, peer->port);

    *word = hash << 32 | acknowledgement;
    return &handshakes[hash >> (64 - HANDSHAKE_BITS)];
}

/* A packet of somebody with a service. */
struct contact {
    struct peer peer;
    struct client client; /* if it is known */
    bool known;
    bool enters;
    bool completed;
};

/* Sweeps, two minutes, after which no SYN+ACK is waited for any more: Linux repeats it for one. */
#define HANDSHAKE_SWEEPS 12

/* A client that was sent no SYN+ACK for long has no handshake to complete: its slot, seldom in the cache, is not read. */
static __always_inline bool may_complete(const struct contact *contact)
{
    return !contact->known || sweep - contact->client.entry->answered <= HANDSHAKE_SWEEPS;
}

/*
 * Whose packet to or from a service it is.
 *   1. TCP: SYN in and SYN+ACK out are counted; each answer leaves its handshake word.
 *   2. An acknowledgement that matches the word completes the handshake, once.
 *   3. The client enters when it completed one, when our service sends it payload, or (UDP) when we answer it.
 * It is counted later: meanwhile the memory where its counters are is on its way.
 */
static __always_inline void meet(
    struct __sk_buff *skb, const struct packet *packet, __u32 local, __u32 service, bool egress,
    struct contact *contact)
{
    struct weir_service *counters;
    __u64 word, *slot;

    if (!read_peer(skb, packet, local, egress, &contact->peer))
        return;
    contact->known = find_client(&contact->peer, &contact->client);
    if (packet->ports_of == WEIR_UDP) {
        contact->enters = egress;
    } else if (egress) {
        if ((packet->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK)) {
            counters = bpf_map_lookup_elem(&services, &service);
            if (counters)
                counters->syn_ack_out += 1;
            slot = handshake(&contact->peer, packet->sequence + 1, &word);
            *slot = word;
            if (contact->known)
                contact->client.entry->answered = sweep;
        }
        contact->enters = packet->payload && !(packet->flags & TCP_SYN);
    } else {
        if ((packet->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
            counters = bpf_map_lookup_elem(&services, &service);
            if (counters)
                counters->syn_in += 1;
        }
        if ((packet->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_ACK && may_complete(contact)) {
            slot = handshake(&contact->peer, packet->acknowledgement, &word);
            contact->completed = *(volatile __u64 *)slot == word && __sync_bool_compare_and_swap(slot, word, 0);
            counters = contact->completed ? bpf_map_lookup_elem(&services, &service) : NULL;
            if (counters)
                counters->completed += 1;
        }
        contact->enters = contact->completed;
    }
}

/* Who has entered is counted on every packet. */
static __always_inline void count_contact(const struct contact *contact, const struct amount *amount, bool egress)
{
    if (contact->known)
        count_client(&contact->client, amount, contact->completed, egress);
    else if (contact->enters)
        enter_client(&contact->peer, amount, contact->completed, egress);
}

#endif
