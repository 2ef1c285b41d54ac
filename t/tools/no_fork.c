/* no_fork.c - to be preloaded: while the file HS_NO_FORK exists, mod_helpsupport gets no process.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

pid_t fork(void)
{
    const char *file = getenv("HS_NO_FORK");
    pid_t (*real)(void);
    Dl_info caller;

    if (file && access(file, F_OK) == 0 && dladdr(__builtin_return_address(0), &caller) &&
        strstr(caller.dli_fname, "mod_helpsupport")) {
        errno = EAGAIN;
        return -1;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "fork");
    return real();
}
