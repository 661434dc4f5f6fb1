/* The parts of hiredis that Publishing (Swift) uses. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* as CLinux does: the C library's structs must look alike in every module */
#endif
#include <hiredis/hiredis.h>
