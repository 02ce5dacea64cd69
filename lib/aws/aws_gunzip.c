#include "aws/aws_gunzip.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#define WINDOW_GZIP (15 + 16) /* zlib.h: gzip, and nothing else */
#define PIECE_BYTES ((size_t)64 << 10)

/* Inflates until the end of the member, a piece at a time: what it says of its length is not believed. */
static int inflate_all(z_stream *z, struct buf *out, struct err *e)
{
	unsigned char spare = 0;
	int state = Z_OK;
	while (state == Z_OK) {
		size_t left = out->max - out->len, room = left < PIECE_BYTES ? left : PIECE_BYTES;
		if (buf_reserve(out, room) < 0)
			return err_errno(e, ENOMEM, "answer");
		/* Full, only the member's end may follow. */
		z->next_out = room > 0 ? (unsigned char *)out->data + out->len : &spare;
		z->avail_out = room > 0 ? (unsigned)room : 1;
		state = inflate(z, Z_NO_FLUSH);
		if (room == 0 && z->avail_out == 0)
			return err_set(e, ERR_LIMIT, "the answer is longer than %zu bytes without its compression",
				       out->max);
		out->len += room > 0 ? room - z->avail_out : 0;
	}
	if (state != Z_STREAM_END || z->avail_in > 0)
		return err_set(e, ERR_CORRUPT, "the answer's gzip coding is damaged or cut off");
	out->data[out->len] = '\0';
	return 0;
}

int aws_gunzip(struct buf *body, struct err *e)
{
	z_stream z = {.next_in = (unsigned char *)body->data, .avail_in = (uInt)body->len};
	struct buf out;
	if (inflateInit2(&z, WINDOW_GZIP) != Z_OK)
		return err_errno(e, ENOMEM, "answer");
	buf_init(&out, body->max);
	int rc = inflate_all(&z, &out, e);
	inflateEnd(&z);
	if (rc == 0)
		buf_take(body, &out);
	buf_fini(&out);
	return rc;
}
