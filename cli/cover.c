#include "cover.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli.h"
#include "codec/s3xml.h"
#include "watermark.h"

static bool is_latest(const char *text)
{
	return strcmp(text, "latest") == 0;
}

int cover_parse(const char *option, const char *text, int64_t *at_ms)
{
	if (is_latest(text) || when_parse(text, clock_wall_ms(), at_ms))
		return 0;
	return cli_usage("%s %s: allowed are " COVER_ALLOWED, option, text);
}

/* `w` is NULL when there is no watermark.json. */
static int judge(const struct session *s, const struct options *o, const struct watermark *w, int64_t at_ms)
{
	char why[300], iso[CLOCK_ISO_SIZE];
	if (w != NULL && watermark_covers(w, at_ms, why, sizeof(why)))
		return 0;
	if (w == NULL)
		snprintf(why, sizeof(why), "there is no %swatermark.json to tell what is complete", s->meta_path);
	clock_iso(iso, at_ms);
	if (o->force) {
		cli_say("warning: table %s at %s may lack changes: %s", o->table, iso, why);
		return 0;
	}
	/* Before the end of its first baseline no time is better than another. */
	bool none = w != NULL && w->baseline.present && w->baseline.since_ms == CLOCK_UNKNOWN;
	cli_say("table %s at %s is not known for certain: %s; %s, or give --force", o->table, iso, why,
		none ? "wait for its end (ddb-streamctl tables tells how far it is)"
		     : "take another time (latest is the last that is complete)");
	return EX_DATAERR;
}

static int on_version(void *arg, const struct s3xml_version *v)
{
	(void)v;
	*(bool *)arg = true;
	return 0;
}

/* 1: there is some object below `folder`; 0: none; or an error. */
static int has_objects(struct session *s, const char *folder, struct err *e)
{
	const struct s3_list first = {.prefix = span_of(folder), .max_keys = 1};
	struct s3xml_page page = {0};
	struct span body;
	bool any = false;
	buf_init(&page.next_key_marker, 1024);
	buf_init(&page.next_version_marker, 1024);
	int rc = session_list(s, &first, &body, e);
	if (rc == 0)
		rc = s3xml_versions(body, on_version, &any, &page, e);
	buf_fini(&page.next_key_marker);
	buf_fini(&page.next_version_marker);
	/* A store may give an empty page that is not the last one. */
	return rc < 0 ? rc : any || page.truncated;
}

/* Without a watermark.json a table whose name was mistyped looks like one that was empty. 0, or the exit code. */
static int look_for_objects(struct session *s, const struct options *o)
{
	struct err e;
	int rc = has_objects(s, s->data_path, &e);
	if (rc == 0)
		rc = has_objects(s, s->meta_path, &e);
	if (rc < 0)
		return cli_fail(&e);
	if (rc > 0)
		return 0;
	cli_say("bucket %s has nothing of table %s: no object below %s or %s", s->conf->bucket, o->table, s->data_path,
		s->meta_path);
	return EX_NOINPUT;
}

int cover_check(struct session *s, const struct options *o, const char *option, const char *text, int64_t *at_ms)
{
	struct watermark w;
	struct err e;
	bool exists;
	int code;
	if (watermark_load(s, s->meta_path, &w, &exists, &e) < 0)
		return cli_fail(&e);
	if (is_latest(text) && exists)
		*at_ms = w.complete_ms;
	if (is_latest(text) && (!exists || w.complete_ms == CLOCK_UNKNOWN)) {
		cli_say("%s latest: nothing is known to be complete for table %s; name a time, and --force", option,
			o->table);
		code = EX_DATAERR;
	} else if (!exists && (code = look_for_objects(s, o)) != 0) {
		return code;
	} else {
		code = judge(s, o, exists ? &w : NULL, *at_ms);
	}
	if (exists)
		watermark_fini(&w);
	return code;
}
