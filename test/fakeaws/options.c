#include "options.h"

#include <stddef.h>
#include <string.h>

#include "mem.h"
#include "request.h"

enum kind { KIND_NUMBER, KIND_BOOL, KIND_NAME };

struct option {
	const char *name;
	enum kind kind;
	size_t offset;
	int64_t least, most;
	const char *names[5]; /* of KIND_NAME, in the order of the enum */
};

#define NUMBER(field, least, most)                                                     \
	{                                                                              \
#field, KIND_NUMBER, offsetof(struct options, field), (least), (most), \
		{                                                                      \
			NULL                                                           \
		}                                                                      \
	}
#define BOOL(field)                                                       \
	{                                                                 \
#field, KIND_BOOL, offsetof(struct options, field), 0, 1, \
		{                                                         \
			NULL                                              \
		}                                                         \
	}
#define NAME(field, ...)                                                  \
	{                                                                 \
#field, KIND_NAME, offsetof(struct options, field), 0, 0, \
		{                                                         \
			__VA_ARGS__                                       \
		}                                                         \
	}

static const struct option options[] = {
	NUMBER(shards, 1, 100000),
	NUMBER(describe_page, 1, 100),
	NUMBER(describe_calls_per_s, 0, INT32_MAX),
	NAME(child_filter, "honour", "refuse", "ignore"),
	NAME(order, "age", "child_first"),
	NAME(cursor, "right", "empty", "repeat", "round"),
	BOOL(adjacent),
	BOOL(odd_ids),
	NUMBER(child_empty, 0, INT32_MAX),
	NUMBER(empty_pages, 0, INT32_MAX),
	NUMBER(repeated_pages, 0, INT32_MAX),
	BOOL(last_page_empty),
	NUMBER(page_records, 1, 1000),
	NUMBER(page_bytes, 1, 16 << 20),
	NUMBER(iterator_ms, 0, INT64_MAX),
	NUMBER(retention_ms, 0, INT64_MAX),
	NUMBER(shard_calls_per_s, 0, INT32_MAX),
	NAME(crc, "right", "wrong", "absent"),
	BOOL(gzip),
	BOOL(gzip_unasked),
	NAME(time, "seconds", "fraction", "exponent", "absent"),
	NAME(identity, "lower", "upper"),
	BOOL(unknown_fields),
	NUMBER(seq_digits, 21, 38),
	NUMBER(create_ms, 0, INT64_MAX / 4),
	NUMBER(ttl_ms, 0, INT64_MAX / 4),
	NUMBER(write_units_per_s, 0, INT32_MAX),
	NUMBER(read_units_per_s, 0, INT32_MAX),
	NUMBER(unprocessed_percent, 0, 100),
	NUMBER(unprocessed_nth, 0, INT32_MAX),
	NUMBER(read_empty_nth, 0, INT32_MAX),
	NUMBER(read_lag_ms, 0, INT64_MAX / 4),
	NUMBER(record_lag_ms, 0, INT64_MAX / 4),
	BOOL(lose_records),
	NUMBER(import_calls, 0, INT32_MAX),
};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

void options_init(struct options *o)
{
	*o = (struct options){.shards = 1,
			      .describe_page = 100,
			      .page_records = 1000,
			      .page_bytes = 1 << 20,
			      .iterator_ms = (int64_t)15 * 60 * 1000,
			      .retention_ms = (int64_t)24 * 3600 * 1000,
			      .gzip = true,
			      .seq_digits = 21,
			      .import_calls = 1};
}

static const struct option *find(const char *name)
{
	for (size_t i = 0; i < OPTIONS; i++)
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

static char *set_one(struct options *o, const struct option *op, const json_t *value)
{
	char *at = (char *)o + op->offset;

	if (op->kind == KIND_NUMBER) {
		int64_t n = json_is_integer(value) ? json_integer_value(value) : -1;
		if (!json_is_integer(value) || n < op->least || n > op->most)
			return mem_printf("%s: a whole number of %lld to %lld", op->name, (long long)op->least,
					  (long long)op->most);
		*(int64_t *)(void *)at = n;
	} else if (op->kind == KIND_BOOL) {
		if (!json_is_boolean(value))
			return mem_printf("%s: true or false", op->name);
		*(bool *)(void *)at = json_is_true(value);
	} else {
		const char *s = json_is_string(value) ? json_string_value(value) : "";
		for (int i = 0; op->names[i]; i++)
			if (strcmp(op->names[i], s) == 0) {
				*(int *)(void *)at = i;
				return NULL;
			}
		return mem_printf("%s: not '%s', but one of the names in DESIGN", op->name, s);
	}
	return NULL;
}

char *options_set(struct options *o, const json_t *values)
{
	struct options changed = *o;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)values, name, value)
	{
		const struct option *op = find(name);
		char *wrong = op ? set_one(&changed, op, value) : mem_printf("there is no option '%s'", name);
		if (wrong)
			return wrong;
	}
	*o = changed;
	return NULL;
}

json_t *options_json(const struct options *o)
{
	json_t *all = json_object();

	for (size_t i = 0; i < OPTIONS; i++) {
		const struct option *op = &options[i];
		const char *at = (const char *)o + op->offset;
		json_t *value;
		if (op->kind == KIND_NUMBER)
			value = json_integer(*(const int64_t *)(const void *)at);
		else if (op->kind == KIND_BOOL)
			value = json_boolean(*(const bool *)(const void *)at);
		else
			value = json_string(op->names[*(const int *)(const void *)at]);
		json_object_set_new(all, op->name, value);
	}
	return all;
}
