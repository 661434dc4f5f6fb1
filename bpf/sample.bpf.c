// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Decides which frames reach user space, and how much of them.
 *   1. The class: handshakes (SYN, FIN, RST), ICMP, the first frames of a flow, the rest.
 *   2. With one_in 1 all pass. Otherwise a class passes up to its budget of frames a second, and what is above, and the
 *      rest, passes with probability 1 / one_in. So a flood cannot ride in on its flags.
 *   3. Offered and kept are counted for each class: estimates divide by what really passed.
 * One loaded object serves all sockets of one interface; budget and slots are theirs together.
 */
#include "lib/flows.bpf.h"

/* Written by user space at any time. */
struct weir_sampling sampling = {.one_in = 1, .budget = 50000, .snap = 256, .snap_first = 1600};

/* Frames offered and kept. Key: the class. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, WEIR_CLASSES);
    __type(key, __u32);
    __type(value, struct weir_sampled);
} sampled SEC(".maps");

/* For each class: the second in the upper half, the frames that passed in it in the lower. */
__u64 spent[WEIR_CLASSES];

/* Frames begin with the IP header (tun, WireGuard). Set before load. */
const volatile bool raw_ip = false;

__noinline int parse(struct __sk_buff *skb, struct packet *packet)
{
    if (packet)
        read_packet(skb, packet, raw_ip, skb->gso_size, false);
    return 0;
}

static __always_inline bool within_budget(__u32 class, __u32 budget, __u64 now)
{
    __u64 *word = &spent[class & (WEIR_CLASSES - 1)];
    __u64 second = now / 1000000000;
    __u64 before = *(volatile __u64 *)word;

    if (before >> 32 != second) {
        /* Whoever loses this race finds the new second below. */
        __sync_bool_compare_and_swap(word, before, second << 32);
        before = *(volatile __u64 *)word;
    }
    if ((__u32)before >= budget)
        return false;
    return (__u32)__sync_fetch_and_add(word, 1) < budget;
}

/* Probability 1 / one_in. */
static __always_inline bool chosen(__u32 one_in)
{
    return one_in && (__u64)bpf_get_prandom_u32() * one_in >> 32 == 0;
}

SEC("socket")
int weir_sample(struct __sk_buff *skb)
{
    __u32 one_in = sampling.one_in;
    __u64 now = bpf_ktime_get_coarse_ns();
    struct weir_sampled *counters;
    struct packet packet;
    bool first = false;
    bool keep;
    __u32 class;

    parse(skb, &packet);
    if (packet.family != WEIR_OTHER_FAMILY && !packet.malformed)
        first = is_first(skb, &packet, now);
    class = packet.flags & (TCP_SYN | TCP_FIN | TCP_RST) ? WEIR_CLASS_HANDSHAKE
          : packet.protocol == WEIR_ICMP                 ? WEIR_CLASS_ICMP
          : first                                        ? WEIR_CLASS_FIRST
                                                         : WEIR_CLASS_REST;
    keep = one_in == 1 ||
           (one_in && class != WEIR_CLASS_REST && within_budget(class, sampling.budget, now)) || chosen(one_in);
    counters = bpf_map_lookup_elem(&sampled, &class);
    if (counters) {
        counters->offered += 1;
        counters->kept += keep;
    }
    return !keep ? 0 : first ? sampling.snap_first : sampling.snap;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
