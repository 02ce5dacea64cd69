/*
 * table: one DynamoDB table and its backup: its streams, its position, its share of memory, its figures.
 *
 *     checking --> running          the start-up checks passed; discovery goes on for ever
 *        ^ |
 *        | v
 *      refused                      an operator must do something; looked at again every minute
 *
 * Files: table.c (its parts), table_check.c (start-up checks), table_discover.c (streams and shards), table_schema.c
 * (table.json), table_save.c (checkpoint and watermark), table_gap.c (holes in the history), table_view.c (what is shown).
 */
#ifndef DDB_TABLE_H
#define DDB_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "aws/aws.h"
#include "aws/s3.h"
#include "aws/streams.h"
#include "aws/table.h"
#include "base/config.h"
#include "base/err.h"
#include "baseline.h"
#include "checkpoint.h"
#include "codec/itemkey.h"
#include "lane.h"
#include "position.h"
#include "reader.h"
#include "stream.h"
#include "view.h"

struct daemon;

#define TABLE_GAPS_KEPT 100
/* What an answer of checks and discovery may be long: 100 shards are some 30 KB, the description of a table a few hundred. */
#define TABLE_ANSWER_MAX ((size_t)4 << 20)
#define TABLE_WATERMARK_MAX ((size_t)64 << 20) /* of a table with very many shards */

/* What the last look at gaps-accepted.json found. */
enum table_word { TABLE_WORD_NONE, TABLE_WORD_GOOD, TABLE_WORD_AHEAD, TABLE_WORD_DAMAGED };

/* What table_discover.c is doing. */
struct table_discovery {
	struct streams_description page;
	struct streams_list list; /* of the pages so far */
	struct streams_list list_page;
	struct streams_shard *shards; /* of the pages so far */
	size_t nshards;
	char *cursor;	       /* where the next page begins; NULL: the first */
	char *cursor_mark;     /* an earlier one: a cursor that comes again would be followed for ever */
	size_t pages;	       /* with a cursor */
	struct stream *stream; /* being described */
	char *parent;	       /* shard whose children are looked for; NULL: a whole sweep */
	int64_t began_ms;
	unsigned failures;
	unsigned fruitless; /* looks in a row that found no child of a finished shard */
	bool busy, again;
	bool ordered; /* the streams are known and in order */
	uv_timer_t timer;
};

/* What is asked for table.json beside DescribeTable. */
enum table_setting { TABLE_TTL, TABLE_TAGS, TABLE_SCALING, TABLE_SETTINGS };

/* What table_schema.c is doing. */
struct table_schema {
	struct aws_op op;
	char *key;	 /* of table.json */
	json_t *written; /* as it is in the bucket; NULL: it is not there, or damaged, or was not looked at */
	json_t *being_put;
	struct buf body; /* of that */
	struct s3_head head;
	json_t *ttl, *tags, *targets, *policies; /* as of the last answers; NULL: there was none */
	json_t *fresh, *fresh_targets;		 /* being read */
	json_t *resources;			 /* names of the table and its indexes, for auto scaling */
	size_t resource;			 /* which of them is asked about */
	struct json_page page;
	unsigned pages; /* of that list so far */
	bool looked, busy;
	bool said[TABLE_SETTINGS]; /* that it cannot be read */
	bool said_put;		   /* that it cannot be written */
	int64_t due_mono_ms;	   /* these settings are asked for again */
	void (*next)(struct table *t, int rc);
};

