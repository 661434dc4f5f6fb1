/* The driver inside clang's libFuzzer. A Swift executable brings its own entry point, which hands over to it. */
#ifndef WEIR_FUZZER_H
#define WEIR_FUZZER_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*test_one_input)(const uint8_t *data, size_t size));

#endif
