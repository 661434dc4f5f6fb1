/*
 * What Glibc's Swift module hides and the sensor needs: functions behind _GNU_SOURCE, function-like macros, calls
 * without a wrapper. Nothing else belongs here. Shims return -errno, never set errno. _GNU_SOURCE stays in the .c files:
 * with it here, types of the C library would differ between this module and others.
 */
#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if_arp.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

/* Newer than Debian 12's headers: a UDP frame that stands for several datagrams. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/* Names the calling thread; the kernel keeps 15 characters. */
int clinux_name_thread(const char *name);

/* Keeps the calling thread on one processor. */
int clinux_pin_thread(unsigned int processor);

/* The calling thread's effective capabilities, bit n = capability n. */
int clinux_effective_capabilities(uint64_t *capabilities);

/* IFF_... flags of an interface, asked through any socket of its network namespace. */
int clinux_interface_flags(int socket, int index, unsigned int *flags);

/* A file in memory that no folder names. */
int clinux_memory_file(const char *name);

/* Copies up to `size` bytes that wait in a pipe to another pipe, and takes nothing; waits until there are some. */
int clinux_copy_pipe(int source, int target, size_t size);

/* Whether the kernel's clock is kept by a time source: 1 yes, 0 no. */
int clinux_clock_synchronised(void);

#endif