struct table_saving {
	struct checkpoint_saver saver;
	char *checkpoint_path;
	struct aws_op op; /* of the watermark */
	char *watermark_key;
	struct buf watermark;	 /* being put */
	int64_t horizon_ms;	 /* durable: see checkpoint.h; CLOCK_UNKNOWN before the first save */
	int64_t horizon_next_ms; /* of the save in flight */
	int64_t horizon_want_ms; /* a record waits for this */
	int64_t saved_ms, saved_mono_ms;
	int64_t watermark_ms, watermark_mono_ms;
	uint64_t errors;
	unsigned watermark_failures;
	bool enabled;		     /* the streams are known: what is saved from now on is the whole position */
	bool dirty;		     /* the position moved since the save in flight or done began */
	bool putting;		     /* the watermark is on its way */
	bool final_saved, final_put; /* at a stop */
	struct err err;		     /* of the last save; class ERR_NONE when it worked */
	struct err watermark_err;
	char problem[512];
};

struct table {
	struct daemon *daemon;
	const struct config_table *conf;
	enum view_table_state state;
	bool gone;	    /* DescribeTable no longer knows it */
	bool settled;	    /* checked once, for better or worse */
	struct err problem; /* class ERR_NONE: none */
	int problem_exit;   /* exit code that goes with it */
	unsigned check_failures;
	unsigned watermark_damaged; /* answers with it that could not be read */
	char *data_path, *meta_path, *deletes_path;
	struct itemkey_schema schema;
	uint64_t salt;
	struct table_description about; /* as of the last DescribeTable that worked */
	struct table_description fresh; /* being described */
	struct table_schema json;
	struct aws_op op; /* of checks and discovery */
	char *key;	  /* S3 key of the request in flight */
	struct s3_head head;
	uv_timer_t check_timer;
	struct table_discovery discovery;
	struct table_saving saving;
	struct position *restored;  /* what a checkpoint or watermark knew, until the streams took it over */
	int64_t complete_before_ms; /* as it knew it */
	int64_t since_ms;
	int64_t ask_until_ms; /* S3 is asked about records with an event time up to this; CLOCK_UNKNOWN: about none */
	bool questions_over;  /* whatever the last run may have written has been read again */
	struct stream_list streams;
	struct stream *active; /* the oldest that is not drained */
	struct lane_group lanes;
	struct reader_queue reads;
	struct position_gap *gaps; /* the newest TABLE_GAPS_KEPT */
	size_t ngaps;
	uint64_t gap_count;
	struct drill *drill;
	struct baseline *baseline;
	void (*after_gaps)(struct table *t, int rc);
	void (*after_request)(struct table *t, int rc);
	int64_t request_mono_ms; /* of the last look at baseline-request.json */
	bool request_unseen, request_damaged;
	enum table_word word;
	bool word_unseen; /* the last look for it failed */
	/* figures since start */
	uint64_t records[RECORDS_OPS], records_ttl, records_skipped, records_read, bytes_read, retries, read_errors;
	int64_t last_durable_event_ms;
	size_t in_flight, stuck;
	struct err stuck_err;
};

/* Loads the checkpoint. -ERR_CORRUPT when it is refused. `share_bytes` of memory_limit are its own. */
int table_init(struct table *t, struct daemon *d, const struct config_table *conf, size_t share_bytes, struct err *e);
/* Handles close on the loop's next turns; nothing may be in flight. */
void table_close(struct table *t);
/* After they have. */
void table_fini(struct table *t);

/* table_check.c: starts the checks; the table goes on by itself from there. */
void table_check(struct table *t);
/* A check failed for good: the table is refused with `exit_code`, and looked at again every minute. */
void table_refuse(struct table *t, int exit_code, const struct err *e);

/* table_discover.c */
void table_discover_init(struct table *t);
/* The first discovery: streams in order, their shards; then every discovery_interval. */
void table_discover(struct table *t);
/* Shards have ended or gone missing: look now rather than later. */
void table_sweep_soon(struct table *t);
void table_discover_stop(struct table *t);
void table_discover_fini(struct table *t);

/* table_schema.c: table.json of the bucket follows what the table is. */
int table_schema_init(struct table *t, struct err *e);
/*
 * At start: `next` follows when table.json is right, or only auto scaling is still to be asked for; with the error of the
 * bucket (in json.op.err), or -ERR_CANCELLED.
 */
