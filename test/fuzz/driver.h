/*
 * driver: what the fuzz targets share, and, with FUZZ_STANDALONE, a main that makes inputs without libFuzzer:
 *
 *     fuzz_canon FOLDER [ROUNDS [SEED [FIRST_ROUND]]]
 *
 * Runs every file of FOLDER, then ROUNDS inputs that depend on SEED and their round's number alone. After a failure,
 * which names the round, "FOLDER 1 SEED ROUND" repeats it.
 *
 * For libFuzzer: clang -fsanitize=fuzzer,address,undefined fuzz_canon.c ...
 */
#ifndef DDB_FUZZ_DRIVER_H
#define DDB_FUZZ_DRIVER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* splitmix64 */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 to n - 1. */
static inline size_t random_below(uint64_t *state, size_t n)
{
	return (size_t)(random_next(state) % n);
}

#define FUZZ_CHECK(condition)                                                           \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

#ifdef FUZZ_STANDALONE

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#define INPUT_MAX 16384

struct input {
	char *text;
	size_t len;
};

/* The target's: writes a valid input of its own making, at most INPUT_MAX bytes. */
static void fuzz_generate(uint64_t *random, struct input *in);

static unsigned long long current_round;
static struct input corpus[512];
static size_t ncorpus;

static void add_bytes(struct input *in, const char *bytes, size_t len)
{
	if (len > INPUT_MAX - in->len)
		return;
	memcpy(in->text + in->len, bytes, len);
	in->len += len;
}

static void add(struct input *in, const char *s)
{
	add_bytes(in, s, strlen(s));
}

static void add_string(struct input *in, uint64_t *random)
{
	static const char *const pieces[] = {"a",
					     "b",
					     "c",
					     "id",
					     "S",
					     "SS",
					     "M",
					     "L",
					     "Keys",
					     " ",
					     "/",
					     "0",
					     "7",
					     "zz",
					     "attribute_name_",
					     "12345678",
					     "\\n",
					     "\\\"",
					     "\\\\",
					     "\\/",
					     "\\u0000",
					     "\\u001F",
					     "\\u0041",
					     "\\u00e9",
					     "\\u6F22",
					     "\\ud83d\\ude00",
					     "\x7f",
					     "\xc3\xa9",
					     "\xe6\xbc\xa2",
					     "\xf0\x9f\x98\x80",
					     "\xef\xbf\xbd"};

	add(in, "\"");
	for (size_t n = random_below(random, 5); n > 0; n--)
		add(in, pieces[random_below(random, sizeof(pieces) / sizeof(pieces[0]))]);
	add(in, "\"");
}

static void add_blank(struct input *in, uint64_t *random)
{
	if (random_below(random, 16) == 0)
		add_bytes(in, &" \t\r\n"[random_below(random, 4)], 1);
}

static void add_value(struct input *in, uint64_t *random, int levels);

/* Names may come twice: that is for the target to see. */
static void add_map(struct input *in, uint64_t *random, int levels)
{
	size_t n = random_below(random, random_below(random, 8) == 0 ? 60 : 6);

	add(in, "{");
	for (size_t i = 0; i < n; i++) {
		add(in, i > 0 ? "," : "");
		add_blank(in, random);
		add_string(in, random);
		add_blank(in, random);
		add(in, ":");
		add_value(in, random, levels - 1);
	}
	add_blank(in, random);
	add(in, "}");
}

static void add_list(struct input *in, uint64_t *random, int levels, size_t n, int of_strings)
{
	add(in, "[");
	for (size_t i = 0; i < n; i++) {
		add(in, i > 0 ? "," : "");
		add_blank(in, random);
		if (of_strings)
			add_string(in, random);
		else
			add_value(in, random, levels - 1);
	}
	add(in, "]");
}

static void add_value(struct input *in, uint64_t *random, int levels)
{
	static const char *const scalars[] = {"{\"BOOL\":true}",      "{\"BOOL\":false}",
					      "{\"NULL\":true}",      "{\"N\":\"-1.5E+20\"}",
					      "{\"B\":\"QUFFPQ==\"}", "{\"New\":{\"b\":[null,true],\"a\":\"x\"}}",
					      "{\"S\":\"\"}"};
	static const char *const sets[] = {"{\"SS\":", "{\"NS\":", "{\"BS\":"};

	switch (random_below(random, levels > 0 ? 8 : 4)) {
	case 0:
	case 1:
		add(in, "{\"S\":");
		add_string(in, random);
		break;
	case 2:
		add(in, scalars[random_below(random, sizeof(scalars) / sizeof(scalars[0]))]);
		return;
	case 3:
	case 4:
		add(in, sets[random_below(random, 3)]);
		add_list(in, random, 0, random_below(random, random_below(random, 8) == 0 ? 80 : 5), 1);
		break;
	case 5:
		add(in, "{\"L\":");
		add_list(in, random, levels, random_below(random, 5), 0);
		break;
	default:
		add(in, "{\"M\":");
		add_map(in, random, levels);
	}
	add_blank(in, random);
	add(in, "}");
}

