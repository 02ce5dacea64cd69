#include "audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ddb.h"
#include "fake.h"
#include "mem.h"
#include "s3.h"

#define PAGE 10000

static struct audit_count *count_of(struct audit *a, const struct request *r)
{
	char *name = mem_printf("%s %s", service_name(r->service), r->op);

	for (size_t i = 0; i < a->ncounts; i++) {
		if (strcmp(a->counts[i].name, name) == 0) {
			free(name);
			return &a->counts[i];
		}
	}
	mem_reserve(&a->counts, &a->counts_cap, a->ncounts + 1, sizeof(*a->counts));
	a->counts[a->ncounts] = (struct audit_count){.name = name};
	return &a->counts[a->ncounts++];
}

static void entry_free(struct audit_request *e)
{
	free(e->op);
	free(e->table);
	free(e->shard);
	free(e->key);
	free(e->code);
}

void audit_note(struct fake *f, const struct request *r, const struct reply *a, unsigned rule, bool effect)
{
	struct audit *u = &f->audit;
	struct audit_count *c = count_of(u, r);

	if (!u->ring)
		u->ring = mem_new(AUDIT_REQUESTS * sizeof(*u->ring));
	struct audit_request *e = &u->ring[u->total++ % AUDIT_REQUESTS];
	entry_free(e);
	*e = (struct audit_request){.id = r->id,
				    .virtual_ms = vclock_now_ms(&f->clock),
				    .real_ms = clock_wall_ms(),
				    .service = r->service,
				    .op = mem_dup(r->op),
				    .table = mem_dup(r->table),
				    .shard = mem_dup(r->shard),
				    .key = mem_dup(r->key),
				    .code = mem_dup(a->code),
				    .iterator_type = r->iterator_type,
				    .status = a->status,
				    .rule = rule,
				    .records = r->records,
				    .effect = effect};
	c->n++;
	c->errors += a->status >= 400;
	c->faults += rule != 0;
}

void audit_wrote(struct fake *f, const struct s3_version *v, const char *bucket, const char *key)
{
	struct audit *u = &f->audit;

	mem_reserve(&u->writes, &u->writes_cap, u->nwrites + 1, sizeof(*u->writes));
	u->writes[u->nwrites++] = (struct audit_write){
		.request = v->request,
		.virtual_ms = vclock_now_ms(&f->clock),
		.real_ms = clock_wall_ms(),
		.version = v,
		.bucket = bucket,
		.key = key,
	};
}

void audit_reset(struct audit *a)
{
	for (size_t i = 0; a->ring && i < AUDIT_REQUESTS; i++) {
		entry_free(&a->ring[i]);
		a->ring[i] = (struct audit_request){0};
	}
	a->total = 0;
	for (size_t i = 0; i < a->ncounts; i++)
		free(a->counts[i].name);
	a->ncounts = 0;
}

static int64_t parameter(const struct request *r, const char *name, int64_t otherwise)
{
	const char *s = request_query(r, name);
	return s ? strtoll(s, NULL, 10) : otherwise;
}

static bool is_asked(const struct request *r, const char *name, const char *value)
{
	const char *s = request_query(r, name);
	return !s || strcmp(s, value) == 0;
}

/* ?op=, table=, shard=, from= (request id), limit= */
static void answer_requests(const struct fake *f, const struct request *r, struct reply *a)
{
	const struct audit *u = &f->audit;
	json_t *all = json_array();
	uint64_t from = u->total > AUDIT_REQUESTS ? u->total - AUDIT_REQUESTS : 0;
	size_t limit = (size_t)parameter(r, "limit", PAGE);

	for (uint64_t i = from; i < u->total && json_array_size(all) < limit; i++) {
		const struct audit_request *e = &u->ring[i % AUDIT_REQUESTS];
		if ((int64_t)e->id < parameter(r, "from", 0) || !is_asked(r, "op", e->op) ||
		    !is_asked(r, "table", e->table) || !is_asked(r, "shard", e->shard))
			continue;
		json_array_append_new(
			all, json_pack("{s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s?, s:i, s:s, s:i, s:I, s:b}", "id",
				       (json_int_t)e->id, "virtual_ms", (json_int_t)e->virtual_ms, "real_ms",
				       (json_int_t)e->real_ms, "service", service_name(e->service), "op", e->op,
				       "table", e->table, "shard", e->shard, "key", e->key, "iterator",
				       e->iterator_type, "status", e->status, "code", e->code, "rule", (int)e->rule,
				       "records", (json_int_t)e->records, "effect", e->effect));
	}
	ddb_json(a, json_pack("{s:I, s:o}", "total", (json_int_t)u->total, "requests", all));
}

