/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What sample.bpf.c decides by, and what it counts. */
#ifndef WEIR_SAMPLING_H
#define WEIR_SAMPLING_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* Classes of frames, in the order in which they are tried. */
#define WEIR_CLASS_HANDSHAKE 0U /* TCP with SYN, FIN or RST */
#define WEIR_CLASS_ICMP 1U      /* ICMP and ICMPv6 */
#define WEIR_CLASS_FIRST 2U     /* one of the first WEIR_FIRST_FRAMES of a flow */
#define WEIR_CLASS_REST 3U
#define WEIR_CLASSES 4U

#define WEIR_FIRST_FRAMES 8U

/* Small counters by flow hash, and how long one stands for a flow (2^36 ns: about 69 s). */
#define WEIR_FLOW_SLOTS 1048576U
#define WEIR_FLOW_EPOCH_SHIFT 36U

/* Map "sampled": per-CPU array, key the class. Frames, never packets. kept + skipped = offered. */
struct weir_sampled {
    __u64 offered;
    __u64 kept;
};
_Static_assert(sizeof(struct weir_sampled) == 16, "weir_sampled changed");

/* The variable "sampling": read by the filter at every frame, written by user space. */
struct weir_sampling {
    __u32 one_in;         /* N; 1 keeps every frame, 0 none */
    __u32 budget;         /* frames a second and class that pass before the class is sampled; "rest" has none */
    __u32 snap;           /* bytes kept of a frame */
    __u32 snap_first;     /* bytes kept of the first WEIR_FIRST_FRAMES of a flow */
};
_Static_assert(sizeof(struct weir_sampling) == 16, "weir_sampling changed");

#endif
