// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Counts every packet of the watched interfaces, in both directions, and lets all of them pass on to the next program.
 *   1. The interface's totals: families, protocols, flags, sizes.
 *   2. The local port's totals (destination on the way in, source on the way out).
 *   3. If a service listens there: its connections, and its client's totals. The client is looked up first, since its
 *      counters are the one thing that is seldom in the cache.
 * Nothing is copied to user space and nothing of the packet is changed.
 */
#include "lib/services.bpf.h"

/* TCX_NEXT and TC_ACT_UNSPEC: the next program decides. */
#define NEXT (-1)

__noinline int parse(struct __sk_buff *skb, struct packet *packet, __u32 raw_ip)
{
    if (packet)
        read_packet(skb, packet, raw_ip, skb->gso_size, true);
    return 0;
}

static __always_inline int count(struct __sk_buff *skb, bool egress)
{
    struct weir_interface *interface = watched(skb->ifindex);
    struct contact contact;
    struct packet packet;
    struct amount amount;
    bool has_port;
    __u32 local = 0;

    if (!interface) {
        struct weir_losses *losses = lost();
        if (losses)
            losses->interface_unknown += 1;
        return NEXT;
    }
    parse(skb, &packet, interface->options & WEIR_INTERFACE_RAW_IP);
    contact.known = contact.enters = contact.completed = false;
    has_port = packet.ports_of != NO_PORTS && interface->options & WEIR_INTERFACE_LOCAL_PORTS;
    if (has_port) {
        __u16 service;
        local = local_port(&packet, egress);
        service = service_of[packet.ports_of & 1][local & 0xFFFF];
        if (service)
            meet(skb, &packet, local, service, egress, &contact);
    }
    amount = count_interface(skb, &packet, egress ? &interface->tx : &interface->rx);
    if (has_port) {
        count_port(local, &amount, egress);
        count_contact(&contact, &amount, egress);
    }
    return NEXT;
}

SEC("tc")
int weir_ingress(struct __sk_buff *skb)
{
    return count(skb, false);
}

SEC("tc")
int weir_egress(struct __sk_buff *skb)
{
    return count(skb, true);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
