/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Limits of header parsing. The kernel half (bpf/lib) and the decoder in Swift (Packets) read the same frame with the
 * same limits, so that both count it alike.
 */
#ifndef WEIR_PARSING_H
#define WEIR_PARSING_H

/* VLAN tags read inside the frame, beside the one that the card or the kernel may have stripped. */
#define WEIR_MAX_TAGS 4U

/* IPv6 extension headers read before a packet counts as malformed (RFC 8200 section 4: each at most once, bar two). */
#define WEIR_MAX_EXTENSION_HEADERS 8U

/* Local ports counted: every 16-bit number. */
#define WEIR_PORTS 65536U

#endif
