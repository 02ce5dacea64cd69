/* export_gzip: a gzip file (RFC 1952) that grows piece by piece, and the MD5 of its bytes. */
#ifndef DDB_CLI_EXPORT_GZIP_H
#define DDB_CLI_EXPORT_GZIP_H

#include <isa-l/igzip_lib.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "codec/digest.h"

struct export_gzip {
	struct isal_zstream *z;	      /* NULL: not begun */
	EVP_MD_CTX *ctx;	      /* with it */
	uint64_t bytes;		      /* of the file so far */
	uint8_t md5[DIGEST_MD5_SIZE]; /* once it is ended */
};

/* Begins a file; `md5` is the algorithm. -ERR_SYSTEM. */
int export_gzip_begin(struct export_gzip *g, const EVP_MD *md5, struct err *e);
/*
 * Compresses `in` and appends to `out` what came of it; with `end` the file ends there. 1 when it has ended, else 0, or
 * -ERR_SYSTEM. May run on any thread.
 */
int export_gzip_add(struct export_gzip *g, struct span in, bool end, struct buf *out);
/* Frees; nothing when it is not begun. */
void export_gzip_fini(struct export_gzip *g);

#endif
