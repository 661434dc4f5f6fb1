/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The table of clients: see abi/counters.h for how it lies in memory, and who may change what. */
#ifndef WEIR_CLIENTS_BPF_H
#define WEIR_CLIENTS_BPF_H

#include "count.bpf.h"
#include "hash.bpf.h"

/* Set before load, with the maps' sizes. */
const volatile __u32 client_buckets = 1;

/* Whether all CPUs count in one "client_volumes" (atomic adds) instead of each in its own. */
const volatile bool shared_clients = false;

/* Raised by user space. */
__u32 sweep;

struct client_bucket {
    struct weir_client slots[WEIR_CLIENT_WAYS];
};

struct volume_bucket {
    struct weir_port slots[WEIR_CLIENT_WAYS];
};

/* Arrays that can be mapped begin with a page, so that a bucket begins with a cache line. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} client_tags SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct client_bucket);
} clients SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct volume_bucket);
} client_volumes SEC(".maps");

/* Held while a client enters: two CPUs may see the same newcomer at once. */
struct entrance {
    struct bpf_spin_lock lock;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct entrance);
} entrances SEC(".maps");

/* Who talks to which service. */
struct peer {
    __u64 address[2];
    __u32 service;
    __u32 port; /* the client's */
    __u64 hash; /* of all but its port */
};

/* A client's slot. */
struct client {
    struct weir_client *entry;
    struct weir_port *volumes; /* this CPU's, or all CPUs' */
};

/* Two clients in three stand in the first bucket or, where that is less than half full, four in five. */
static __always_inline __u32 first_bucket(__u64 hash)
{
    return (hash >> 32) * client_buckets >> 32;
}

static __always_inline __u32 second_bucket(__u64 hash)
{
    return (__u64)(__u32)hash * client_buckets >> 32;
}

/* Mixed once more: both halves name a bucket, and of addresses that follow one another they must not do so alike. */
static __always_inline __u64 hash_peer(const struct peer *peer)
{
    return mix(hash_words(peer->address[0], peer->address[1], peer->service), seed[1]);
}

#define EACH_BYTE 0x0101010101010101ULL

/* The highest bit of each byte of `word` that is `byte`; above the lowest of them there may be some that are not. */
static __always_inline __u64 bytes_equal(__u64 word, __u64 byte)
{
    __u64 differences = word ^ byte * EACH_BYTE;

    return (differences - EACH_BYTE) & ~differences & EACH_BYTE << 7;
}

/* The byte of the lowest bit that is set. */
static __always_inline __u32 lowest(__u64 bits)
{
    return ((bits & -bits) >> 7) * 0x0001020304050607ULL >> 56 & (WEIR_CLIENT_WAYS - 1);
}

static __always_inline __u64 tag_of(__u64 hash)
{
    return (hash & 0x7F) | WEIR_CLIENT_PRESENT;
}

static __always_inline bool is_peer(const struct weir_client *entry, const struct peer *peer)
{
    return entry->address[1] == peer->address[1] && entry->address[0] == peer->address[0] &&
           entry->service == peer->service;
}

static __always_inline struct volume_bucket *volumes_of(__u32 bucket)
{
    if (!shared_clients)
        bucket += bpf_get_smp_processor_id() * client_buckets;
    return bpf_map_lookup_elem(&client_volumes, &bucket);
}

static __always_inline bool find_in(__u32 bucket, const struct peer *peer, __u64 tag, struct client *client)
{
    struct client_bucket *entries = bpf_map_lookup_elem(&clients, &bucket);
    struct volume_bucket *volumes = volumes_of(bucket);
    __u64 *tags = bpf_map_lookup_elem(&client_tags, &bucket);
    __u64 found;

    if (!tags || !entries || !volumes)
        return false;
    found = bytes_equal(*(volatile __u64 *)tags, tag);
    for (__u32 count = 0; found && count < WEIR_CLIENT_WAYS; count++, found &= found - 1) {
        __u32 slot = lowest(found);
        if (is_peer(&entries->slots[slot], peer)) {
            client->entry = &entries->slots[slot];
            client->volumes = &volumes->slots[slot];
            return true;
        }
    }
    return false;
}

