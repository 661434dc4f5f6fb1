/* The compiled kernel programs, inside the binary. Each function is generated from the bpf/ source of its name. */
#ifndef BPF_IMAGES_H
#define BPF_IMAGES_H

#include <stddef.h>

const void *bpf_image_count(size_t *size);
const void *bpf_image_sample(size_t *size);
const void *bpf_image_share(size_t *size);

#endif
