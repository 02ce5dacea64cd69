/* config_fixture: configuration files in a folder of their own, for tests of config. */
#ifndef DDB_TEST_CONFIG_FIXTURE_H
#define DDB_TEST_CONFIG_FIXTURE_H

#include <stddef.h>

#include "base/config.h"

/* What a file needs at least: three lines, the table on the third. */
#define CONFIG_FIXTURE_REST "[s3]\nbucket=backups\n[table \"orders\"]\n"

/* A test that sees none of the environment of the build. */
#define CONFIG_FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, config_fixture_clear, config_fixture_clear)

/* For the group: makes a folder and goes there; removes it. */
int config_fixture_enter(void **state);
int config_fixture_leave(void **state);
/* Unsets every variable that config reads. */
int config_fixture_clear(void **state);

/* Writes the file "c". */
void config_fixture_write(const void *bytes, size_t len);
/* Writes "c" and loads it; the test fails when that does. */
struct config *config_fixture_load_bytes(const void *bytes, size_t len);
struct config *config_fixture_load(const char *text);
/* Writes "c"; loading it must fail with exactly this message, and leave the output alone. */
void config_fixture_refuse_bytes(const void *bytes, size_t len, const char *message);
void config_fixture_refuse(const char *text, const char *message);

#endif
