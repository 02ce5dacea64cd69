/*
 * bench_bare: the reference of the throughput: a bare libcurl multi loop that does nothing but PUT the bodies that
 * ddb-streamd would PUT, with the same header lines, from the same number of slots.
 *
 * usage: bench_bare -u ORIGIN [-n RECORDS] [-w SLOTS] [-b ITEM_BYTES] [-c CA_BUNDLE] [-m ahead|inline] [-l poll|epoll]
 *
 * Bodies are there before the first request is sent. -m ahead: so is the rest of all requests, digests and signatures
 * included. inline: a request is made when its turn comes.
 * -l: curl_multi_poll and curl_multi_perform, or the multi-socket interface on epoll.
 * The last line of the output tells, as JSON, the processor time between the first request and the last answer.
 */
#include <curl/curl.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "codec/canon.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "codec/sigv4.h"
#include "load.h"

#define LINES_MAX 16
#define EVENTS 64

/* One request without its body. `text` has the URL, then the header lines. */
struct put {
	struct buf text;
	size_t line[LINES_MAX]; /* where they begin in text */
	size_t nlines;
};

struct slot {
	CURL *easy;
	struct put put; /* with -m inline */
	struct curl_slist lines[LINES_MAX + 3];
};

static const char *origin;
static const char *ca_bundle;
static size_t records = 10000, slots = 64, item_bytes = 1024;
static bool ahead = true, use_epoll;
static struct put *puts_ahead;
static struct buf *bodies;
static struct sigv4_key key;
static size_t begun, ended;
static CURLM *multi;
static int epoll_fd;
static long timer_ms = -1;

static void kept(int rc)
{
	if (rc < 0)
		errx(EX_OSERR, "no memory for a request");
}

static void add_line(struct put *p, const char *name, struct span value)
{
	kept(buf_append_char(&p->text, '\0'));
	p->line[p->nlines++] = p->text.len;
	kept(buf_printf(&p->text, "%s: %.*s", name, (int)value.len, value.ptr));
}

static void sign(struct put *p, const char *amz_date, struct span hash)
{
	struct sigv4_header headers[LINES_MAX];
	const char *host = strstr(origin, "://") + 3;
	struct sigv4_request r = {
		.method = "PUT",
		.path = span_of(p->text.data + strlen(origin)),
		.headers = headers,
		.payload_hash = hash,
		.amz_date = amz_date,
	};
	struct buf auth;

	headers[r.nheaders++] = (struct sigv4_header){SPAN_LIT("host"), span_of(host)};
	for (size_t i = 0; i < p->nlines; i++) {
		const char *line = p->text.data + p->line[i];
		const char *colon = strchr(line, ':');

		headers[r.nheaders++] =
			(struct sigv4_header){{line, (size_t)(colon - line)}, {colon + 2, strlen(colon + 2)}};
	}
	buf_init(&auth, 4096);
	kept(sigv4_sign(&key, &r, &auth));
	add_line(p, "authorization", span_of(auth.data));
	buf_fini(&auth);
}

/* The request for one item, as ddb-streamd makes it. */
static void put_make(struct put *p, size_t number)
{
	uint8_t md5[DIGEST_MD5_SIZE], sha256[DIGEST_SHA256_SIZE];
	char md5_text[24], hash[64], seq[32], shard[64], amz_date[17], event_time[CLOCK_ISO_SIZE];
	struct span body = {bodies[number].data, bodies[number].len};

	digest_md5(md5, body.ptr, body.len);
	encode_base64(md5_text, md5, sizeof(md5));
	digest_sha256(sha256, body.ptr, body.len);
	encode_hex(hash, sha256, sizeof(sha256));
	load_seq(seq, number);
	load_shard(shard, 0);
	clock_amz(amz_date, clock_wall_ms());

	buf_reset(&p->text);
	p->nlines = 0;
	kept(buf_printf(&p->text, "%s/" LOAD_BUCKET "/" LOAD_TABLE "/" LOAD_KEY_FORMAT, origin, number));
	add_line(p, "content-type", SPAN_LIT("application/json"));
	add_line(p, "content-md5", (struct span){md5_text, sizeof(md5_text)});
	add_line(p, "x-amz-meta-ddb-event", SPAN_LIT("INSERT"));
	add_line(p, "x-amz-meta-ddb-seq", span_of(seq));
	add_line(p, "x-amz-meta-ddb-time", span_of(clock_iso(event_time, clock_wall_ms())));
	add_line(p, "x-amz-meta-ddb-stream", SPAN_LIT(LOAD_LABEL));
	add_line(p, "x-amz-meta-ddb-shard", span_of(shard));
	add_line(p, "x-amz-date", span_of(amz_date));
	add_line(p, "x-amz-content-sha256", (struct span){hash, sizeof(hash)});
	sign(p, amz_date, (struct span){hash, sizeof(hash)});
}

