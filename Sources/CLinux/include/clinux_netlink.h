/*
 * The kernel's netlink messages: headers, link and address and route messages, socket diagnostics. Glibc's Swift
 * module knows none of them.
 */
#ifndef CLINUX_NETLINK_H
#define CLINUX_NETLINK_H

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#endif
