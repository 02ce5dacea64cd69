/*
 * counted: counts what the objects of a program ask malloc for. They are linked with --wrap for each function below, so that
 * what libraries need for themselves is left out, and sanitizers keep their own malloc. The count lies, as eight bytes in the
 * host's order, in the file that ALLOCATIONS names, from where a test reads it while the program runs.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

static uint64_t without_a_file;
static uint64_t *count = &without_a_file;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("ALLOCATIONS");
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *shared = MAP_FAILED;

	if (fd < 0)
		return;
	if (ftruncate(fd, sizeof(*count)) == 0)
		shared = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (shared != MAP_FAILED)
		count = shared;
}

static void add(void)
{
	__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
}

void *__wrap_malloc(size_t n)
{
	add();
	return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	add();
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	add();
	return __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	add();
	return __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s)
{
	add();
	return __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	add();
	return __real_strndup(s, n);
}
