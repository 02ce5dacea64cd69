/*
 * export_data: items become data files: lines from a pool in random order, spread over several files that fill at a time,
 * compressed on other threads, stored in a place. When so many bytes of lines have come, the pool is emptied and all files
 * end: that is a cut. What was added before it is in the files before it, and they have nothing else.
 *
 * Which line goes where is decided by the seed and the order of the items alone, never by how fast a server answers.
 */
#ifndef DDB_CLI_EXPORT_DATA_H
#define DDB_CLI_EXPORT_DATA_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "export.h"
#include "export_gzip.h"
#include "export_manifest.h"
#include "export_place.h"
#include "export_shuffle.h"

/* One of the files that fill at a time: lines gather here while those before them are compressed. */
struct export_lane {
	struct export_data *data;
	uint64_t next; /* number of its next file */
	struct buf lines, chunk, out;
	uint64_t items; /* in `lines` */
	struct export_file *file;
	struct export_gzip gzip;
	size_t entry; /* of `file` */
	bool last;    /* no lines follow those in `chunk` */
	bool busy;
	uv_work_t work;
	int rc; /* of the work; 1: the file has ended */
};

/* Who wants to know of cuts. */
struct export_data_keeper {
	/* A cut: all items that were added until now are in the files before it. Called from the loop. */
	void (*cut)(void *arg);
	/* Something is to be noted: `whole` all files before the last cut; else an upload whose parts are not sent yet. */
	int (*note)(void *arg, bool whole, struct err *e);
	void *arg;
};

struct export_data {
	uv_loop_t *loop;
	struct export_place *place; /* whose wake goes to export_data_wake */
	EVP_MD *md5;
	const char *id, *folder; /* of the export; of its data files, with a slash at the end */
	const char *one;	 /* everything goes into this file, in order and without "Item"; else NULL */
	uint64_t seed, file_bytes;
	size_t nlanes;
	struct export_lane lanes[EXPORT_LANES];
	struct export_shuffle shuffle;
	struct export_entry *entries; /* of files that were begun */
	size_t nentries, room, nwhole;
	struct export_figures figures;
	struct export_data_keeper keeper;
	uint64_t since_cut; /* bytes of lines */
	size_t nbefore,
		nkept; /* entries before the last cut; those before the last one whose files are all whole and noted */
	uv_timer_t timer; /* makes a cut from the loop, when nobody is about to add something */
	bool timing;	  /* `timer` is set up */
	bool due;	  /* a cut is to be made, before the next item */
	bool closing;	  /* it is being made: the pool empties, files end */
	bool settling;	  /* it was made, and its files are not whole yet */
	bool ending;
	bool waiting; /* export_data_add said no */
	bool pumping; /* a wake has nothing to do */
	void (*ready)(void *arg);
	void *arg;
};

/* `id`, `folder` and `one` must live as long. On failure call export_data_fini all the same. */
int export_data_init(struct export_data *d, uv_loop_t *loop, struct export_place *p, const struct export_options *o,
		     const struct export_data_keeper *keeper, const char *id, const char *folder, const char *one,
		     struct err *e);
/* Adds a file that an earlier run has stored, before anything else is added. 0 or -ERR_SYSTEM. */
int export_data_restore(struct export_data *d, const struct export_entry *entry);
void export_data_wake(void *arg);
void export_data_begun(void *arg);
/* As export_add and export_on_ready. */
int export_data_add(struct export_data *d, struct span item, struct err *e);
void export_data_on_ready(struct export_data *d, void (*ready)(void *arg), void *arg);
/* No more items come. Then run the loop until the files are whole, or the place has failed. */
void export_data_end(struct export_data *d);
bool export_data_whole(const struct export_data *d);
/* After that: the last cut, behind everything. */
int export_data_last_cut(struct export_data *d, struct err *e);
/* Begins nothing more, and waits for the threads. Before the place is halted. Runs the loop. */
void export_data_stop(struct export_data *d);
void export_data_fini(struct export_data *d);

#endif
