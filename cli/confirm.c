#include "confirm.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define LINE_SIZE 1024
#define LOOK_MS 100

/*
 * One line, without its end; false when there is none. libuv's handlers let a read go on after a signal, so the loop must
 * be turned while nothing is typed.
 */
static bool read_line(struct session *s, char line[LINE_SIZE])
{
	size_t len = 0;
	while (!session_look(s) && len < LINE_SIZE - 1) {
		struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
		if (poll(&p, 1, LOOK_MS) <= 0)
			continue;
		if (read(STDIN_FILENO, line + len, 1) != 1)
			return false;
		if (line[len] == '\n') {
			line[len] = '\0';
			return true;
		}
		len++;
	}
	return false;
}

int confirm_word(struct session *s, const char *what, const char *word)
{
	char line[LINE_SIZE];
	if (!isatty(STDIN_FILENO))
		return cli_usage("standard input is no terminal to ask on; --yes goes without asking");
	fflush(stdout);
	fprintf(stderr, "Type the %s to go on: ", what);
	if (read_line(s, line) && strcmp(line, word) == 0)
		return 0;
	if (s->stop)
		fputc('\n', stderr);
	cli_say("this is not the %s; nothing was changed", what);
	return EX_USAGE;
}
