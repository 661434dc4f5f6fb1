/* What compilers for C can ask of a processor and Swift cannot say. */
#ifndef WEIR_INTRINSICS_H
#define WEIR_INTRINSICS_H

/* Asks for a cache line that will be read soon; any address will do. */
static inline void prefetch_line(const void *address) {
    __builtin_prefetch(address);
}

#endif
