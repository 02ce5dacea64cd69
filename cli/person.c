#include "person.h"

#include <stdio.h>
#include <unistd.h>
#include <uv.h>

/* Only printable ASCII: a host may be called anything, and JSON must be UTF-8. */
const char *person_name(char out[static PERSON_SIZE])
{
	char host[UV_MAXHOSTNAMESIZE] = "";
	size_t len = sizeof(host);
	uv_passwd_t user;
	uv_os_gethostname(host, &len);
	if (uv_os_get_passwd(&user) == 0) {
		snprintf(out, PERSON_SIZE, "%s@%s", user.username, host);
		uv_os_free_passwd(&user);
	} else { /* a user id without a name, as in containers */
		snprintf(out, PERSON_SIZE, "%lu@%s", (unsigned long)geteuid(), host);
	}
	for (char *c = out; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~')
			*c = '?';
	return out;
}
