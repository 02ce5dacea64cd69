/*
 * bench_read: the reference of listing and restoring: a bare libcurl multi loop that asks for the same pages of
 * versions and GETs the same versions as ddb-streamctl, with the same header lines. Pages go through expat, since nobody
 * can list without reading them, but what stands in them is known beforehand; nothing is done with objects. All parts of
 * the table are listed at a time from the first moment on, for it need not find out where its keys are. A version is asked
 * for only once a page has come that names it. Requests are signed when their turn comes.
 *
 * usage: bench_read -u ORIGIN [-n ITEMS] [-w GETS] [-p LISTINGS] [-c CA_BUNDLE] [-l poll|epoll]
 *
 * -w: GETs at a time; 0: nothing is asked for but pages.
 * The last line of the output tells, as JSON, the processor time between the first request and the last answer.
 */
#include <err.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "bare.h"
#include "load.h"

#define PAGE_KEYS 1000

enum kind { LISTING, GETTING };

/* The text of the element that is read. */
struct page {
	XML_Parser parser;
	char text[4096];
	size_t len;
};

/* Requests of one kind, and the slots for them that have nothing to do. */
struct side {
	size_t slots, total, begun, ended;
	struct bare_slot *all, **idle;
	struct page *pages;
	size_t nidle;
	void (*send)(struct bare_slot *s, size_t number);
};

static struct bare_options options;
static size_t items = 10000, gets = 64, listings = 8;
static struct side sides[2];

static void kept(int rc)
{
	if (rc < 0)
		errx(EX_OSERR, "no memory for a request");
}

static void on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct page *p = arg;

	(void)name;
	(void)attributes;
	p->len = 0;
}

static void on_end(void *arg, const XML_Char *name)
{
	(void)arg;
	(void)name;
}

static void on_text(void *arg, const XML_Char *text, int len)
{
	struct page *p = arg;
	size_t n = (size_t)len < sizeof(p->text) - p->len ? (size_t)len : sizeof(p->text) - p->len;

	memcpy(p->text + p->len, text, n);
	p->len += n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct page *p = arg;

	if (XML_Parse(p->parser, bytes, (int)(size * n), XML_FALSE) != XML_STATUS_OK)
		errx(EX_DATAERR, "a page is no XML");
	return size * n;
}

static void begin_page(struct page *p)
{
	XML_ParserReset(p->parser, NULL);
	XML_SetUserData(p->parser, p);
	XML_SetElementHandler(p->parser, on_start, on_end);
	XML_SetCharacterDataHandler(p->parser, on_text);
}

static void page_init(struct page *p, struct bare_slot *s)
{
	p->parser = XML_ParserCreate(NULL);
	if (!p->parser)
		errx(EX_OSERR, "no memory for a parser");
	curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, p);
}

static void list(struct bare_slot *s, size_t page)
{
	struct bare_request *r = &s->request;
	size_t last = page * PAGE_KEYS - 1; /* of the page before it */

	begin_page(&sides[LISTING].pages[s - sides[LISTING].all]);
	bare_begin(r);
	kept(buf_append_str(&r->text, "/" LOAD_BUCKET "?versions&encoding-type=url&prefix=" LOAD_TABLE "%2F"));
	if (page > 0)
		kept(buf_printf(&r->text,
				"&key-marker=" LOAD_TABLE "%%2F" LOAD_KEY_FORMAT
				"&version-id-marker=" LOAD_VERSION_FORMAT,
				last, last));
	bare_sign(r, "GET", bare_no_payload());
	bare_send(s, r, (struct span){NULL, 0});
}

static void get(struct bare_slot *s, size_t number)
{
	struct bare_request *r = &s->request;

	bare_begin(r);
	kept(buf_printf(&r->text, "/" LOAD_BUCKET "/" LOAD_TABLE "/" LOAD_KEY_FORMAT "?versionId=" LOAD_VERSION_FORMAT,
			number, number));
	bare_sign(r, "GET", bare_no_payload());
	bare_send(s, r, (struct span){NULL, 0});
}

static void send_more(struct side *side, size_t most)
{
	while (side->nidle > 0 && side->begun < most && side->begun < side->total)
		side->send(side->idle[--side->nidle], side->begun++);
}

static bool on_ended(struct bare_slot *s)
{
	struct side *side = &sides[s->kind];

	side->ended++;
	side->idle[side->nidle++] = s;
	send_more(&sides[LISTING], sides[LISTING].total);
	send_more(&sides[GETTING], sides[LISTING].ended * PAGE_KEYS);
	return sides[LISTING].ended < sides[LISTING].total || sides[GETTING].ended < sides[GETTING].total;
}

static void side_init(enum kind kind, size_t slots, size_t total, void (*send)(struct bare_slot *s, size_t number))
{
	struct side *side = &sides[kind];

	*side = (struct side){
		.slots = slots,
		.total = total,
		.all = calloc(slots + 1, sizeof(*side->all)),
		.idle = calloc(slots + 1, sizeof(struct bare_slot *)),
		.pages = calloc(slots + 1, sizeof(*side->pages)),
		.send = send,
	};
	if (!side->all || !side->idle || !side->pages)
		errx(EX_OSERR, "no memory for %zu slots", slots);
	for (size_t i = 0; i < slots; i++) {
		bare_slot_init(&side->all[i], "GET");
		side->all[i].kind = (int)kind;
		if (kind == LISTING)
			page_init(&side->pages[i], &side->all[i]);
		side->idle[side->nidle++] = &side->all[i];
	}
}

static void side_fini(struct side *side)
{
	for (size_t i = 0; i < side->slots; i++) {
		bare_slot_fini(&side->all[i]);
		if (side->pages[i].parser)
			XML_ParserFree(side->pages[i].parser);
	}
	free(side->all);
	free(side->idle);
	free(side->pages);
}

static void arguments(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "u:n:w:p:c:l:")) != -1) {
		switch (opt) {
		case 'u':
			options.origin = optarg;
			break;
		case 'n':
			items = strtoul(optarg, NULL, 10);
			break;
		case 'w':
			gets = strtoul(optarg, NULL, 10);
			break;
		case 'p':
			listings = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			options.ca_bundle = optarg;
			break;
		case 'l':
			options.use_epoll = strcmp(optarg, "epoll") == 0;
			break;
		default:
			options.origin = NULL;
			optind = argc;
		}
	}
	if (!options.origin || !strstr(options.origin, "://") || items == 0 || listings == 0)
		errx(EX_USAGE, "usage: bench_read -u ORIGIN [-n ITEMS] [-w GETS] [-p LISTINGS] [-c CA_BUNDLE] "
			       "[-l poll|epoll]");
}

int main(int argc, char **argv)
{
	double began_s;

	arguments(argc, argv);
	options.connections = gets + listings;
	bare_init(&options);
	began_s = bare_cpu_s();
	side_init(LISTING, listings, (items + PAGE_KEYS - 1) / PAGE_KEYS, list);
	side_init(GETTING, gets, gets > 0 ? items : 0, get);
	send_more(&sides[LISTING], sides[LISTING].total);
	bare_run(on_ended);
	printf("{\"cpu_s\":%.4f}\n", bare_cpu_s() - began_s);
	side_fini(&sides[LISTING]);
	side_fini(&sides[GETTING]);
	bare_fini();
	return 0;
}
