/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Connections to services, and who their clients are. */
#ifndef WEIR_SERVICES_BPF_H
#define WEIR_SERVICES_BPF_H

#include "count.bpf.h"
#include "hash.bpf.h"

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
 * Clients that have proved that they are there. A full table turns newcomers away visibly; one that evicts (LRU) would
 * lose counts without a trace. max_entries is set before load.
 */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __type(key, struct weir_client_key);
    __type(value, struct weir_client);
} clients SEC(".maps");

/*
 * Handshakes that we answered: the connection's tag in the upper half, the acknowledgement that completes it in the
 * lower. One array whatever arrives: a flood overwrites slots, and then a client enters with our first payload instead.
 */
#define HANDSHAKE_BITS 17
__u64 handshakes[1 << HANDSHAKE_BITS];

/*
 * The client and the service's port as a key, written in the widest words: the lookup reads words, and waits long for
 * bytes that were just written one by one.
 */
struct peer {
    union {
        struct weir_client_key key;
        struct {
            __u64 address[2];
            __u32 port_and_protocol;
        };
    };
    __u16 port; /* the client's */
};

/* Two words as they lie in memory, one behind the other. */
static __always_inline __u64 both(__u32 first, __u32 second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (__u64)second << 32 | first;
#else
    return (__u64)first << 32 | second;
#endif
}

/* Addresses lie behind one another: source, destination. Read again here: few packets belong to a service. */
static __always_inline bool read_peer(
    struct __sk_buff *skb, const struct packet *packet, bool egress, struct peer *peer)
{
    const __be32 *words;
    __u32 copy[4];
    __u32 port;

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
    port = egress ? packet->source : packet->destination;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    peer->port_and_protocol = port | packet->ports_of << 16;
#else
    peer->port_and_protocol = port << 16 | packet->ports_of << 8;
#endif
    peer->port = egress ? packet->destination : packet->source;
    return true;
}

/* The slot and the word that stand for one answered handshake. */
static __always_inline __u64 *handshake(const struct peer *peer, __u32 acknowledgement, __u64 *word)
{
    __u64 hash = hash_words(peer->address[0], peer->address[1], (__u64)peer->port_and_protocol << 16 | peer->port);

    *word = hash << 32 | acknowledgement;
    return &handshakes[hash >> (64 - HANDSHAKE_BITS)];
}

static __always_inline void update_client(
    struct weir_client *client, const struct amount *amount, bool completed, bool egress)
{
    add_shared(egress ? &client->out : &client->in, amount);
    if (completed)
        __sync_fetch_and_add(&client->connections, 1);
    client->last_seen = bpf_ktime_get_coarse_ns();
}

static __noinline void enter_client(
    const struct weir_client_key *key, const struct amount *amount, bool completed, bool egress)
{
    struct weir_client fresh = {.connections = completed, .last_seen = bpf_ktime_get_coarse_ns()};
    struct weir_client *client;
    struct weir_losses *losses;
    long error;

    add(egress ? &fresh.out : &fresh.in, amount);
    error = bpf_map_update_elem(&clients, key, &fresh, BPF_NOEXIST);
    if (!error)
        return;
    if (error == -17 /* EEXIST: another CPU was faster */) {
        client = bpf_map_lookup_elem(&clients, key);
        if (client) {
            update_client(client, amount, completed, egress);
            return;
        }
    }
    losses = lost();
    if (!losses)
        return;
    if (error == -7 /* E2BIG */)
        losses->clients_full += 1;
    else
        losses->client_errors += 1;
}

/*
 * A packet to or from a service.
 *   1. TCP: SYN in and SYN+ACK out are counted; each answer leaves its handshake word.
 *   2. An acknowledgement that matches the word completes the handshake, once.
 *   3. The client enters when it completed one, when our service sends it payload, or (UDP) when we answer it.
 *   4. Who has entered is counted on every further packet.
 */
static __always_inline void count_service(
    struct __sk_buff *skb, const struct packet *packet, const struct amount *amount, __u32 service, bool egress)
{
    struct weir_service *counters;
    struct weir_client *client;
    bool enters, completed = false;
    struct peer peer;
    __u64 word, *slot;

    if (!read_peer(skb, packet, egress, &peer))
        return;
    if (packet->ports_of == WEIR_UDP) {
        enters = egress;
    } else if (egress) {
        if ((packet->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK)) {
            counters = bpf_map_lookup_elem(&services, &service);
            if (counters)
                counters->syn_ack_out += 1;
            slot = handshake(&peer, packet->sequence + 1, &word);
            *slot = word;
        }
        enters = packet->payload && !(packet->flags & TCP_SYN);
    } else {
        if ((packet->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
            counters = bpf_map_lookup_elem(&services, &service);
            if (counters)
                counters->syn_in += 1;
        }
        if ((packet->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_ACK) {
            slot = handshake(&peer, packet->acknowledgement, &word);
            completed = *(volatile __u64 *)slot == word && __sync_bool_compare_and_swap(slot, word, 0);
            counters = completed ? bpf_map_lookup_elem(&services, &service) : NULL;
            if (counters)
                counters->completed += 1;
        }
        enters = completed;
    }
    client = bpf_map_lookup_elem(&clients, &peer.key);
    if (client)
        update_client(client, amount, completed, egress);
    else if (enters)
        enter_client(&peer.key, amount, completed, egress);
}

#endif