/* The canonical images of all items. */
static void make_bodies(void)
{
	struct canon *canon = canon_new((size_t)1 << 20);
	struct buf image;
	struct span body;
	struct err e;

	bodies = calloc(records, sizeof(*bodies));
	if (!bodies || !canon)
		errx(EX_OSERR, "no memory for %zu bodies", records);
	buf_init(&image, (size_t)1 << 20);
	for (size_t i = 0; i < records; i++) {
		buf_reset(&image);
		load_image(&image, i, item_bytes);
		if (canon_item(canon, (struct span){image.data, image.len}, &body, &e) < 0)
			errx(EX_SOFTWARE, "%s", e.message);
		buf_init(&bodies[i], body.len);
		kept(buf_append(&bodies[i], body.ptr, body.len));
	}
	buf_fini(&image);
	canon_free(canon);
}

static void put_init(struct put *p)
{
	buf_init(&p->text, (size_t)1 << 20);
}

static void make_ahead(void)
{
	puts_ahead = calloc(records, sizeof(*puts_ahead));
	if (!puts_ahead)
		errx(EX_OSERR, "no memory for %zu requests", records);
	for (size_t i = 0; i < records; i++) {
		put_init(&puts_ahead[i]);
		put_make(&puts_ahead[i], i);
	}
}

static size_t ignore(char *bytes, size_t size, size_t n, void *arg)
{
	(void)bytes;
	(void)arg;
	return size * n;
}

static void slot_init(struct slot *s)
{
	put_init(&s->put);
	s->easy = curl_easy_init();
	if (!s->easy)
		errx(EX_OSERR, "no memory for a slot");
	curl_easy_setopt(s->easy, CURLOPT_PRIVATE, s);
	curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(s->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(s->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(s->easy, CURLOPT_USERAGENT, "ddb-streamd");
	curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(s->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(s->easy, CURLOPT_CUSTOMREQUEST, "PUT");
	if (ca_bundle)
		curl_easy_setopt(s->easy, CURLOPT_CAINFO, ca_bundle);
}

static void slot_send(struct slot *s)
{
	static char none[2][16] = {"Expect:", "Accept:"};
	const struct put *p = &s->put;
	const struct buf *body = &bodies[begun];
	size_t n = 0;

	if (ahead)
		p = &puts_ahead[begun];
	else
		put_make(&s->put, begun);
	begun++;
	for (; n < p->nlines; n++)
		s->lines[n] = (struct curl_slist){p->text.data + p->line[n], &s->lines[n + 1]};
	s->lines[n] = (struct curl_slist){none[0], &s->lines[n + 1]};
	s->lines[n + 1] = (struct curl_slist){none[1], NULL};
	curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->lines);
	curl_easy_setopt(s->easy, CURLOPT_URL, p->text.data);
	curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, body->data);
	curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
	if (curl_multi_add_handle(multi, s->easy) != CURLM_OK)
		errx(EX_SOFTWARE, "a request cannot be started");
}

static void harvest(void)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(multi, &left))) {
		CURL *easy = msg->easy_handle;
		struct slot *s = NULL;
		long status = 0;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &s);
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		if (msg->data.result != CURLE_OK || status != 200)
			errx(EX_UNAVAILABLE, "a PUT failed: %s, status %ld", curl_easy_strerror(msg->data.result),
			     status);
		curl_multi_remove_handle(multi, easy);
		ended++;
		if (begun < records)
			slot_send(s);
	}
}

