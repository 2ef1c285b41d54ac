/* test_buffer.c - the growing octet string. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hs_buffer.h"

#include "tap.h"

#include <apr_general.h>

static void test_append(apr_pool_t *pool)
{
    hs_buffer buffer;

    hs_buffer_init(&buffer, 4, pool);
    tap_is_str(buffer.data, "", "starts empty");
    tap_is_int((apr_int64_t)buffer.length, 0, "and of no length");
    hs_buffer_append(&buffer, "abXX", 2);
    hs_buffer_append(&buffer, "", 0);
    hs_buffer_putc(&buffer, 'c');
    hs_buffer_puts(&buffer, "d");
    tap_is_str(buffer.data, "abcd", "full to the last octet");
    tap_is_int((apr_int64_t)buffer.capacity, 4, "without growing");
    hs_buffer_putc(&buffer, 'e');
    tap_is_str(buffer.data, "abcde", "one more");
    tap_ok(buffer.capacity >= 8, "at least doubles");
    hs_buffer_puts(&buffer, "fghijklmnopqrstuvwxyz0123456789");
    tap_is_str(buffer.data, "abcdefghijklmnopqrstuvwxyz0123456789", "more than double at once");
    tap_is_int((apr_int64_t)buffer.length, 36, "length counts all");
}

static void test_octets(apr_pool_t *pool)
{
    hs_buffer buffer;

    hs_buffer_init(&buffer, 1, pool);
    hs_buffer_append(&buffer, "a\0b", 3);
    hs_buffer_putc(&buffer, '\0');
    tap_is_int((apr_int64_t)buffer.length, 4, "NUL is an octet like others");
    tap_ok(memcmp(buffer.data, "a\0b\0", 5) == 0, "and a NUL ends the whole");
}

static void test_many(apr_pool_t *pool)
{
    hs_buffer buffer;
    int wrong = 0;

    hs_buffer_init(&buffer, 1, pool);
    for (int i = 0; i < 100000; i++) {
        hs_buffer_putc(&buffer, (char)('a' + i % 26));
        wrong += buffer.data[buffer.length] != '\0';
    }
    for (int i = 0; i < 100000; i++) {
        wrong += buffer.data[i] != 'a' + i % 26;
    }
    tap_is_int(wrong, 0, "growing from 1 to 100,000 keeps every octet");
    tap_ok(buffer.capacity < 400000, "and does not waste room");
}

static void test_reserve(apr_pool_t *pool)
{
    hs_buffer buffer;
    char *to;

    hs_buffer_init(&buffer, 2, pool);
    hs_buffer_puts(&buffer, "x");
    to = hs_buffer_reserve(&buffer, 100);
    tap_ok(to == buffer.data + 1, "points behind what is there");
    tap_ok(buffer.capacity - buffer.length >= 100, "has room");
    tap_is_str(buffer.data, "x", "and leaves it alone");
    memcpy(to, "yz", 3);
    buffer.length += 2;
    tap_ok(hs_buffer_reserve(&buffer, 50) == buffer.data + 3, "room is used before growing");
    tap_is_str(buffer.data, "xyz", "what was filled in counts");
}

static void is_number(apr_int64_t number, const char *want, apr_pool_t *pool)
{
    hs_buffer buffer;

    hs_buffer_init(&buffer, 1, pool);
    hs_buffer_put_number(&buffer, number);
    tap_is_str(buffer.data, want, want);
}

static void test_number(apr_pool_t *pool)
{
    is_number(0, "0", pool);
    is_number(7, "7", pool);
    is_number(10, "10", pool);
    is_number(-1, "-1", pool);
    is_number(1234567890, "1234567890", pool);
    is_number(APR_INT64_MAX, "9223372036854775807", pool);
    is_number(APR_INT64_MIN, "-9223372036854775808", pool);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_append(pool);
    test_octets(pool);
    test_many(pool);
    test_reserve(pool);
    test_number(pool);
    apr_terminate();
    return tap_done();
}
