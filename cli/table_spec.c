#include "table_spec.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PATH_BYTES 64 /* "Table.GlobalSecondaryIndexes[17]" */

/* The first failure stays in rc and err; what is made after it is thrown away. */
struct maker {
	const json_t *table;
	const char *region;
	bool import;
	bool provisioned;
	json_t *out;
	json_t *used; /* names of attributes in any key, as members of an object */
	struct table_spec spec;
	struct err *err;
	int rc;
};

static void corrupt(struct maker *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void corrupt(struct maker *m, const char *fmt, ...)
{
	char what[300];
	va_list ap;
	if (m->rc < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	m->rc = err_set(m->err, ERR_CORRUPT, "%s", what);
}

static void no_memory(struct maker *m)
{
	if (m->rc == 0)
		m->rc = err_set(m->err, ERR_SYSTEM, "out of memory");
}

static void note(struct maker *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(struct maker *m, const char *fmt, ...)
{
	va_list ap;
	char *text;
	if (m->rc < 0 || m->spec.nnotes == TABLE_SPEC_NOTES)
		return;
	va_start(ap, fmt);
	int len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		no_memory(m);
	else
		m->spec.notes[m->spec.nnotes++] = text;
}

/* Takes the reference. */
static void set(struct maker *m, json_t *object, const char *name, json_t *value)
{
	if (m->rc < 0)
		json_decref(value);
	else if (json_object_set_new(object, name, value) < 0)
		no_memory(m);
}

static void append(struct maker *m, json_t *array, json_t *value)
{
	if (m->rc < 0)
		json_decref(value);
	else if (json_array_append_new(array, value) < 0)
		no_memory(m);
}

static void set_string(struct maker *m, json_t *object, const char *name, const char *value)
{
	set(m, object, name, json_string(value));
}

/* "" after a failure. */
static const char *string_of(struct maker *m, const json_t *object, const char *path, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));
	if (value == NULL || value[0] == '\0')
		corrupt(m, "%s.%s is missing or no text", path, name);
	return value != NULL ? value : "";
}

/* The elements of an array of objects; an absent one has none. */
static size_t count(struct maker *m, const json_t *object, const char *path, const char *name)
{
	const json_t *array = json_object_get(object, name), *element;
	size_t i;
	if (array == NULL || json_is_null(array))
		return 0;
	if (!json_is_array(array))
		corrupt(m, "%s.%s is no list", path, name);
	json_array_foreach(array, i, element) if (!json_is_object(element))
		corrupt(m, "%s.%s[%zu] is no object", path, name, i);
	return m->rc == 0 ? json_array_size(array) : 0;
}

/* Copies a KeySchema, whose attributes are in use then. */
static void copy_key(struct maker *m, const json_t *from, const char *path, json_t *to)
{
	json_t *key = json_array();
	size_t n = count(m, from, path, "KeySchema");
	bool hash = false;
	for (size_t i = 0; i < n && m->rc == 0; i++) {
		char part_path[2 * PATH_BYTES];
		const json_t *part = json_array_get(json_object_get(from, "KeySchema"), i);
		snprintf(part_path, sizeof(part_path), "%s.KeySchema[%zu]", path, i);
		const char *name = string_of(m, part, part_path, "AttributeName");
		const char *role = string_of(m, part, part_path, "KeyType");
		if (strcmp(role, "HASH") != 0 && strcmp(role, "RANGE") != 0)
			corrupt(m, "%s.KeyType is neither HASH nor RANGE", part_path);
		hash = hash || strcmp(role, "HASH") == 0;
		set(m, m->used, name, json_true());
		append(m, key, json_pack("{s:s,s:s}", "AttributeName", name, "KeyType", role));
	}
	if (!hash)
		corrupt(m, "%s.KeySchema is missing or has no HASH", path);
	set(m, to, "KeySchema", key);
}

static void copy_units(struct maker *m, const json_t *from, const char *path, json_t *to)
{
	static const char *const names[] = {"ReadCapacityUnits", "WriteCapacityUnits"};
	const json_t *units = json_object_get(from, "ProvisionedThroughput");
	json_t *copy = json_object();
	for (size_t i = 0; i < 2; i++) {
		json_int_t value = json_integer_value(json_object_get(units, names[i]));
		if (value < 1)
			corrupt(m, "%s.ProvisionedThroughput.%s is missing or no number above 0", path, names[i]);
		set(m, copy, names[i], json_integer(value));
	}
	set(m, to, "ProvisionedThroughput", copy);
}

/* Limits of a table on demand. One that is not above 0 is none. */
static void copy_limits(struct maker *m, const json_t *from, json_t *to)
{
	static const char *const names[] = {"MaxReadRequestUnits", "MaxWriteRequestUnits"};
	const json_t *limits = json_object_get(from, "OnDemandThroughput");
	json_t *copy = json_object();
	for (size_t i = 0; i < 2; i++) {
		json_int_t value = json_integer_value(json_object_get(limits, names[i]));
		if (value > 0)
			set(m, copy, names[i], json_integer(value));
	}
	if (json_object_size(copy) > 0)
		set(m, to, "OnDemandThroughput", copy);
	else
		json_decref(copy);
}

/* What one pays for, of a table or of a global index. */
static void copy_billing(struct maker *m, const json_t *from, const char *path, json_t *to)
{
	if (m->provisioned)
		copy_units(m, from, path, to);
	else
		copy_limits(m, from, to);
}

static void copy_projection(struct maker *m, const json_t *from, const char *path, json_t *to)
{
	const json_t *projection = json_object_get(from, "Projection"), *attribute;
	const json_t *others = json_object_get(projection, "NonKeyAttributes");
	char projection_path[2 * PATH_BYTES];
	size_t i;
	snprintf(projection_path, sizeof(projection_path), "%s.Projection", path);
	const char *type = string_of(m, projection, projection_path, "ProjectionType");
	json_t *copy = json_pack("{s:s}", "ProjectionType", type);
	if (strcmp(type, "INCLUDE") == 0 && json_array_size(others) == 0)
		corrupt(m, "%s.NonKeyAttributes is missing", projection_path);
	json_array_foreach(others, i, attribute) if (!json_is_string(attribute))
		corrupt(m, "%s.NonKeyAttributes[%zu] is no text", projection_path, i);
	if (json_array_size(others) > 0)
		set(m, copy, "NonKeyAttributes", json_deep_copy(others));
	set(m, to, "Projection", copy);
}

static void copy_indexes(struct maker *m, const char *kind, bool global)
{
	size_t n = count(m, m->table, "Table", kind);
	json_t *all = json_array();
	for (size_t i = 0; i < n && m->rc == 0; i++) {
		const json_t *from = json_array_get(json_object_get(m->table, kind), i);
		const char *status = json_string_value(json_object_get(from, "IndexStatus"));
		char path[PATH_BYTES];
		snprintf(path, sizeof(path), "Table.%s[%zu]", kind, i);
		const char *name = string_of(m, from, path, "IndexName");
		if (status != NULL && strcmp(status, "DELETING") == 0) {
			note(m, "not with the index %s, which was being deleted", name);
			continue;
		}
		json_t *to = json_pack("{s:s}", "IndexName", name);
		copy_key(m, from, path, to);
		copy_projection(m, from, path, to);
		if (global)
			copy_billing(m, from, path, to);
		append(m, all, to);
	}
	if (json_array_size(all) > 0)
		set(m, m->out, kind, all);
	else
		json_decref(all);
}

static void leave_out_local_indexes(struct maker *m)
{
	size_t n = count(m, m->table, "Table", "LocalSecondaryIndexes");
	for (size_t i = 0; i < n; i++) {
		const json_t *index = json_array_get(json_object_get(m->table, "LocalSecondaryIndexes"), i);
		char path[PATH_BYTES];
		snprintf(path, sizeof(path), "Table.LocalSecondaryIndexes[%zu]", i);
		m->spec.lacks_local_indexes = true;
		note(m,
		     "without the local secondary index %s, which an import cannot make and nobody can add afterwards",
		     string_of(m, index, path, "IndexName"));
	}
}

/* CreateTable refuses definitions of attributes that no key uses. */
static void copy_definitions(struct maker *m)
{
	const json_t *from = json_object_get(m->table, "AttributeDefinitions");
	json_t *to = json_array();
	const char *name;
	json_t *unused;
	size_t n = count(m, m->table, "Table", "AttributeDefinitions");
	json_object_foreach(m->used, name, unused)
	{
		const char *type = NULL;
		(void)unused;
		for (size_t i = 0; i < n && type == NULL; i++) {
			const json_t *d = json_array_get(from, i);
			const char *defined = json_string_value(json_object_get(d, "AttributeName"));
			if (defined != NULL && strcmp(defined, name) == 0)
				type = json_string_value(json_object_get(d, "AttributeType"));
		}
		if (type == NULL || strlen(type) != 1 || strchr("SNB", type[0]) == NULL)
			corrupt(m, "Table.AttributeDefinitions has no type S, N or B for %s", name);
		else
			append(m, to, json_pack("{s:s,s:s}", "AttributeName", name, "AttributeType", type));
	}
	set(m, m->out, "AttributeDefinitions", to);
}

/* A table that was always provisioned has no summary. */
static void read_billing_mode(struct maker *m)
{
	const json_t *summary = json_object_get(m->table, "BillingModeSummary");
	const char *mode = "PROVISIONED";
	if (json_object_get(summary, "BillingMode") != NULL)
		mode = string_of(m, summary, "Table.BillingModeSummary", "BillingMode");
	m->provisioned = strcmp(mode, "PROVISIONED") == 0;
	if (!m->provisioned && strcmp(mode, "PAY_PER_REQUEST") != 0)
		corrupt(m, "Table.BillingModeSummary.BillingMode is neither PROVISIONED nor PAY_PER_REQUEST");
	set_string(m, m->out, "BillingMode", mode);
}

static void copy_stream(struct maker *m)
{
	const json_t *stream = json_object_get(m->table, "StreamSpecification");
	if (!json_is_true(json_object_get(stream, "StreamEnabled"))) {
		note(m, "without a stream, as the old one was last; ddb-streamd needs one");
		return;
	}
	const char *view = string_of(m, stream, "Table.StreamSpecification", "StreamViewType");
	if (!m->import) {
		set(m, m->out, "StreamSpecification",
		    json_pack("{s:b,s:s}", "StreamEnabled", 1, "StreamViewType", view));
		return;
	}
	m->spec.lacks_stream = true;
	note(m, "without the stream (%s), which an import cannot make: turn it on afterwards", view);
}

/* The region in arn:aws:kms:REGION:ACCOUNT:key/ID. */
static struct span region_of(const char *arn)
{
	for (int colons = 0; *arn != '\0'; arn++)
		if (*arn == ':' && ++colons == 3)
			return (struct span){arn + 1, strcspn(arn + 1, ":")};
	return (struct span){"", 0};
}

static void copy_encryption(struct maker *m)
{
	const json_t *from = json_object_get(m->table, "SSEDescription");
	const char *status = json_string_value(json_object_get(from, "Status"));
	const char *type = json_string_value(json_object_get(from, "SSEType"));
	const char *key = json_string_value(json_object_get(from, "KMSMasterKeyArn"));
	bool off = status != NULL && (strcmp(status, "DISABLED") == 0 || strcmp(status, "DISABLING") == 0);
	if (type == NULL || strcmp(type, "KMS") != 0 || off)
		return;
	json_t *to = json_pack("{s:b,s:s}", "Enabled", 1, "SSEType", "KMS");
	if (key != NULL && strstr(key, ":alias/aws/dynamodb") == NULL) {
		if (span_eq_str(region_of(key), m->region))
			set_string(m, to, "KMSMasterKeyId", key);
		else
			note(m, "encrypted with the AWS managed key of region %s, since %s is a key of another one",
			     m->region, key);
	}
	set(m, m->out, "SSESpecification", to);
}

static void copy_class(struct maker *m)
{
	const json_t *summary = json_object_get(m->table, "TableClassSummary");
	if (json_object_get(summary, "TableClass") == NULL)
		return;
	const char *class = string_of(m, summary, "Table.TableClassSummary", "TableClass");
	if (strcmp(class, "STANDARD") == 0)
		return;
	if (m->import)
		note(m, "not of table class %s, which an import cannot set: set it afterwards", class);
	else
		set_string(m, m->out, "TableClass", class);
}

static void copy_protection(struct maker *m)
{
	if (!json_is_true(json_object_get(m->table, "DeletionProtectionEnabled")))
		return;
	if (m->import)
		note(m, "without deletion protection, which an import cannot set: turn it on afterwards");
	else
		set(m, m->out, "DeletionProtectionEnabled", json_true());
}

static void tell_replicas(struct maker *m)
{
	size_t n = count(m, m->table, "Table", "Replicas");
	if (n > 0)
		note(m, "without the %zu replica%s of the global table", n, n == 1 ? "" : "s");
}

static void make_text(struct maker *m)
{
	char *text = m->rc == 0 ? json_dumps(m->out, JSON_COMPACT) : NULL;
	if (text == NULL)
		no_memory(m);
	else
		m->spec.request = span_of(text);
}

static int make(const json_t *table, const char *name, const char *region, bool import, struct table_spec *out,
		struct err *e)
{
	struct maker m = {.table = table, .region = region, .import = import, .err = e};
	m.out = json_object();
	m.used = json_object();
	if (!json_is_object(table))
		corrupt(&m, "Table is missing or no object");
	set_string(&m, m.out, "TableName", name);
	read_billing_mode(&m);
	copy_key(&m, table, "Table", m.out);
	copy_billing(&m, table, "Table", m.out);
	copy_indexes(&m, "GlobalSecondaryIndexes", true);
	if (import)
		leave_out_local_indexes(&m);
	else
		copy_indexes(&m, "LocalSecondaryIndexes", false);
	copy_definitions(&m);
	copy_stream(&m);
	copy_encryption(&m);
	copy_class(&m);
	copy_protection(&m);
	tell_replicas(&m);
	make_text(&m);
	json_decref(m.out);
	json_decref(m.used);
	if (m.rc == 0)
		*out = m.spec;
	else
		table_spec_fini(&m.spec);
	return m.rc;
}

int table_spec_create(const json_t *table, const char *name, const char *region, struct table_spec *out, struct err *e)
{
	return make(table, name, region, false, out, e);
}

int table_spec_import(const json_t *table, const char *name, const char *region, struct table_spec *out, struct err *e)
{
	return make(table, name, region, true, out, e);
}

json_t *table_spec_tags(const json_t *tags)
{
	json_t *ours = json_array();
	const json_t *tag;
	size_t i;
	json_array_foreach(tags, i, tag)
	{
		const char *key = json_string_value(json_object_get(tag, "Key"));
		const char *value = json_string_value(json_object_get(tag, "Value"));
		/* The prefix is reserved (Tagging AWS Resources, "Tag naming limits"): CloudFormation's, for instance. */
		if (key == NULL || value == NULL || strncasecmp(key, "aws:", 4) == 0)
			continue;
		if (json_array_append_new(ours, json_pack("{s:s,s:s}", "Key", key, "Value", value)) < 0)
			break;
	}
	if (json_array_size(ours) > 0)
		return ours;
	json_decref(ours);
	return NULL;
}

int table_spec_tag(struct table_spec *spec, const json_t *tags, struct err *e)
{
	json_t *request = json_loadb(spec->request.ptr, spec->request.len, 0, NULL);
	json_t *all = json_deep_copy(json_object_get(request, "Tags"));
	if (all == NULL)
		all = json_array();
	int rc = json_array_extend(all, (json_t *)tags);
	if (rc == 0)
		rc = json_object_set(request, "Tags", all);
	char *text = rc == 0 ? json_dumps(request, JSON_COMPACT) : NULL;
	json_decref(all);
	json_decref(request);
	if (text == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	free((char *)spec->request.ptr);
	spec->request = span_of(text);
	return 0;
}

void table_spec_fini(struct table_spec *spec)
{
	free((char *)spec->request.ptr);
	for (size_t i = 0; i < spec->nnotes; i++)
		free(spec->notes[i]);
	*spec = (struct table_spec){0};
}