static void answer_counts(const struct fake *f, struct reply *a)
{
	json_t *all = json_object();

	for (size_t i = 0; i < f->audit.ncounts; i++) {
		const struct audit_count *c = &f->audit.counts[i];
		json_object_set_new(all, c->name,
				    json_pack("{s:I, s:I, s:I}", "n", (json_int_t)c->n, "errors", (json_int_t)c->errors,
					      "faults", (json_int_t)c->faults));
	}
	ddb_json(a, all);
}

static json_t *write_json(const struct audit_write *w, size_t number)
{
	json_t *meta = json_object();

	for (size_t i = 0; i < w->version->meta.n; i++)
		json_object_set_new(meta, w->version->meta.at[i].name, json_string(w->version->meta.at[i].value));
	return json_pack("{s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:b, s:s, s:I, s:o}", "number", (json_int_t)number,
			 "request", (json_int_t)w->request, "virtual_ms", (json_int_t)w->virtual_ms, "real_ms",
			 (json_int_t)w->real_ms, "bucket", w->bucket, "key", w->key, "version", w->version->id,
			 "marker", w->version->marker, "sha256", w->version->sha256, "bytes",
			 (json_int_t)w->version->len, "meta", meta);
}

/* ?bucket=, key=, prefix=, from= (number), limit= */
static void answer_writes(const struct fake *f, const struct request *r, struct reply *a)
{
	const struct audit *u = &f->audit;
	const char *prefix = request_query(r, "prefix");
	json_t *all = json_array();

	for (size_t i = (size_t)parameter(r, "from", 0); i < u->nwrites; i++) {
		const struct audit_write *w = &u->writes[i];
		if ((int64_t)json_array_size(all) == parameter(r, "limit", PAGE))
			break;
		if (is_asked(r, "bucket", w->bucket) && is_asked(r, "key", w->key) &&
		    (!prefix || strncmp(w->key, prefix, strlen(prefix)) == 0))
			json_array_append_new(all, write_json(w, i));
	}
	ddb_json(a, json_pack("{s:I, s:o}", "total", (json_int_t)u->nwrites, "writes", all));
}

static json_t *record_json(const struct record *r)
{
	return json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:b, s:b}", "seq", r->seq, "event", event_name(r->event),
			 "time_ms", (json_int_t)r->time_ms, "shard", r->shard->id, "stream", r->shard->stream->label,
			 "keys", r->item->keys_text, "trimmed", r->trimmed, "ttl", r->ttl);
}

/* ?table=: every record, item by item, in order. */
static void answer_records(struct fake *f, const struct request *r, struct reply *a)
{
	const char *name = request_query(r, "table");
	const struct table *t = name ? model_table(f, name) : NULL;
	json_t *all = json_array();

	for (size_t i = 0; t && i < t->nitems; i++)
		for (const struct record *x = t->list[i]->first; x; x = x->next)
			json_array_append_new(all, record_json(x));
	ddb_json(a, json_pack("{s:o}", "records", all));
}

/* ?table=, after= (sequence number): the items as they were when that record had been made; without it, as they are. */
static void answer_items(struct fake *f, const struct request *r, struct reply *a)
{
	const char *name = request_query(r, "table"), *after = request_query(r, "after");
	const struct table *t = name ? model_table(f, name) : NULL;
	json_t *all = json_array();

	for (size_t i = 0; t && i < t->nitems; i++) {
		const struct image *now = after ? NULL : t->list[i]->now;
		for (const struct record *x = t->list[i]->first; after && x; x = x->next)
			if (model_compare_seq(x->seq, after) <= 0)
				now = x->event == EVENT_REMOVE ? NULL : x->new_image;
		if (now)
			json_array_append_new(all, json_loads(now->text, 0, NULL));
	}
	ddb_json(a, json_pack("{s:o}", "items", all));
}

bool audit_answer(struct fake *f, const struct request *r, struct reply *a)
{
	if (strcmp(r->path, "/_audit/requests") == 0)
		answer_requests(f, r, a);
	else if (strcmp(r->path, "/_audit/counts") == 0)
		answer_counts(f, a);
	else if (strcmp(r->path, "/_audit/writes") == 0)
		answer_writes(f, r, a);
	else if (strcmp(r->path, "/_audit/uploads") == 0)
		ddb_json(a, json_pack("{s:o}", "uploads", s3_uploads_json(f)));
	else if (strcmp(r->path, "/_audit/records") == 0)
		answer_records(f, r, a);
	else if (strcmp(r->path, "/_audit/items") == 0)
		answer_items(f, r, a);
	else
		return false;
	return true;
}
