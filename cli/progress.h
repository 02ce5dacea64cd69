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
	char line[300];		     /* shown instead of these; "": they are */
};

void progress_start(struct progress *p, uv_loop_t *loop);
/* Takes the line off a terminal, so that a message can be written. */
void progress_clear(struct progress *p);
/* Ends it with one line: "WHAT: 12 items, 3.4 MiB in 5.6 s". Run the loop once more. NULL: without the line. */
void progress_end(struct progress *p, const char *what);

#define PROGRESS_AMOUNT_SIZE 32
/* "3.4 MiB". Returns `out`. */
const char *progress_amount(char out[static PROGRESS_AMOUNT_SIZE], uint64_t bytes);

#endif
