/* baseline_run: what the files of the baseline share. See baseline.h. */
#ifndef DDB_BASELINE_RUN_H
#define DDB_BASELINE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "aws/aws.h"
#include "aws/items.h"
#include "aws/s3.h"
#include "base/buf.h"
#include "base/etagset.h"
#include "base/map.h"
#include "base/rate.h"
#include "baseline.h"
#include "batch.h"

/* Records of the stream that are remembered while reads are in flight. */
#define BASELINE_ARRIVALS 32768
#define BASELINE_WINDOW 1000 /* names of one page of a listing */
#define BASELINE_ANSWER_BYTES ((size_t)2 << 20)

/* Items that were read at one moment and differ from what the bucket lists. They wait until the stream has passed that moment. */
struct baseline_page {
	TAILQ_ENTRY(baseline_page) link; /* of its segment, in the order of reading */
	TAILQ_ENTRY(baseline_page) wait; /* of the baseline, in the order of reading */
	struct baseline *baseline;
	struct baseline_segment *segment; /* NULL: of the names that only the bucket has */
	struct batch batch;		  /* its records are the items; shard NULL */
	char *last_key;			  /* LastEvaluatedKey; NULL: the segment ends with this page */
	int64_t asked_ms;		  /* before the read was sent: the event time of what is written */
	int64_t passed_ms;		  /* the stream must have passed this */
	size_t laned;			  /* records that their lanes have */
	bool linked;			  /* it counts for memory, and is in its segment's list */
	bool waits;			  /* some of it is not settled; in the baseline's list */
	bool orphan;			  /* its run was given up */
	size_t next;			  /* the first record that was not given to its lane yet */
	size_t bytes;			  /* of memory */
	char version_id[128];		  /* of what is to be removed, "" otherwise */
	uint64_t items, equal, written, removed, left, foreign;
};

TAILQ_HEAD(baseline_pages, baseline_page);

struct baseline_segment {
	struct baseline_pages pages; /* read and not settled, oldest first */
	size_t npages;
	char *next_key; /* where the next read begins; NULL: the beginning */
	bool reading;	/* a reader has it */
	bool whole;	/* it was read to its end */
};

enum baseline_reading { BASELINE_IDLE, BASELINE_SCAN, BASELINE_OBJECT, BASELINE_ITEM };

/* One request in flight. */
struct baseline_reader {
	struct baseline *baseline;
	struct aws_op op;
	enum baseline_reading reading;
	size_t segment;
	size_t reserved_bytes;
	int64_t asked_ms;
	uint64_t arrivals;	    /* how many had come when it was sent */
	int64_t rest_until_mono_ms; /* after a failure */
	unsigned failures;
	bool resting;	 /* the request is sent again then */
	struct buf name; /* of the object */
	struct buf key;	 /* the same behind the data path */
	struct buf keys; /* of the item */
	struct buf body; /* of the object, canonical */
	struct s3_head head;
	struct span item;
};

