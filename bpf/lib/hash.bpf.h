/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Seeded hashing of addresses and ports: strangers choose them, so they must not choose the slot. */
#ifndef WEIR_HASH_BPF_H
#define WEIR_HASH_BPF_H

#include <linux/types.h>

#include <bpf/bpf_helpers.h>

/* Random, set before load. */
const volatile __u64 seed[2] = {0, 0};

static __always_inline __u64 mix(__u64 hash, __u64 word)
{
    hash = (hash ^ word) * 0x9E3779B97F4A7C15ULL;
    return hash ^ hash >> 32;
}

/* Three words into 64 good bits. */
static __always_inline __u64 hash_words(__u64 first, __u64 second, __u64 third)
{
    return mix(mix(mix(seed[0], first) + seed[1], second), third) * 0xD6E8FEB86659FD93ULL;
}

#endif
