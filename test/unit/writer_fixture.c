#include "writer_fixture.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws_fixture.h"

/* --- the table --- */

static void parse_write(struct writer_fixture_request *r, const json_t *item, bool remove)
{
	const char *id = json_string_value(json_object_get(json_object_get(item, "id"), "S"));
	assert_non_null(id);
	assert_in_range(r->n, 0, ITEMS_BATCH_MAX - 1);
	r->removes[r->n] = remove;
	/* Large values: the number, then filling. */
	r->ids[r->n++] = strtoul(id, NULL, 10);
}

static struct writer_fixture_request parse(const struct httpd_request *q)
{
	struct writer_fixture_request r = {.body_len = q->body_len};
	json_t *root = json_loadb(q->body, q->body_len, 0, NULL), *list, *one;
	size_t i;
	assert_non_null(root);
	if (strstr(q->head, "DynamoDB_20120810.BatchWriteItem")) {
		list = json_object_get(json_object_get(root, "RequestItems"), "orders");
		assert_true(json_is_array(list));
		json_array_foreach(list, i, one)
		{
			const json_t *put = json_object_get(json_object_get(one, "PutRequest"), "Item");
			const json_t *key = json_object_get(json_object_get(one, "DeleteRequest"), "Key");
			parse_write(&r, put ? put : key, !put);
		}
	} else {
		r.single = true;
		assert_string_equal(json_string_value(json_object_get(root, "TableName")), "orders");
		if (strstr(q->head, "DynamoDB_20120810.PutItem"))
			parse_write(&r, json_object_get(root, "Item"), false);
		else
			parse_write(&r, json_object_get(root, "Key"), true);
	}
	json_decref(root);
	return r;
}

void writer_fixture_over(struct writer_fixture *f, const struct writer_fixture_request *r)
{
	for (size_t i = 0; i < r->n; i++)
		f->in_flight[r->ids[i]]--;
}

/* The last `left` of the request are not processed. */
void writer_fixture_answer_left(struct writer_fixture *f, const struct writer_fixture_request *r, size_t left)
{
	char body[8000] = "", *p = body, *end = body + sizeof(body);
	writer_fixture_over(f, r);
	p += snprintf(p, (size_t)(end - p), "{\"UnprocessedItems\":{%s", left ? "\"orders\":[" : "");
	for (size_t i = 0; i < r->n; i++) {
		if (i < r->n - left) {
			f->stored[r->ids[i]]++;
			continue;
		}
		p += snprintf(p, (size_t)(end - p), "%s{\"%s\":{\"%s\":{\"id\":{\"S\":\"%zu\"}}}}",
			      i > r->n - left ? "," : "", r->removes[i] ? "DeleteRequest" : "PutRequest",
			      r->removes[i] ? "Key" : "Item", r->ids[i]);
	}
	p += snprintf(p, (size_t)(end - p), "%s}", left ? "]" : "");
	if (f->units_each > 0)
		p += snprintf(p, (size_t)(end - p),
			      ",\"ConsumedCapacity\":[{\"TableName\":\"orders\",\"CapacityUnits\":%.1f}]",
			      f->units_each * (double)(r->n - left));
	snprintf(p, (size_t)(end - p), "}");
	httpd_answer(r->conn, 200, "", body);
}

void writer_fixture_answer_ok(struct writer_fixture *f, const struct writer_fixture_request *r)
{
	if (!r->single) {
		writer_fixture_answer_left(f, r, 0);
		return;
	}
	writer_fixture_over(f, r);
	f->stored[r->ids[0]]++;
	httpd_answer(r->conn, 200, "", "{}");
}

void writer_fixture_answer_error(struct writer_fixture *f, const struct writer_fixture_request *r, int status,
				 const char *type)
{
	char body[200];
	writer_fixture_over(f, r);
	snprintf(body, sizeof(body), "{\"__type\":\"com.amazonaws.dynamodb.v20120810#%s\",\"message\":\"no\"}", type);
	httpd_answer(r->conn, status, "", body);
}

static void on_request(struct httpd_conn *c, const struct httpd_request *q, void *arg)
{
	struct writer_fixture *f = arg;
	struct writer_fixture_request r = parse(q);
	r.conn = c;
	/* Never the same write twice at a time. */
	for (size_t i = 0; i < r.n; i++)
		assert_int_equal(++f->in_flight[r.ids[i]], 1);
	f->sizes[f->requests++] = r.n;
	f->script(f, &r, f->requests);
}

void writer_fixture_ok(struct writer_fixture *f, const struct writer_fixture_request *r, int number)
{
	(void)number;
	writer_fixture_answer_ok(f, r);
}