struct baseline {
	struct table *table;
	struct position_baseline *position; /* NULL: never */
	uv_timer_t timer;
	bool running; /* the run under way holds memory and requests */
	bool stopped, closed;
	bool listed;	     /* `names` says what the bucket had when the run began, or was given up */
	bool marks_lost;     /* another process has scanned a part: not all names that it saw are marked */
	bool again;	     /* something else wrote meanwhile: the run does not count */
	bool read_whole;     /* nothing is left to be read */
	int64_t complete_ms; /* what the table was complete through when last looked at */
	int64_t end_ms;	     /* the run ends when the stream has passed this */
	struct err err;	     /* of the last failure, class ERR_NONE after a success */
	struct aws_op list_op;
	bool list_open, listing;
	int64_t not_before_mono_ms; /* the next listing, or run */
	unsigned list_failures;
	struct buf list_after; /* the last name that was listed */
	struct buf list_key;   /* of the request */
	struct etagset *names; /* NULL: nothing is known of what the bucket has */
	uint64_t nnames;
	struct baseline_reader *readers;
	size_t nreaders, closing;
	struct baseline_segment segments[BASELINE_SEGMENTS_MAX];
	struct rate rate;
	double units_per_item; /* as the last page told */
	unsigned limit;	       /* items asked for, when an answer did not fit; 0: none */
	size_t used_bytes, limit_bytes;
	size_t share_bytes;    /* what each table's reading gave up for it */
	int64_t moved_mono_ms; /* when it last came further */
	struct baseline_pages waiting;
	struct baseline_pages orphans; /* of a run that was given up; lanes have records of them still */
	struct buf scratch;
	struct map candidates; /* records that wait, by item */
	size_t writing;	       /* records that their lanes have */
	uint8_t (*arrived)[16];
	uint64_t arrivals;
	/* names that only the bucket has: one page of its listing */
	char **window;
	size_t nwindow, next_window, open_window; /* pages and reads of it */
	bool window_taken, window_last;
	bool removed_whole;
};

/* --- baseline.c --- */
/* Something has changed: whatever can be done next is begun. */
void baseline_go_on(struct baseline *b);
/* A request failed: shown, and told in the log when it is new. */
void baseline_trouble(struct baseline *b, const struct err *e, const char *what);
void baseline_well(struct baseline *b);
/* The run came further: it is saved. */
void baseline_moved(struct baseline *b);
/* When a failed request may be sent again. */
int64_t baseline_rest_until(struct baseline *b, const struct err *e, unsigned failures);

/* --- baseline_list.c --- */
/* Lists the bucket into `names`, from its beginning; then b->listed. */
void baseline_list(struct baseline *b);
/* Lists the next page of names for baseline_remove.c. */
void baseline_list_window(struct baseline *b);
/* `names` failed: the run goes on without it. */
void baseline_list_give_up(struct baseline *b, const struct err *e);

/* --- baseline_scan.c --- */
/* Begins as many reads as may be. */
void baseline_scan(struct baseline *b);
/* A page of the segment was settled: what it has come through in order is saved. */
void baseline_scan_settled(struct baseline *b, struct baseline_segment *s);
/* Everything was read and settled. */
bool baseline_scan_is_done(const struct baseline *b);

/* --- baseline_remove.c --- */
void baseline_remove(struct baseline *b);
bool baseline_remove_is_done(const struct baseline *b);
void baseline_window_free(struct baseline *b);
/* A page of names was listed; takes `names`. */
void baseline_window_take(struct baseline *b, char **names, size_t n, bool last);
/* A page of it is settled. */
void baseline_window_settled(struct baseline *b, const struct baseline_page *p);

/* --- baseline_page.c --- */
struct baseline_page *baseline_page_new(struct baseline *b, struct baseline_segment *s, int64_t asked_ms,
					size_t max_bytes);
/* Out of all lists. No lane may have a record of it. */
void baseline_page_free(struct baseline_page *p);
/* The run is given up: frees it, or leaves that to the last record that its lane has. */
void baseline_page_drop(struct baseline_page *p);
/* Adds an item that is to be put, or with `remove` the image of one that is to be removed. 0, -ERR_SYSTEM or -ERR_LIMIT. */
int baseline_page_add(struct baseline_page *p, struct span keys, struct span image, bool remove, bool ask);
/*
 * The page is filled: its items wait, but for those that the stream has told of since `arrivals`. False when too much has come since
 * then to know; then it is the caller's still, and must be read again.
 */
bool baseline_page_wait(struct baseline_page *p, uint64_t arrivals);
/* Gives to their lanes what has waited long enough. */
void baseline_page_offer(struct baseline *b);
/* A candidate is settled. */
void baseline_page_settle(struct record *r);
/* Page of a record. */
struct baseline_page *baseline_page_of(const struct record *r);

#endif
