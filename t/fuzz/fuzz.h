/* fuzz.h - the entry point that libFuzzer calls, and replay.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Run one input; aborts where a property does not hold. Returns 0. One thread at a time. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
