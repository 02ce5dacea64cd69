/*
 * config_keys: every key of the configuration: where it belongs, how its value is read, what is allowed.
 * For config.c only.
 */
#ifndef DDB_BASE_CONFIG_KEYS_H
#define DDB_BASE_CONFIG_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/err.h"

enum config_section {
	CONFIG_SECTION_NONE,
	CONFIG_SECTION_DAEMON,
	CONFIG_SECTION_AWS,
	CONFIG_SECTION_S3,
	CONFIG_SECTION_TABLE,
	CONFIG_SECTION_COUNT
};

/* Which struct a key's value is stored in. */
enum config_target {
	CONFIG_IN_CONFIG, /* struct config */
	CONFIG_IN_TABLE,  /* struct config_table: of [table], or, for keys of [s3], the defaults of all tables */
	CONFIG_IN_EXTRA	  /* struct config_extra */
};

/* What the file says and struct config has in another form. */
struct config_extra {
	char *endpoint_url; /* for the services without their own */
};

struct config_key {
	enum config_section section;
	enum config_target target;
	const char *name;
	/*
	 * Stores `value` at `field`. 0, -ERR_SYSTEM without memory, or -ERR_INVALID with the fault in `*why`
	 * ("is not a duration").
	 */
	int (*parse)(const struct config_key *k, const char *value, void *field, const char **why);
	size_t offset;		    /* of the field in its struct */
	uint64_t min, max;	    /* of numbers */
	const char *const *choices; /* names of an enum's values, NULL at the end */
	const char *allowed;	    /* for messages */
};

#define CONFIG_KEYS_MAX 64 /* so that a set of keys fits a uint64_t */

extern const struct config_key config_keys[];
extern const size_t config_keys_count;

/* "daemon", "aws", "s3", "table". */
const char *config_section_name(enum config_section s);
/* The key's index in config_keys, or -1. */
int config_keys_find(enum config_section s, const char *name);
/* Another key of the section whose name is within two letters of `name`, or NULL. */
const char *config_keys_near(enum config_section s, const char *name);
/* As config_keys_near, of the sections' names. */
const char *config_section_near(const char *name);

/* http(s)://HOST[:PORT], a slash at the end dropped, malloc'd into the char * at `field`; as a key's parse. */
int config_parse_url(const struct config_key *k, const char *value, void *field, const char **why);
int config_parse_region(const struct config_key *k, const char *value, void *field, const char **why);
int config_parse_directory(const struct config_key *k, const char *value, void *field, const char **why);
/* "..., what is allowed" of those three, for values from the environment. */
extern const char config_allowed_url[], config_allowed_region[], config_allowed_directory[];

#endif
