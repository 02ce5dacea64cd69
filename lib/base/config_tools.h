/*
 * config_tools: a configuration for a tool that has no file: from flags, with the same rules for each value and the same
 * precedence before environment and defaults as the file's keys have.
 */
#ifndef DDB_BASE_CONFIG_TOOLS_H
#define DDB_BASE_CONFIG_TOOLS_H

#include "base/config.h"
#include "base/err.h"

/* One value, under the name that its key has in the file. NULL values are passed over. */
struct config_tools_value {
	const char *section; /* "aws", "s3" */
	const char *key;
	const char *value;
	const char *flag; /* how the operator gave it, for messages: "--bucket" */
};

/*
 * A configuration with these values and one table called `table`, which may be "" when only its prefix matters. On
 * success *out is the caller's: config_free. -ERR_INVALID with "FLAG: what is wrong; what is allowed".
 */
int config_tools_new(const char *table, const struct config_tools_value *values, size_t n, struct config **out,
		     struct err *e);

/* Replaces values of [aws] in a configuration that was read from a file. Errors as above; `c` stays usable. */
int config_tools_override(struct config *c, const struct config_tools_value *values, size_t n, struct err *e);

#endif
