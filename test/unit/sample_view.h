/* sample_view: a daemon with two healthy tables, for the tests of what shows it. */
#ifndef DDB_SAMPLE_VIEW_H
#define DDB_SAMPLE_VIEW_H

#include "view.h"

#define SAMPLE_NOW_MS INT64_C(1795437635195) /* 2026-11-23T12:40:35.195Z */

struct sample_view {
	struct view view;
	struct view_table tables[2];
};

/* "orders", 2.1 s behind with an rpo of 30 min, and "users", 0.4 s behind; each number is a different one. */
void sample_view_init(struct sample_view *s);

#endif
