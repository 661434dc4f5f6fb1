#define _GNU_SOURCE

#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

int clinux_name_thread(const char *name) {
    char kept[16] = {0};
    strncpy(kept, name, sizeof(kept) - 1);
    return -pthread_setname_np(pthread_self(), kept);
}

int clinux_pin_thread(unsigned int processor) {
    if (processor >= CPU_SETSIZE) return -EINVAL;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    return -pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

int clinux_effective_capabilities(uint64_t *capabilities) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capget, &header, data) != 0) return -errno;
    *capabilities = data[0].effective | (uint64_t)data[1].effective << 32;
    return 0;
}

int clinux_interface_flags(int socket, int index, unsigned int *flags) {
    struct ifreq request = {.ifr_ifindex = index};
    if (ioctl(socket, SIOCGIFNAME, &request) != 0) return -errno;
    if (ioctl(socket, SIOCGIFFLAGS, &request) != 0) return -errno;
    *flags = (unsigned short)request.ifr_flags;
    return 0;
}

int clinux_clock_synchronised(void) {
    struct timex state = {0};
    int code = adjtimex(&state);
    return code < 0 ? -errno : !(state.status & STA_UNSYNC);
}

int clinux_memory_file(const char *name) {
    int file = memfd_create(name, MFD_CLOEXEC);
    return file < 0 ? -errno : file;
}

int clinux_copy_pipe(int source, int target, size_t size) {
    ssize_t count = tee(source, target, size, 0);
    return count < 0 ? -errno : (int)count;
}
