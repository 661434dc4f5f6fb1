/* The kernel's traffic control: where filters hang. */
#ifndef CLINUX_TRAFFIC_H
#define CLINUX_TRAFFIC_H

#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#endif
