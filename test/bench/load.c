#include "load.h"

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define PLAIN_BYTES 640 /* an image that is to be shorter has no nested members */

static void kept(int rc)
{
	if (rc < 0)
		errx(EX_OSERR, "no memory for the records to measure with");
}

void load_seq(char out[32], size_t position)
{
	snprintf(out, 32, "1000000000%015zu", position);
}

void load_shard(char out[64], size_t shard)
{
	snprintf(out, 64, "shardId-00000001700000000000-%08zu", shard);
}

/* Words in an order that chance chose, and every third one a word that chance made: else gzip had nothing to do. */
static void load_text(struct buf *out, size_t seed, size_t bytes)
{
	static const char *const words[32] = {
		"the",	"quick", "brown", "fox",    "jumps",  "over",  "lazy",	 "dog",	 "pack",   "my",    "box",
		"with", "five",	 "dozen", "jugs",   "please", "leave", "parcel", "at",	 "door",   "ring",  "twice",
		"and",	"call",	 "if",	  "nobody", "is",     "there", "before", "noon", "thanks", "order",
	};
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	uint64_t chance = seed * 0x9e3779b97f4a7c15 + 1;
	size_t end = out->len + bytes;

	for (size_t i = 0; out->len < end; i++) {
		char made[] = "12345";
		const char *word = made;

		/* Knuth's MMIX generator; its upper bits are the good ones. */
		chance = chance * 6364136223846793005 + 1442695040888963407;
		if (i % 3 != 0)
			word = words[chance >> 59];
		else
			for (size_t c = 0; c < 5; c++)
				made[c] = digits[(chance >> (24 + 8 * c)) % 36];
		kept(buf_printf(out, "%s ", word));
	}
	/* It may not be longer than was asked for. */
	out->len = end;
	out->data[end] = '\0';
}

void load_image(struct buf *out, size_t number, size_t bytes)
{
	size_t begin = out->len;

	kept(buf_printf(out, "{\"status\":{\"S\":\"shipped\"},\"id\":{\"S\":\"" LOAD_KEY_FORMAT "\"}", number));
	if (bytes >= PLAIN_BYTES)
		kept(buf_printf(
			out,
			",\"total\":{\"N\":\"%zu.95\"},\"created\":{\"N\":\"17000%08zu\"},\"paid\":{\"BOOL\":true},"
			"\"tags\":{\"SS\":[\"gift\",\"express\",\"b2c\"]},\"coupon\":{\"NULL\":true},"
			"\"address\":{\"M\":{\"street\":{\"S\":\"1 Long Lane\"},\"city\":{\"S\":\"Sm\\u00e5stad\"},"
			"\"zip\":{\"S\":\"%05zu\"},\"country\":{\"S\":\"SE\"}}},"
			"\"lines\":{\"L\":[{\"M\":{\"sku\":{\"S\":\"A-%06zu\"},\"n\":{\"N\":\"2\"}}},"
			"{\"M\":{\"sku\":{\"S\":\"B-%06zu\"},\"n\":{\"N\":\"1\"}}}]}",
			number % 997, number, number % 99999, number % 999983, number % 999979));
	kept(buf_append_str(out, ",\"note\":{\"S\":\""));
	if (out->len - begin + 3 < bytes)
		load_text(out, number, bytes - 3 - (out->len - begin));
	kept(buf_append_str(out, "\"}}"));
}

void load_record(struct buf *out, size_t number, size_t position, size_t bytes, long event_s)
{
	char seq[32];

	load_seq(seq, position);
	kept(buf_printf(out,
			"{\"eventID\":\"%032zx\",\"eventName\":\"INSERT\",\"eventVersion\":\"1.1\","
			"\"eventSource\":\"aws:dynamodb\",\"awsRegion\":\"" LOAD_REGION "\",\"dynamodb\":{"
			"\"ApproximateCreationDateTime\":%ld,\"Keys\":{\"id\":{\"S\":\"" LOAD_KEY_FORMAT
			"\"}},\"NewImage\":",
			position, event_s, number));
	load_image(out, number, bytes);
	kept(buf_printf(out, ",\"SequenceNumber\":\"%s\",\"SizeBytes\":%zu,\"StreamViewType\":\"NEW_AND_OLD_IMAGES\"}}",
			seq, bytes));
}
