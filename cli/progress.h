/* progress: how far a run has come, on standard error: twice a second on a terminal, else one line a minute. */
#ifndef DDB_CLI_PROGRESS_H
#define DDB_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct progress {
	uv_timer_t timer;
	bool started, terminal, drawn;
	int64_t began_mono_ms;
	uint64_t items, bytes, seen; /* written, and looked at */
	uint64_t before;	     /* of `items`, what a run before this one did */
	uint64_t expected;	     /* about how many `items` there will be; 0: not known */
	bool by_keys;		     /* `expected` is about `seen`, for not every key is written */
	char line[300];		     /* shown instead of these; "": they are */
};

void progress_start(struct progress *p, uv_loop_t *loop);
/* Takes the line off a terminal, so that a message can be written. */
void progress_clear(struct progress *p);
/* Ends it with one line: "WHAT: 12 items, 3.4 MiB in 5.6 s". Run the loop once more. NULL: without the line. */
void progress_end(struct progress *p, const char *what);

#define PROGRESS_TEXT_SIZE 200
/* The line after so many milliseconds: "12 items of 15 keys, 3.4 MiB, 6 items/s, about 2m10s left". Returns `out`. */
const char *progress_text(char out[static PROGRESS_TEXT_SIZE], const struct progress *p, int64_t elapsed_ms);

#define PROGRESS_AMOUNT_SIZE 32
/* "3.4 MiB". Returns `out`. */
const char *progress_amount(char out[static PROGRESS_AMOUNT_SIZE], uint64_t bytes);

#endif
