/*
 * table.json follows the table. At start, and whenever DescribeTable has answered:
 *
 *     (GET table.json, once) -> (what other calls tell of the table, every settings_interval) -> PUT when it says something new
 *
 * What cannot be read (no permission, a server that does not have the call, a fault) stays as it was told last, be it by the
 * table.json of an earlier run: only a restore wants it, and the backup is complete without.
 */
#include <stdlib.h>
#include <string.h>

#include "aws/scaling.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon.h"
#include "description.h"
#include "table.h"

#define BODY_MAX ((size_t)16 << 20) /* of table.json, and of a page of any answer */
#define FAULT_AGAIN_MS 60000
#define PAGES_MAX 1000 /* of one list: its server goes round in circles */

static void ask_tags(struct table *t, const char *token);
static void ask_scaling(struct table *t);
static void ask_targets(struct table *t, const char *token);
static void ask_policies(struct table *t, const char *token);
static void compare(struct table *t);

int table_schema_init(struct table *t, struct err *e)
{
	struct table_schema *s = &t->json;
	buf_init(&s->body, BODY_MAX);
	s->key = table_meta_key(t, "table.json");
	if (s->key == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	return aws_op_init(&s->op, &t->daemon->aws, BODY_MAX, e);
}

static void drop(json_t **value)
{
	json_decref(*value);
	*value = NULL;
}

void table_schema_stop(struct table *t)
{
	if (t->json.op.busy)
		aws_op_cancel(&t->json.op);
}

void table_schema_fini(struct table *t)
{
	struct table_schema *s = &t->json;
	json_t **const all[] = {&s->written,  &s->being_put, &s->ttl,		&s->tags,     &s->targets,
				&s->policies, &s->fresh,     &s->fresh_targets, &s->resources};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		drop(all[i]);
	json_page_fini(&s->page);
	buf_fini(&s->body);
	free(s->key);
}

static void finish(struct table *t, int rc)
{
	struct table_schema *s = &t->json;
	void (*next)(struct table *, int) = s->next;
	drop(&s->fresh);
	drop(&s->fresh_targets);
	drop(&s->resources);
	drop(&s->being_put);
	buf_trim(&s->body, 0);
	s->busy = false;
	s->next = NULL;
	if (next != NULL) {
		next(t, rc);
		return;
	}
	if (rc < 0 && rc != -ERR_CANCELLED && !s->said_put)
		log_warn("table.json cannot be written; trying again whenever the table is described",
			 LOG_S("table", t->conf->name), LOG_E(&s->op.err));
	s->said_put = rc < 0;
}

static void no_memory(struct table *t)
{
	finish(t, err_set(&t->json.op.err, ERR_SYSTEM, "out of memory"));
}

/* --- what other calls tell --- */

/* True when the way ends here. Else the error is told of once, and what was known stays. */
static bool could_not_read(struct table *t, enum table_setting which, int rc)
{
	static const char *const names[] = {"time to live", "tags", "auto scaling"};
	struct table_schema *s = &t->json;
	const struct err *e = &s->op.err;
	if (rc == -ERR_CANCELLED) {
		finish(t, rc);
		return true;
	}
	bool lasting = rc == -ERR_DENIED || rc == -ERR_INVALID || rc == -ERR_NOT_FOUND || rc == -ERR_AUTH;
	int64_t soon_ms = clock_mono_ms() + FAULT_AGAIN_MS;
	if (!lasting && soon_ms < s->due_mono_ms)
		s->due_mono_ms = soon_ms;
	if (!s->said[which])
		log_warn("a setting of the table cannot be read, so table.json does not follow it",
			 LOG_S("table", t->conf->name), LOG_S("setting", names[which]), LOG_E(e));
	s->said[which] = true;
	return false;
}

static void could_read(struct table *t, enum table_setting which, json_t **known, json_t *value)
{
	json_decref(*known);
	*known = value;
	t->json.said[which] = false;
}

static void on_ttl(struct aws_op *op, int rc, void *arg)
{
	struct table *t = arg;
	(void)op;
	if (rc == 0) {
		could_read(t, TABLE_TTL, &t->json.ttl, t->json.fresh);
		t->json.fresh = NULL;
	} else if (could_not_read(t, TABLE_TTL, rc)) {
		return;
	}
	ask_tags(t, NULL);
}

/* A list that comes in pages: what asks for one, and what follows the last one, or the failure of any. */
struct list {
	void (*ask)(struct table *t, const char *token);
	void (*done)(struct table *t);
	void (*failed)(struct table *t, int rc);
};

/* A page came, or an error: it joins what is being read. */
static void take_page(struct table *t, int rc, const struct list *l)
{
	struct table_schema *s = &t->json;
	struct json_page page = s->page;
	s->page = (struct json_page){0};
	if (s->fresh == NULL) {
		s->fresh = json_array();
		s->pages = 0;
	}
	if (rc == 0 && page.next_token != NULL && ++s->pages == PAGES_MAX)
		rc = err_set(&s->op.err, ERR_CORRUPT, "%s: the list does not end", aws_operation_name(s->op.what));
	if (rc < 0)
		l->failed(t, rc);
	else if (s->fresh == NULL || json_array_extend(s->fresh, page.list) < 0)
		no_memory(t);
	else if (page.next_token != NULL)
		l->ask(t, page.next_token);
	else
		l->done(t);
	json_page_fini(&page);
}

static void tags_done(struct table *t)
{
	could_read(t, TABLE_TAGS, &t->json.tags, t->json.fresh);
	t->json.fresh = NULL;
	ask_scaling(t);
}

static void tags_failed(struct table *t, int rc)
{
	drop(&t->json.fresh);
	if (!could_not_read(t, TABLE_TAGS, rc))
		ask_scaling(t);
}

static void on_tags(struct aws_op *op, int rc, void *arg)
{
	static const struct list tags = {ask_tags, tags_done, tags_failed};
	(void)op;
	take_page(arg, rc, &tags);
}

static void ask_tags(struct table *t, const char *token)
{
	table_list_tags(&t->json.op, t->conf->name, t->about.arn, token, &t->json.page, on_tags, t);
}

static bool is_provisioned(const json_t *table)
{
	const json_t *summary = json_object_get(table, "BillingModeSummary");
	const char *mode = json_string_value(json_object_get(summary, "BillingMode"));
	return mode == NULL || strcmp(mode, "PROVISIONED") == 0;
}

/* The start need not wait any longer. */
static void let_start(struct table *t, int rc)
{
	void (*next)(struct table *, int) = t->json.next;
	t->json.next = NULL;
	if (next != NULL)
		next(t, rc);
}

/* A table on demand has nothing to scale. Of another one the start does not wait for a service that may be out of reach. */
static void ask_scaling(struct table *t)
{
	struct table_schema *s = &t->json;
	drop(&s->resources);
	if (!is_provisioned(t->about.json)) {
		drop(&s->targets);
		drop(&s->policies);
		compare(t);
		return;
	}
	if (!t->daemon->aws.has_scaling) {
		compare(t);
		return;
	}
	s->resources = description_resources(t->about.json);
	/* One request has room for them: a table with more indexes than that has no auto scaling of the last ones in table.json. */
	while (json_array_size(s->resources) > SCALING_RESOURCES_MAX)
		json_array_remove(s->resources, json_array_size(s->resources) - 1);
	if (s->resources == NULL) {
		no_memory(t);
		return;
	}
	ask_targets(t, NULL);
	let_start(t, 0);
}

static bool is_target(const json_t *targets, const char *resource)
{
	size_t i;
	const json_t *target;
	json_array_foreach(targets, i, target)
	{
		const char *of = json_string_value(json_object_get(target, "ResourceId"));
		if (of != NULL && strcmp(of, resource) == 0)
			return true;
	}
	return false;
}

/* Policies are told of one resource at a time, and only what is a target has any. */
static void next_resource(struct table *t)
{
	struct table_schema *s = &t->json;
	while (s->resource < json_array_size(s->resources) &&
	       !is_target(s->fresh_targets, json_string_value(json_array_get(s->resources, s->resource))))
		s->resource++;
	if (s->resource < json_array_size(s->resources)) {
		ask_policies(t, NULL);
		return;
	}
	if (s->fresh == NULL)
		s->fresh = json_array();
	could_read(t, TABLE_SCALING, &s->targets, s->fresh_targets);
	could_read(t, TABLE_SCALING, &s->policies, s->fresh);
	s->fresh = s->fresh_targets = NULL;
	compare(t);
}

static void scaling_failed(struct table *t, int rc)
{
	drop(&t->json.fresh);
	drop(&t->json.fresh_targets);
	if (!could_not_read(t, TABLE_SCALING, rc))
		compare(t);
}

static void targets_done(struct table *t)
{
	struct table_schema *s = &t->json;
	s->fresh_targets = s->fresh;
	s->fresh = NULL;
	s->resource = 0;
	next_resource(t);
}

static void on_targets(struct aws_op *op, int rc, void *arg)
{
	static const struct list targets = {ask_targets, targets_done, scaling_failed};
	(void)op;
	take_page(arg, rc, &targets);
}

static void ask_targets(struct table *t, const char *token)
{
	struct table_schema *s = &t->json;
	scaling_targets(&s->op, t->conf->name, s->resources, token, &s->page, on_targets, t);
}

static void policies_done(struct table *t)
{
	t->json.resource++;
	next_resource(t);
}

static void on_policies(struct aws_op *op, int rc, void *arg)
{
	static const struct list policies = {ask_policies, policies_done, scaling_failed};
	(void)op;
	take_page(arg, rc, &policies);
}

static void ask_policies(struct table *t, const char *token)
{
	struct table_schema *s = &t->json;
	const char *resource = json_string_value(json_array_get(s->resources, s->resource));
	scaling_policies(&s->op, resource, token, &s->page, on_policies, t);
}

/* --- table.json --- */

static void on_put(struct aws_op *op, int rc, void *arg)
{
	struct table *t = arg;
	struct table_schema *s = &t->json;
	(void)op;
	if (rc == 0) {
		log_info(s->written != NULL ? "the table's settings changed; table.json is written anew"
					    : "table.json is written",
			 LOG_S("table", t->conf->name));
		json_decref(s->written);
		s->written = s->being_put;
		s->being_put = NULL;
	}
	finish(t, rc);
}

static void put(struct table *t)
{
	struct table_schema *s = &t->json;
	char *text = json_dumps(s->being_put, JSON_INDENT(1) | JSON_SORT_KEYS);
	buf_reset(&s->body);
	int rc = text != NULL ? buf_append_str(&s->body, text) : -ERR_SYSTEM;
	free(text);
	if (rc < 0) {
		finish(t, err_set(&s->op.err, (enum err_class) - rc, "there is no room for table.json"));
		return;
	}
	const struct s3_put p = {.key = span_of(s->key), .body = {buf_str(&s->body), s->body.len}};
	s3_put(&s->op, &p, on_put, t);
}

static void compare(struct table *t)
{
	struct table_schema *s = &t->json;
	const struct description_parts parts = {
		.table = t->about.json, .ttl = s->ttl, .tags = s->tags, .targets = s->targets, .policies = s->policies};
	s->being_put = description_make(&parts);
	if (s->being_put == NULL)
		no_memory(t);
	else if (s->written != NULL && description_equal(s->written, s->being_put))
		finish(t, 0);
	else
		put(t);
}

/* Asks whatever is due. */
static void ask(struct table *t)
{
	struct table_schema *s = &t->json;
	int64_t now_ms = clock_mono_ms();
	if (s->due_mono_ms != 0 && now_ms < s->due_mono_ms) {
		compare(t);
		return;
	}
	s->due_mono_ms = now_ms + t->daemon->conf->settings_interval_ms;
	table_describe_ttl(&s->op, t->conf->name, &s->fresh, on_ttl, t);
}

static json_t *member(const json_t *root, const char *name, json_type type)
{
	json_t *value = json_object_get(root, name);
	return value != NULL && json_typeof(value) == type ? json_incref(value) : NULL;
}

/* What an earlier run could read is better than nothing, if it is about this very table and not one before it. */
static void take_former(struct table *t, json_t *root)
{
	struct table_schema *s = &t->json;
	const char *id = json_string_value(json_object_get(json_object_get(root, "Table"), "TableId"));
	s->written = root;
	if ((id == NULL) != (t->about.id == NULL) || (id != NULL && strcmp(id, t->about.id) != 0))
		return;
	s->ttl = member(root, "TimeToLiveDescription", JSON_OBJECT);
	s->tags = member(root, "Tags", JSON_ARRAY);
	s->targets = member(root, "ScalableTargets", JSON_ARRAY);
	s->policies = member(root, "ScalingPolicies", JSON_ARRAY);
}

static void on_table_json(struct aws_op *op, int rc, void *arg)
{
	struct table *t = arg;
	struct table_schema *s = &t->json;
	const struct buf *body = http_body(op->slot);
	if (rc < 0) {
		finish(t, rc);
		return;
	}
	json_t *root = s->head.exists ? json_loadb(buf_str(body), body->len, 0, NULL) : NULL;
	if (json_is_object(root))
		take_former(t, root);
	else
		json_decref(root);
	s->looked = true;
	ask(t);
}

static void begin(struct table *t)
{
	struct table_schema *s = &t->json;
	s->busy = true;
	if (s->looked)
		ask(t);
	else
		s3_get(&s->op, span_of(s->key), (struct span){0}, &s->head, on_table_json, t);
}

void table_schema_look(struct table *t, void (*next)(struct table *t, int rc))
{
	t->json.next = next;
	if (!t->json.busy)
		begin(t);
}

void table_schema_described(struct table *t)
{
	if (!t->json.busy && t->daemon->phase != DAEMON_STOPPING)
		begin(t);
}
