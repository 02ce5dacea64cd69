/*
 * fakeaws: DynamoDB, DynamoDB Streams, versioned S3, STS and IMDS in one process, for tests. See DESIGN.
 *
 * usage: fakeaws [-d DIR] [-p PORT] [-s SEED] [-k ID:SECRET]
 *   -d DIR        writes the port to DIR/port, once it listens
 *   -p PORT       of 127.0.0.1; 0, any free one, by default. It is printed.
 *   -s SEED       of everything that is random; 1 by default
 *   -k ID:SECRET  an access key; fake:fakesecret by default
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "fake.h"
#include "http.h"
#include "mem.h"

static void stop(uv_signal_t *s, int number)
{
	(void)number;
	uv_stop(s->loop);
}

/* The file appears whole, or not at all. */
static bool write_port(const char *dir, int port)
{
	char *path = mem_printf("%s/port", dir), *draft = mem_printf("%s/port.new", dir);
	FILE *out = fopen(draft, "w");
	bool good = out && fprintf(out, "%d\n", port) > 0;

	good = out && fclose(out) == 0 && good && rename(draft, path) == 0;
	if (!good)
		perror(path);
	free(path);
	free(draft);
	return good;
}

static int run(struct fake *f, int port, const char *dir)
{
	uv_loop_t *loop = uv_default_loop();
	struct http_server server = {0};
	uv_signal_t signals[2];
	const int numbers[2] = {SIGTERM, SIGINT};
	int rc = http_listen(&server, loop, f, port);

	if (rc != 0) {
		fprintf(stderr, "fakeaws: 127.0.0.1:%d: %s\n", port, uv_strerror(rc));
		return EX_OSERR;
	}
	for (int i = 0; i < 2; i++) {
		uv_signal_init(loop, &signals[i]);
		uv_signal_start(&signals[i], stop, numbers[i]);
	}
	signal(SIGPIPE, SIG_IGN);
	printf("%d\n", server.port);
	fflush(stdout);
	if (dir && !write_port(dir, server.port))
		return EX_CANTCREAT;
	uv_run(loop, UV_RUN_DEFAULT);
	return 0;
}

int main(int argc, char **argv)
{
	static struct fake fake;
	const char *dir = NULL, *key = "fake:fakesecret";
	int port = 0, option;

	fake.rng = 1;
	while ((option = getopt(argc, argv, "d:p:s:k:")) != -1) {
		if (option == 'd') {
			dir = optarg;
		} else if (option == 'p') {
			port = atoi(optarg);
		} else if (option == 's') {
			fake.rng = strtoull(optarg, NULL, 10);
		} else if (option == 'k' && strchr(optarg, ':')) {
			key = optarg;
		} else {
			fputs("usage: fakeaws [-d DIR] [-p PORT] [-s SEED] [-k ID:SECRET]\n", stderr);
			return EX_USAGE;
		}
	}
	options_init(&fake.defaults);
	char *id = mem_dup_n(key, strcspn(key, ":"));
	auth_add(&fake.auth, id, strchr(key, ':') + 1, NULL, 0, NULL);
	free(id);
	return run(&fake, port, dir);
}
