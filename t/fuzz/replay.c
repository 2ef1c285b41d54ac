/* replay.c - runs every file of the folders given as arguments through a fuzz target, without
 * libFuzzer, so that what was once found stays tested everywhere. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 1048576

static int replay_file(const char *path)
{
    static uint8_t octets[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    size_t length;
    uint8_t *input;

    if (!file) {
        perror(path);
        return 0;
    }
    length = fread(octets, 1, sizeof(octets), file);
    fclose(file);
    /* A copy no longer than the input: an address sanitizer then sees what reads beyond it. */
    input = malloc(length ? length : 1);
    if (!input) {
        return 0;
    }
    memcpy(input, octets, length);
    LLVMFuzzerTestOneInput(input, length);
    free(input);
    return 1;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Returns the number of files run; 0 also where one could not be. */
static int replay_folder(const char *folder)
{
    struct dirent **entries;
    char path[PATH_MAX];
    int count = scandir(folder, &entries, is_visible, NULL);
    int run = 0;

    if (count < 0) {
        perror(folder);
        return 0;
    }
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        run += replay_file(path);
        free(entries[i]);
    }
    free(entries);
    return run == count ? run : 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int run = replay_folder(argv[i]);

        /* A folder without an input is a mistake in the call, never a success. */
        if (run == 0) {
            fprintf(stderr, "%s: no input could be run\n", argv[i]);
            return 1;
        }
        printf("%s: %d inputs\n", argv[i], run);
    }
    return argc < 2;
}
