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

/* An address's two halves and one word more. The secret takes part in the first product, of which the folding keeps the
   upper half: knowing the constants does not tell which words collide. */
static __always_inline __u64 hash_words(__u64 first, __u64 second, __u64 third)
{
    __u64 address = (first + seed[0]) * ((second ^ seed[1]) | 1);

    return mix(address ^ address >> 32, third + (second ^ seed[0]));
}

#endif