static __always_inline bool find_client(const struct peer *peer, struct client *client)
{
    __u64 tag = tag_of(peer->hash);

    return find_in(first_bucket(peer->hash), peer, tag, client) ||
           find_in(second_bucket(peer->hash), peer, tag, client);
}

static __always_inline void count_client(
    const struct client *client, const struct amount *amount, bool completed, bool egress)
{
    count_volume(client->volumes, amount, egress, shared_clients);
    if (client->entry->last_seen != sweep)
        client->entry->last_seen = sweep;
    if (completed)
        __sync_fetch_and_add(&client->entry->connections, 1);
}

/* Slots that are not free. */
static __always_inline __u32 taken(__u64 tags)
{
    return ((tags >> 7 | tags) & EACH_BYTE) * EACH_BYTE >> 56;
}

/*
 * Gives the peer a slot: the one that another CPU gave it meanwhile, or a free one in the emptier of its buckets, and in
 * the first while that is less than half full. The entry is written before its tag: who sees the tag finds the client.
 */
static __noinline void enter_client(
    const struct peer *peer, const struct amount *amount, bool completed, bool egress)
{
    __u64 tag = tag_of(peer->hash);
    __u32 first = first_bucket(peer->hash), second = second_bucket(peer->hash), only = 0, slot;
    __u64 *tags = bpf_map_lookup_elem(&client_tags, &first);
    __u64 *other_tags = bpf_map_lookup_elem(&client_tags, &second);
    struct client_bucket *entries = bpf_map_lookup_elem(&clients, &first);
    struct client_bucket *other_entries = bpf_map_lookup_elem(&clients, &second);
    struct volume_bucket *volumes = volumes_of(first);
    struct volume_bucket *other_volumes = volumes_of(second);
    struct entrance *entrance = bpf_map_lookup_elem(&entrances, &only);
    struct weir_losses *losses = lost();
    struct client client;
    __u64 free;

    if (!tags || !other_tags || !entries || !other_entries || !volumes || !other_volumes || !entrance || !losses)
        return;
    bpf_spin_lock(&entrance->lock);
    for (slot = 0; slot < WEIR_CLIENT_WAYS; slot++) {
        if ((*tags >> 8 * slot & 0xFF) == tag && is_peer(&entries->slots[slot], peer))
            goto found;
        if ((*other_tags >> 8 * slot & 0xFF) == tag && is_peer(&other_entries->slots[slot], peer)) {
            entries = other_entries;
            volumes = other_volumes;
            goto found;
        }
    }
    if (taken(*tags) >= WEIR_CLIENT_WAYS / 2 && taken(*other_tags) < taken(*tags)) {
        tags = other_tags;
        entries = other_entries;
        volumes = other_volumes;
    }
    free = bytes_equal(*tags, 0);
    if (!free) {
        bpf_spin_unlock(&entrance->lock);
        losses->clients_full += 1;
        return;
    }
    slot = lowest(free);
    entries->slots[slot] = (struct weir_client){
        .address = {peer->address[0], peer->address[1]},
        .service = peer->service,
        .last_seen = sweep,
        .answered = sweep};
    /* Its result is asked for: without, it need not be seen after the entry. */
    free = __sync_fetch_and_or(tags, tag << 8 * slot);
    asm volatile("" : : "r"(free));
found:
    client.entry = &entries->slots[slot & (WEIR_CLIENT_WAYS - 1)];
    client.volumes = &volumes->slots[slot & (WEIR_CLIENT_WAYS - 1)];
    bpf_spin_unlock(&entrance->lock);
    count_client(&client, amount, completed, egress);
}

#endif
