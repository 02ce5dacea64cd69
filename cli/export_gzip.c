#include "export_gzip.h"

#include <stdlib.h>

/* Takes a fifth of the time of zlib's level 4, for files that are 2 to 7% larger. */
#define LEVEL 3
#define TABLES_BYTES ((size_t)ISAL_DEF_LVL3_DEFAULT)
#define STEP ((size_t)64 << 10)

int export_gzip_begin(struct export_gzip *g, const EVP_MD *md5, struct err *e)
{
	*g = (struct export_gzip){.z = malloc(sizeof(*g->z) + TABLES_BYTES), .ctx = EVP_MD_CTX_new()};
	if (g->z == NULL || g->ctx == NULL || EVP_DigestInit_ex2(g->ctx, md5, NULL) != 1) {
		export_gzip_fini(g);
		return err_set(e, ERR_SYSTEM, "no memory to compress, or OpenSSL failed to compute MD5");
	}
	/* The header that comes of it has no time in it. */
	isal_deflate_init(g->z);
	g->z->gzip_flag = IGZIP_GZIP;
	g->z->level = LEVEL;
	g->z->level_buf = (uint8_t *)(g->z + 1);
	g->z->level_buf_size = TABLES_BYTES;
	return 0;
}

/* Compresses what is at hand; all that there is when this is the end. */
static int run(struct export_gzip *g, struct buf *out)
{
	do {
		if (buf_reserve(out, STEP) < 0)
			return -ERR_SYSTEM;
		uint8_t *at = (uint8_t *)out->data + out->len;
		g->z->next_out = at;
		g->z->avail_out = STEP;
		int rc = isal_deflate(g->z);
		size_t made = STEP - g->z->avail_out;
		out->len += made;
		g->bytes += made;
		if (rc != COMP_OK || EVP_DigestUpdate(g->ctx, at, made) != 1)
			return -ERR_SYSTEM;
	} while (g->z->avail_out == 0);
	out->data[out->len] = '\0';
	return 0;
}

int export_gzip_add(struct export_gzip *g, struct span in, bool end, struct buf *out)
{
	g->z->next_in = (uint8_t *)in.ptr;
	g->z->avail_in = (uint32_t)in.len;
	if (run(g, out) < 0)
		return -ERR_SYSTEM;
	if (!end)
		return 0;
	g->z->end_of_stream = 1;
	if (run(g, out) < 0 || EVP_DigestFinal_ex(g->ctx, g->md5, NULL) != 1)
		return -ERR_SYSTEM;
	return 1;
}

void export_gzip_fini(struct export_gzip *g)
{
	free(g->z);
	EVP_MD_CTX_free(g->ctx);
	g->z = NULL;
	g->ctx = NULL;
}