void writer_fixture_hold(struct writer_fixture *f, const struct writer_fixture_request *r, int number)
{
	(void)number;
	assert_true(f->nheld < WRITER_FIXTURE_HELD);
	f->held[f->nheld++] = *r;
}

void writer_fixture_fail(struct writer_fixture *f, const struct writer_fixture_request *r, int number)
{
	(void)number;
	writer_fixture_answer_error(f, r, 400, f->error);
}

void writer_fixture_one_by_one(struct writer_fixture *f, const struct writer_fixture_request *r, int number)
{
	(void)number;
	writer_fixture_answer_left(f, r, r->n - 1);
}

/* --- the writer --- */

static void on_prepare(uv_prepare_t *p)
{
	((struct writer_fixture *)p->data)->turns++;
}

int writer_fixture_setup(void **state)
{
	struct writer_fixture *f = calloc(1, sizeof(*f));
	struct err e;
	assert_non_null(f);
	alarm(60);
	aws_fixture_environment("AKIDEXAMPLE", "secret", NULL);
	uv_loop_init(&f->loop);
	uv_prepare_init(&f->loop, &f->prepare);
	f->prepare.data = f;
	uv_prepare_start(&f->prepare, on_prepare);
	uv_unref((uv_handle_t *)&f->prepare);
	httpd_start(&f->server, &f->loop, on_request, f);
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d", f->server.port);
	f->config = (struct config){.region = (char *)"eu-west-1", .bucket = (char *)"bkt"};
	for (int s = 0; s < CONFIG_SERVICES; s++)
		f->config.endpoints[s] = f->url;
	assert_int_equal(aws_init(&f->aws, &f->loop, &f->config, WRITER_SLOTS, &e), 0);
	f->script = writer_fixture_ok;
	*state = f;
	return 0;
}

int writer_fixture_teardown(void **state)
{
	struct writer_fixture *f = *state;
	size_t done = f->done;
	writer_free(f->w);
	aws_fini(&f->aws);
	httpd_stop(&f->server);
	uv_close((uv_handle_t *)&f->prepare, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, done);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	free(f);
	alarm(0);
	return 0;
}

void writer_fixture_start(struct writer_fixture *f, double units_per_s)
{
	struct err e;
	f->w = writer_new(&f->aws, "orders", units_per_s, &e);
	assert_non_null(f->w);
}

static void on_done(struct writer_job *j, int rc, const struct err *e)
{
	struct writer_fixture_put *p = j->arg;
	p->calls++;
	p->rc = rc;
	assert_int_equal(rc == 0, e == NULL);
	if (e) {
		p->class = e->class;
		snprintf(p->message, sizeof(p->message), "%s", e->message);
	}
	p->f->done++;
	if (p->f->done == p->f->free_after) {
		writer_free(p->f->w);
		p->f->w = NULL;
	}
}

struct writer_fixture_put *writer_fixture_add_text(struct writer_fixture *f, struct span text, bool remove)
{
	struct writer_fixture_put *p = &f->jobs[f->njobs++];
	size_t done = f->done;
	p->f = f;
	p->job = (struct writer_job){.write = {.attributes = text, .remove = remove}, .done = on_done, .arg = p};
	writer_add(f->w, &p->job);
	assert_int_equal(f->done, done);
	return p;
}

void writer_fixture_add(struct writer_fixture *f, size_t n, bool remove)
{
	for (size_t i = 0; i < n; i++) {
		struct writer_fixture_put *p = &f->jobs[f->njobs];
		snprintf(p->text, sizeof(p->text), "{\"id\":{\"S\":\"%zu\"}}", f->njobs);
		writer_fixture_add_text(f, span_of(p->text), remove);
	}
}

void writer_fixture_run(struct writer_fixture *f)
{
	while (writer_pending(f->w) > 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(f->done, f->njobs);
}

void writer_fixture_run_until_held(struct writer_fixture *f, size_t n)
{
	while (f->nheld < n)
		uv_run(&f->loop, UV_RUN_ONCE);
}

/* Jobs from `from` on: called once, with this outcome, stored or not. */
void writer_fixture_check(const struct writer_fixture *f, size_t from, size_t n, int rc)
{
	for (size_t i = from; i < from + n; i++) {
		assert_int_equal(f->jobs[i].calls, 1);
		assert_int_equal(f->jobs[i].rc, rc);
		assert_int_equal(f->jobs[i].class, -rc);
		assert_int_equal(f->stored[i], rc == 0);
	}
}
