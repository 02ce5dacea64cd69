/* What the files of export share: export.c, and export_resume.c, which goes on with what another run has left. */
#ifndef DDB_CLI_EXPORT_PRIVATE_H
#define DDB_CLI_EXPORT_PRIVATE_H

#include "export.h"
#include "export_data.h"

struct export
{
	struct export_options o;
	uv_loop_t *loop;
	struct export_place *place;
	char id[EXPORT_ID_SIZE];
	char *folder;	/* "AWSDynamoDB/<id>/"; NULL with `one` */
	char *data;	/* "AWSDynamoDB/<id>/data/"; NULL with `one` */
	char *one;	/* EXPORT_REPLICATOR: the name of the file */
	char *manifest; /* for messages */
	char *prefix;	/* of data files */
	struct export_data files;
	uint64_t cut_bytes, kept_bytes; /* of lines: at the last cut, and before what is kept */
	size_t nput;			/* of small_files, that may be there */
	bool resumed;			/* goes on with what another run has left */
	bool claimed;			/* there may be something to take away */
	bool finished;
};

/* As asprintf; NULL without memory. */
char *export_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The i-th of EXPORT_SMALL_FILES; NULL without memory. */
char *export_small_name(const struct export *x, size_t i);
/* Removes the folders of the export, as far as they are empty. */
void export_remove_folders(struct export *x);

/* --- export_resume.c --- */

/* What a keeper gets: a new reference, NULL without memory. */
json_t *export_state(const struct export *x);
/* Takes id and time of the beginning out of x->o.resume. */
void export_resume_names(struct export *x);
/* Takes over the files that are kept; with `discard` none. Removes what else that run has left. 0 or a negative error. */
int export_resume_files(struct export *x, bool discard, struct err *e);
/*
 * Are the whole files there as they were? What else lies in their folder goes away: an import takes all for data. 0 or a
 * negative error; nothing was touched then, as far as it could be.
 */
int export_resume_look(const struct export *x, struct err *e);

#endif
