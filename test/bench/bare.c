#include "bare.h"

#include <err.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "codec/sigv4.h"
#include "load.h"

#define EVENTS 64

static struct bare_options options;
static struct sigv4_key key;
static char no_payload[2 * DIGEST_SHA256_SIZE];
static CURLM *multi;
static int epoll_fd = -1;
static long timer_ms = -1;

static void kept(int rc)
{
	if (rc < 0)
		errx(EX_OSERR, "no memory for a request");
}

/* --- requests --- */

void bare_request_init(struct bare_request *r)
{
	r->nlines = 0;
	buf_init(&r->text, (size_t)1 << 20);
}

void bare_request_fini(struct bare_request *r)
{
	buf_fini(&r->text);
}

void bare_begin(struct bare_request *r)
{
	buf_reset(&r->text);
	r->nlines = 0;
	kept(buf_append_str(&r->text, options.origin));
}

void bare_add_line(struct bare_request *r, const char *name, struct span value)
{
	kept(buf_append_char(&r->text, '\0'));
	r->line[r->nlines++] = r->text.len;
	kept(buf_printf(&r->text, "%s: %.*s", name, (int)value.len, value.ptr));
}

struct span bare_no_payload(void)
{
	return (struct span){no_payload, sizeof(no_payload)};
}

void bare_sign(struct bare_request *r, const char *method, struct span payload_hash)
{
	struct sigv4_header headers[BARE_LINES_MAX];
	char amz_date[17];
	struct buf auth;
	struct sigv4_request q = {.method = method,
				  .headers = headers,
				  .payload_hash = payload_hash,
				  .amz_date = amz_date};

	clock_amz(amz_date, clock_wall_ms());
	bare_add_line(r, "x-amz-date", span_of(amz_date));
	bare_add_line(r, "x-amz-content-sha256", payload_hash);
	const char *path = r->text.data + strlen(options.origin);

	q.path = (struct span){path, strcspn(path, "?")};
	q.query = span_of(path[q.path.len] == '?' ? path + q.path.len + 1 : "");
	headers[q.nheaders++] = (struct sigv4_header){SPAN_LIT("host"), span_of(strstr(options.origin, "://") + 3)};
	for (size_t i = 0; i < r->nlines; i++) {
		const char *line = r->text.data + r->line[i];
		const char *colon = strchr(line, ':');

		headers[q.nheaders++] =
			(struct sigv4_header){{line, (size_t)(colon - line)}, {colon + 2, strlen(colon + 2)}};
	}
	buf_init(&auth, 4096);
	kept(sigv4_sign(&key, &q, &auth));
	bare_add_line(r, "authorization", span_of(auth.data));
	buf_fini(&auth);
}

/* --- slots --- */

static size_t ignore(char *bytes, size_t size, size_t n, void *arg)
{
	(void)bytes;
	(void)arg;
	return size * n;
}

void bare_slot_init(struct bare_slot *s, const char *method)
{
	bare_request_init(&s->request);
	s->easy = curl_easy_init();
	if (!s->easy)
		errx(EX_OSERR, "no memory for a slot");
	curl_easy_setopt(s->easy, CURLOPT_PRIVATE, s);
	curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(s->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(s->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(s->easy, CURLOPT_USERAGENT, "ddb-streamd");
	curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, ignore);
	if (strcmp(method, "PUT") == 0) {
		curl_easy_setopt(s->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(s->easy, CURLOPT_CUSTOMREQUEST, "PUT");
	}
	if (options.ca_bundle)
		curl_easy_setopt(s->easy, CURLOPT_CAINFO, options.ca_bundle);
}

void bare_slot_fini(struct bare_slot *s)
{
	curl_easy_cleanup(s->easy);
	bare_request_fini(&s->request);
}

void bare_send(struct bare_slot *s, const struct bare_request *r, struct span body)
{
	static char none[2][16] = {"Expect:", "Accept:"};
	size_t n = 0;

	for (; n < r->nlines; n++)
		s->lines[n] = (struct curl_slist){r->text.data + r->line[n], &s->lines[n + 1]};
	s->lines[n] = (struct curl_slist){none[0], &s->lines[n + 1]};
	s->lines[n + 1] = (struct curl_slist){none[1], NULL};
	curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->lines);
	curl_easy_setopt(s->easy, CURLOPT_URL, r->text.data);
	if (body.len > 0) {
		curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, body.ptr);
		curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	}
	if (curl_multi_add_handle(multi, s->easy) != CURLM_OK)
		errx(EX_SOFTWARE, "a request cannot be started");
}

/* --- the loop --- */

static bool harvest(bool (*ended)(struct bare_slot *s))
{
	CURLMsg *msg;
	int left;
	bool more = true;

	while ((msg = curl_multi_info_read(multi, &left))) {
		CURL *easy = msg->easy_handle;
		struct bare_slot *s = NULL;
		long status = 0;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &s);
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		if (msg->data.result != CURLE_OK || status != 200)
			errx(EX_UNAVAILABLE, "a request failed: %s, status %ld", curl_easy_strerror(msg->data.result),
			     status);
		curl_multi_remove_handle(multi, easy);
		more = ended(s);
	}
	return more;
}

static void run_poll(bool (*ended)(struct bare_slot *s))
{
	int running;

	curl_multi_perform(multi, &running);
	while (harvest(ended)) {
		curl_multi_poll(multi, NULL, 0, 1000, NULL);
		curl_multi_perform(multi, &running);
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

static void run_epoll(bool (*ended)(struct bare_slot *s))
{
	struct epoll_event events[EVENTS];
	int running;

	do {
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
	} while (harvest(ended));
}

void bare_run(bool (*ended)(struct bare_slot *s))
{
	if (options.use_epoll)
		run_epoll(ended);
	else
		run_poll(ended);
}

double bare_cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void bare_init(const struct bare_options *o)
{
	uint8_t hash[DIGEST_SHA256_SIZE];
	char amz_date[17];

	options = *o;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	if (!multi || digest_init(NULL) < 0)
		errx(EX_OSERR, "no memory to begin with");
	clock_amz(amz_date, clock_wall_ms());
	amz_date[8] = '\0';
	sigv4_key_update(&key, amz_date, LOAD_REGION, "s3", LOAD_ACCESS_KEY, LOAD_SECRET_KEY);
	digest_sha256(hash, "", 0);
	encode_hex(no_payload, hash, sizeof(hash));
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)options.connections);
	if (options.use_epoll) {
		epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
		curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	}
}

void bare_fini(void)
{
	curl_multi_cleanup(multi);
	curl_global_cleanup();
	if (epoll_fd >= 0)
		close(epoll_fd);
	sigv4_cleanup();
	digest_cleanup();
}
