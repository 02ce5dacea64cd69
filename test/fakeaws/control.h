/* control: POST /_control with {"do": COMMAND, ...}. The commands are in DESIGN. */
#ifndef FAKEAWS_CONTROL_H
#define FAKEAWS_CONTROL_H

#include <jansson.h>

#include "request.h"

struct fake;

/* 200 with what the command says, or 400 with {"error": "..."}. */
void control_answer(struct fake *f, const struct request *r, struct reply *a);

/* A command: what it answers, or NULL with *wrong (malloc'd). `c` is the request. */
typedef json_t *control_fn(struct fake *f, const json_t *c, char **wrong);

/* control_stream.c */
control_fn control_split, control_rotate, control_merge, control_child, control_shard, control_shards, control_trim,
	control_stream, control_record, control_write, control_ttl_delete;

/* control_s3.c */
control_fn control_s3, control_version, control_expire, control_change, control_swap;

/* Members of a command. */
const char *control_text(const json_t *c, const char *name); /* "" when it is not there */
int64_t control_number(const json_t *c, const char *name, int64_t otherwise);
struct table *control_table(struct fake *f, const json_t *c, char **wrong);

#endif
