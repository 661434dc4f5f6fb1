/* libyaml, used event by event: aliases are refused before anything is expanded. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* as CLinux does: the C library's structs must look alike in every module */
#endif
#include <yaml.h>
