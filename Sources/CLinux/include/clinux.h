/*
 * What Glibc's Swift module hides and the sensor needs: functions behind _GNU_SOURCE, function-like macros, calls
 * without a wrapper. Nothing else belongs here. Shims return -errno, never set errno.
 */
#ifndef CLINUX_H
#define CLINUX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdint.h>

#endif
