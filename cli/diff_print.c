#include "diff_print.h"

#include <stdio.h>
#include <stdlib.h>

#include "change_print.h"
#include "change_show.h"
#include "codec/primary.h"

#define INDENT "    "
#define LINE_MAX_BYTES ((size_t)1 << 20)

void diff_rows_init(struct diff_rows *r)
{
	buf_init(&r->key, LINE_MAX_BYTES);
	buf_init(&r->line, LINE_MAX_BYTES);
}

void diff_rows_fini(struct diff_rows *r)
{
	buf_fini(&r->key);
	buf_fini(&r->line);
}

bool diff_rows_want(const struct diff_rows *r)
{
	return r->json || r->detail || (!r->names_tell && r->schema->n > 0);
}

/* The item's key in r->key; false when it is not known. */
static bool find_key(struct diff_rows *r, const struct diff_row *row)
{
	struct span image = row->new.len > 0 ? row->new : row->old;
	buf_reset(&r->key);
	return r->schema->n > 0 && image.len > 0 &&
	       primary_key(image, r->schema->names[0], r->schema->names[1], &r->key, NULL) == 0;
}

static struct span key_of(const struct diff_rows *r)
{
	return (struct span){buf_str(&r->key), r->key.len};
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_SYSTEM, "out of memory");
}

/* --- text --- */

static int print_text(struct diff_rows *r, const struct diff_row *row, struct err *e)
{
	buf_reset(&r->line);
	int rc = change_show_text(&r->line, row->object);
	if (rc == 0 && !r->names_tell && find_key(r, row)) {
		rc = buf_append_str(&r->line, "  ");
		if (rc == 0)
			rc = change_show_map(&r->line, key_of(r));
	}
	if (rc < 0)
		return no_memory(e);
	printf("%c %s\n", !row->before ? 'A' : !row->after ? 'D' : 'M', buf_str(&r->line));
	return r->detail ? change_print_text(stdout, row->old, row->new, INDENT, r->columns, e) : 0;
}

/* --- JSON --- */

static void put_image(const char *name, struct span image)
{
	printf(",\"%s\":", name);
	if (image.len > 0)
		fwrite(image.ptr, 1, image.len, stdout);
	else
		fputs("null", stdout);
}

static int print_json(struct diff_rows *r, const struct diff_row *row, struct err *e)
{
	json_t *object = json_sprintf("%s%.*s", r->folder, (int)row->object.len, row->object.ptr);
	char *name = object != NULL ? json_dumps(object, JSON_ENCODE_ANY) : NULL;
	bool known = find_key(r, row);
	int rc = 0;
	json_decref(object);
	printf("{\"key\":%s,\"object\":%s,\"change\":\"%s\"", known ? buf_str(&r->key) : "null",
	       name != NULL ? name : "null",
	       !row->before  ? "INSERT"
	       : !row->after ? "REMOVE"
			     : "MODIFY");
	free(name);
	put_image("old", row->old);
	put_image("new", row->new);
	if (r->detail) {
		fputs(",\"diff\":", stdout);
		rc = change_print_json(stdout, row->old, row->new, e);
	}
	puts("}");
	return rc;
}

int diff_row_print(struct diff_rows *r, const struct diff_row *row, struct err *e)
{
	int rc = r->json ? print_json(r, row, e) : print_text(r, row, e);
	if (!row->before)
		r->added++;
	else if (!row->after)
		r->removed++;
	else
		r->changed++;
	if (rc == 0 && ferror(stdout))
		rc = err_set(e, ERR_SYSTEM, "standard output cannot be written");
	return rc;
}