static void replace(struct input *in, size_t at, size_t cut, const char *bytes, size_t len)
{
	if (in->len - cut + len > INPUT_MAX)
		return;
	memmove(in->text + at + len, in->text + at + cut, in->len - at - cut);
	memcpy(in->text + at, bytes, len);
	in->len += len - cut;
}

static void mutate(struct input *in, uint64_t *random)
{
	static const char *const words[] = {"{",
					    "}",
					    "[",
					    "]",
					    ",",
					    ":",
					    "\"",
					    "\\",
					    "\\u",
					    "\\ud800",
					    "\\udc00",
					    "\\u0000",
					    "\x80",
					    "\xed\xa0\x80",
					    "\xc0\x80",
					    "\xf4\x90\x80\x80",
					    "null",
					    "true",
					    "0",
					    "-",
					    ".",
					    "e9",
					    "1e999",
					    "\"S\"",
					    "\"M\":",
					    "{\"L\":[",
					    "{\"\":",
					    "\n",
					    "\1",
					    "\"Keys\":{},",
					    "\"NextShardIterator\":",
					    "\"SequenceNumber\":\"1\","};
	char copy[64];
	size_t at = random_below(random, in->len + 1), len;

	switch (random_below(random, 6)) {
	case 0: /* a byte */
		copy[0] = (char)random_next(random);
		replace(in, at, at < in->len, copy, 1);
		break;
	case 1: /* a bit */
		if (at < in->len)
			in->text[at] = (char)(in->text[at] ^ 1 << random_below(random, 8));
		break;
	case 2: /* bytes gone */
		len = 1 + random_below(random, 16);
		replace(in, at, len < in->len - at ? len : in->len - at, "", 0);
		break;
	case 3: /* bytes from elsewhere */
		len = random_below(random, sizeof(copy));
		if (len > in->len)
			break;
		memcpy(copy, in->text + random_below(random, in->len - len + 1), len);
		replace(in, at, 0, copy, len);
		break;
	case 4: /* the end gone */
		in->len = at;
		break;
	default: {
		const char *word = words[random_below(random, sizeof(words) / sizeof(words[0]))];
		replace(in, at, 0, word, strlen(word));
	}
	}
}

/* Every run is on a heap block of exactly the input's size, so that AddressSanitizer sees a read past the end. */
static void run(const struct input *in)
{
	uint8_t *data = malloc(in->len);

	FUZZ_CHECK(data || in->len == 0);
	if (in->len > 0)
		memcpy(data, in->text, in->len);
	LLVMFuzzerTestOneInput(data, in->len);
	free(data);
}

static void on_crash(int signal_number)
{
	char line[80];
	int n = snprintf(line, sizeof(line), "failed in round %llu\n", current_round);

	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		_exit(2);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static void load(const char *folder)
{
	struct dirent **names;
	int n = scandir(folder, &names, NULL, alphasort);

	if (n < 0) {
		perror(folder);
		exit(2);
	}
	for (int i = 0; i < n; i++) {
		char path[4096];
		FILE *f = NULL;
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		if (names[i]->d_name[0] != '.' && ncorpus < sizeof(corpus) / sizeof(corpus[0]))
			f = fopen(path, "rb");
		if (f) {
			struct input *in = &corpus[ncorpus++];
			in->text = malloc(INPUT_MAX);
			FUZZ_CHECK(in->text);
			in->len = fread(in->text, 1, INPUT_MAX, f);
			fclose(f);
		}
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	static char text[INPUT_MAX];

	if (argc < 2 || argc > 5) {
		fprintf(stderr, "usage: %s FOLDER [ROUNDS [SEED [FIRST_ROUND]]]\n", argv[0]);
		return 2;
	}
	unsigned long long rounds = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000;
	unsigned long long seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	current_round = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
	signal(SIGABRT, on_crash);
	signal(SIGSEGV, on_crash);
	load(argv[1]);
	for (size_t i = 0; i < ncorpus; i++)
		run(&corpus[i]);
	for (unsigned long long i = 0; i < rounds; i++, current_round++) {
		uint64_t random = seed * UINT64_C(1000003) + current_round;
		struct input in = {text, 0};
		const struct input *from = &corpus[random_below(&random, ncorpus + 1) % (ncorpus ? ncorpus : 1)];
		if (ncorpus > 0 && random_below(&random, 3) == 0)
			add_bytes(&in, from->text, from->len);
		else
			fuzz_generate(&random, &in);
		for (size_t n = random_below(&random, 4); n > 0; n--)
			mutate(&in, &random);
		run(&in);
	}
	for (size_t i = 0; i < ncorpus; i++)
		free(corpus[i].text);
	printf("%llu rounds, %zu files: ok\n", rounds, ncorpus);
	return 0;
}

#endif
#endif
