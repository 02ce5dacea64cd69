/* deep_private: what deep.c and deep_judge.c share. */
#ifndef DDB_CLI_DEEP_PRIVATE_H
#define DDB_CLI_DEEP_PRIVATE_H

#include "deep.h"
#include "item.h"

/* What is found out of one item. */
struct deep_report {
	struct deep_problem problems[DEEP_PROBLEMS_MAX];
	size_t n;
};

void deep_note(struct deep_report *r, enum finding_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * Pure: the order of an item's versions, markers beside deletes objects, holes, and what a restore gives. All facts are
 * filled in; gone ones do not count.
 */
void deep_judge(const struct item *it, int64_t since_ms, bool gaps, bool folders, struct deep_report *r);
/* Was the entry stored after the backup began, as far as two clocks tell? */
bool deep_is_ours(const struct item_entry *e, int64_t since_ms);

#endif