static void run_poll(void)
{
	int running;

	while (ended < records) {
		curl_multi_perform(multi, &running);
		harvest();
		if (ended < records)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
}

/* libcurl keeps with each socket what was put there by curl_multi_assign: non-NULL once epoll knows it. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct epoll_event ev = {.data.fd = fd};

	(void)easy;
	(void)arg;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		ev.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		ev.events |= EPOLLOUT;
	epoll_ctl(epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev);
	curl_multi_assign(multi, fd, &epoll_fd);
	return 0;
}

static int on_timer(CURLM *m, long ms, void *arg)
{
	(void)m;
	(void)arg;
	timer_ms = ms;
	return 0;
}

static void run_epoll(void)
{
	struct epoll_event events[EVENTS];
	int running;

	while (ended < records) {
		int n = epoll_wait(epoll_fd, events, EVENTS, timer_ms < 0 || timer_ms > 1000 ? 1000 : (int)timer_ms);

		if (n <= 0 || timer_ms == 0) {
			timer_ms = -1;
			curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
		}
		for (int i = 0; i < n; i++) {
			int flags = (events[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
				    (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
				    (events[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0);

			curl_multi_socket_action(multi, events[i].data.fd, flags, &running);
		}
		harvest();
	}
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void arguments(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "u:n:w:b:c:m:l:")) != -1) {
		switch (opt) {
		case 'u':
			origin = optarg;
			break;
		case 'n':
			records = strtoul(optarg, NULL, 10);
			break;
		case 'w':
			slots = strtoul(optarg, NULL, 10);
			break;
		case 'b':
			item_bytes = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			ca_bundle = optarg;
			break;
		case 'm':
			ahead = strcmp(optarg, "ahead") == 0;
			break;
		case 'l':
			use_epoll = strcmp(optarg, "epoll") == 0;
			break;
		default:
			origin = NULL;
			optind = argc;
		}
	}
	if (!origin || !strstr(origin, "://") || records == 0 || slots == 0)
		errx(EX_USAGE, "usage: bench_bare -u ORIGIN [-n RECORDS] [-w SLOTS] [-b ITEM_BYTES] [-c CA_BUNDLE] "
			       "[-m ahead|inline] [-l poll|epoll]");
}

static void free_all(struct slot *all)
{
	for (size_t i = 0; i < slots; i++) {
		curl_easy_cleanup(all[i].easy);
		buf_fini(&all[i].put.text);
	}
	curl_multi_cleanup(multi);
	curl_global_cleanup();
	for (size_t i = 0; i < records; i++) {
		buf_fini(&bodies[i]);
		if (puts_ahead)
			buf_fini(&puts_ahead[i].text);
	}
	free(all);
	free(bodies);
	free(puts_ahead);
	sigv4_cleanup();
	digest_cleanup();
}

int main(int argc, char **argv)
{
	struct slot *all;
	char amz_date[17];
	double began_s;

	arguments(argc, argv);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	all = calloc(slots, sizeof(*all));
	if (!multi || !all || digest_init(NULL) < 0)
		errx(EX_OSERR, "no memory to begin with");
	clock_amz(amz_date, clock_wall_ms());
	amz_date[8] = '\0';
	sigv4_key_update(&key, amz_date, LOAD_REGION, "s3", LOAD_ACCESS_KEY, LOAD_SECRET_KEY);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)slots);
	if (use_epoll) {
		epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
		curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	}
	make_bodies();
	if (ahead)
		make_ahead();
	began_s = cpu_s();
	for (size_t i = 0; i < slots && begun < records; i++) {
		slot_init(&all[i]);
		slot_send(&all[i]);
	}
	if (use_epoll)
		run_epoll();
	else
		run_poll();
	printf("{\"cpu_s\":%.4f}\n", cpu_s() - began_s);
	free_all(all);
	return 0;
}