void table_schema_look(struct table *t, void (*next)(struct table *t, int rc));
/* DescribeTable answered again. What comes of it holds nobody up. */
void table_schema_described(struct table *t);
void table_schema_stop(struct table *t);
void table_schema_fini(struct table *t);

/* table_save.c */
int table_save_init(struct table *t, struct err *e);
void table_save_close(struct table *t);
void table_save_fini(struct table *t);
/* The streams are known: positions are saved from now on. */
void table_save_enable(struct table *t);
/* The watermark says something new: it is put at the next occasion. */
void table_save_watermark_soon(struct table *t);
/* The durable position moved. */
void table_moved(struct table *t);
/* Once a second: saves what is due. */
void table_save_due(struct table *t, int64_t mono_ms);
/* May a record of this event time be written now? If not, the horizon is being saved and the table's lanes are blocked. */
bool table_may_write(struct table *t, int64_t event_ms);
/* Should S3 be asked whether it has the record already? */
bool table_must_ask(const struct table *t, int64_t event_ms);
/* At the stop: the last save and watermark. True when both are done (or cannot be). */
bool table_save_final(struct table *t, bool clean);
/* The position as the watermark tells it, appended to `out`. */
int table_watermark_encode(struct table *t, struct buf *out, struct err *e);

/*
 * A hole in the history since `from_ms` (CLOCK_UNKNOWN: since what the table was complete through): counted, logged, in the
 * checkpoint and the watermark (I5). One that has times in common with an open gap becomes part of that.
 *
 * Of records that a stream no longer has. `stream` (its label) and `shard` may be NULL.
 */
void table_gap_trimmed(struct table *t, const char *stream, const char *shard, const char *reason, int64_t from_ms);
/* Of changes that no stream ever had: they were made before the one of this label was turned on. */
void table_gap_recreated(struct table *t, const char *stream, const char *reason, int64_t from_ms);
/* Reading goes on behind trimmed records: what has grown too old since the gap was noted belongs to it, too. */
void table_gap_passed(struct table *t, int64_t from_ms);
/* May records after `complete_ms` have been trimmed already? Streams keep them for 24 hours. */
bool table_gap_overdue(const struct table *t, int64_t complete_ms);
/* A gap that a checkpoint tells of. */
void table_gap_restore(struct table *t, const struct position_gap *g);
size_t table_gaps_open(const struct table *t);
/* A baseline ended that began at `began_ms`: what was noticed before is mended. */
void table_gap_mended(struct table *t, int64_t began_ms);
/* Looks in the bucket whether an operator has accepted open gaps; `next` follows, with -ERR_CANCELLED at a stop. Uses the table's op. */
void table_gap_look(struct table *t, void (*next)(struct table *t, int rc));
void table_gap_fini(struct table *t);
/*
 * baseline_request.c: looks in the bucket, once a discovery_interval, whether an operator has asked for a baseline; then `next`, as
 * table_gap_look does.
 */
void table_request_look(struct table *t, void (*next)(struct table *t, int rc));
/* DescribeTable answered: `fresh` takes the place of `about`. */
void table_described(struct table *t);
/* Memory is short: frees payloads of durable records that sit between open ones. */
void table_compact(struct table *t);
/* Every change up to this event time is in S3; CLOCK_UNKNOWN. */
int64_t table_complete_ms(const struct table *t);
/* Now by DynamoDB's clock, as far as the Date headers of its answers tell: event times are compared with it. */
int64_t table_now_ms(const struct table *t);
/* Nothing of it is beyond its durable position: a restart needs not ask S3. */
bool table_clean(const struct table *t);
/* table_view.c */
void table_view(const struct table *t, struct view_table *v);

/* "<meta path>NAME", malloc'd, NULL without memory. */
char *table_meta_key(const struct table *t, const char *name);

#endif
