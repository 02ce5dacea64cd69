/*
 * alloc_count: counts allocations by the program or library that asked for them. To be preloaded; at the end of the
 * process it appends "NAME COUNT" lines to the file that ALLOC_COUNT names. Calls that libc makes for a program (strdup,
 * asprintf) count as libc's.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OBJECTS_MAX 64

struct object {
	uintptr_t begin, end;
	const char *name;
	atomic_ulong count;
};

static struct object objects[OBJECTS_MAX];
static atomic_int nobjects;

/* glibc's own names of what is replaced here: no dlsym, which allocates itself, is needed to reach them. */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);

void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t n);
void *aligned_alloc(size_t align, size_t n);

static void count(const void *caller)
{
	uintptr_t at = (uintptr_t)caller;
	int n = atomic_load_explicit(&nobjects, memory_order_acquire);

	for (int i = 0; i < n; i++) {
		if (at >= objects[i].begin && at < objects[i].end) {
			atomic_fetch_add_explicit(&objects[i].count, 1, memory_order_relaxed);
			return;
		}
	}
}

void *malloc(size_t n)
{
	count(__builtin_return_address(0));
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	count(__builtin_return_address(0));
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	count(__builtin_return_address(0));
	return __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	count(__builtin_return_address(0));
	return __libc_memalign(align, n);
}

static int add_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *slash = strrchr(info->dlpi_name, '/');
	int n = atomic_load(&nobjects);

	(void)size;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum && n < OBJECTS_MAX; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		objects[n].begin = info->dlpi_addr + p->p_vaddr;
		objects[n].end = objects[n].begin + p->p_memsz;
		/* The first one is the program, whose name is empty. */
		objects[n].name = info->dlpi_name[0] == '\0' ? "program" : slash ? slash + 1 : info->dlpi_name;
		atomic_store_explicit(&nobjects, ++n, memory_order_release);
	}
	return 0;
}

__attribute__((constructor)) static void begin(void)
{
	dl_iterate_phdr(add_object, NULL);
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("ALLOC_COUNT");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
	char line[256];

	if (fd < 0)
		return;
	for (int i = 0; i < atomic_load(&nobjects); i++) {
		int n = snprintf(line, sizeof(line), "%s %lu\n", objects[i].name, atomic_load(&objects[i].count));

		if (write(fd, line, (size_t)n) != n)
			break;
	}
	close(fd);
}
