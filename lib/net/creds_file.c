/*
 * creds_file: static keys of a profile in the shared files (AWS SDKs and Tools Reference Guide, "Shared config and
 * credentials files"). [NAME] in the credentials file, [profile NAME] or [default] in the config file; keys in the
 * credentials file go first. Files are on a local disk, small, and read at start and when they change.
 */
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/creds_provider.h"

struct stamp {
	struct timespec mtime;
	off_t size;
	ino_t inode;
};

struct file_provider {
	struct creds_provider base;
	char *profile;
	bool named; /* somebody asked for this profile: it is an error when it does not exist */
	char *credentials_path;
	char *config_path;
	struct stamp credentials_stamp;
	struct stamp config_stamp;
	char source[160];
};

/* What one file says about the profile. */
struct section {
	const char *profile;
	bool config; /* of the config file */
	bool exists;
	bool no_memory;
	char *access_key;
	char *secret_key;
	char *token;
	char *region;
	char role[32];	  /* the setting that asks for another identity: it overrides keys beside it, "" when none */
	char process[32]; /* the same for one that keys override */
};

static void section_fini(struct section *s)
{
	creds_wipe_free(s->access_key);
	creds_wipe_free(s->secret_key);
	creds_wipe_free(s->token);
	free(s->region);
}

static bool is_key(struct span s, const char *name)
{
	return s.len == strlen(name) && strncasecmp(s.ptr, name, s.len) == 0;
}

static bool is_profile(const struct section *s, struct span section)
{
	static const char prefix[] = "profile";
	size_t len = sizeof(prefix) - 1;

	if (!s->config || span_eq_str(section, "default"))
		return span_eq_str(section, s->profile);
	if (section.len <= len || memcmp(section.ptr, prefix, len) != 0 || !strchr(" \t", section.ptr[len]))
		return false;
	section.ptr += len;
	section.len -= len;
	while (section.len > 0 && strchr(" \t", *section.ptr)) {
		section.ptr++;
		section.len--;
	}
	return span_eq_str(section, s->profile);
}

static void keep(struct section *s, char **field, struct span value)
{
	char *copy = NULL;

	if (value.len > 0 && !(copy = strndup(value.ptr, value.len)))
		s->no_memory = true;
	creds_wipe_free(*field);
	*field = copy;
}

static void on_setting(void *arg, struct span section, struct span key, struct span value)
{
	static const char *const roles[] = {"role_arn",	      "web_identity_token_file", "sso_session",
					    "sso_account_id", "sso_start_url",		 "login_session"};
	struct section *s = arg;

	if (!is_profile(s, section))
		return;
	s->exists = true;
	if (is_key(key, "aws_access_key_id"))
		keep(s, &s->access_key, value);
	else if (is_key(key, "aws_secret_access_key"))
		keep(s, &s->secret_key, value);
	else if (is_key(key, "aws_session_token"))
		keep(s, &s->token, value);
	else if (is_key(key, "region"))
		keep(s, &s->region, value);
	else if (is_key(key, "credential_process") && value.len > 0)
		snprintf(s->process, sizeof(s->process), "credential_process");
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (is_key(key, roles[i]) && value.len > 0 && !s->role[0])
			snprintf(s->role, sizeof(s->role), "%s", roles[i]);
}

/* Paths. */

static char *home_path(const char *below)
{
	const char *home = getenv("HOME");
	struct passwd *found = NULL;
	struct passwd pw;
	char space[4096];
	char *path = NULL;

	if (!home || !*home) {
		if (getpwuid_r(getuid(), &pw, space, sizeof(space), &found) != 0 || !found)
			return strdup("");
		home = pw.pw_dir;
	}
	return asprintf(&path, "%s/%s", home, below) < 0 ? NULL : path;
}

/* The path in variable `name`, else `below` the home directory; "" when there is none. NULL without memory. */
static char *shared_path(const char *name, const char *below)
{
	const char *set = getenv(name);

	if (!set || !*set)
		return home_path(below);
	if (set[0] == '~' && set[1] == '/')
		return home_path(set + 2);
	return strdup(set);
}

static char *config_path(void)
{
	return shared_path("AWS_CONFIG_FILE", ".aws/config");
}

static void stamp_take(const char *path, struct stamp *out)
{
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (stat(path, &st) < 0)
		return;
	out->mtime = st.st_mtim;
	out->size = st.st_size;
	out->inode = st.st_ino;
}

static bool stamp_differs(const char *path, const struct stamp *old)
{
	struct stamp now;

	stamp_take(path, &now);
	return now.mtime.tv_sec != old->mtime.tv_sec || now.mtime.tv_nsec != old->mtime.tv_nsec ||
	       now.size != old->size || now.inode != old->inode;
}

static const char *profile_name(const char *asked, bool *named)
{
	const char *env = getenv("AWS_PROFILE");

	*named = asked || (env && *env);
	return asked ? asked : *named ? env : "default";
}

/* The provider. */

/*
 * 0 also when the file does not exist. A file that may not be read counts as absent when it is the default one: a
 * hardened service has no access to home directories, and that is no mistake.
 */
static int read_section(const char *path, const char *variable, struct section *s, struct err *e)
{
	const char *set = getenv(variable);
	struct err why = {0};
	int rc;

	if (!*path)
		return 0;
	rc = creds_ini_read(path, on_setting, s, &why);
	if (rc == -ERR_NOT_FOUND || (rc == -ERR_SYSTEM && (!set || !*set)))
		return 0;
	if (rc == 0 && s->no_memory)
		rc = err_set(&why, ERR_SYSTEM, "no memory for %s", path);
	if (rc < 0)
		return err_set(e, ERR_AUTH, "shared file %s", why.message);
	return 0;
}

/* Judges what the two files say. `from` is whose keys count, NULL when there are none. */
static enum creds_outcome judge(const struct file_provider *f, const struct section *credentials,
				const struct section *config, const struct section **from, struct err *e)
{
	const struct section *s = credentials->access_key || credentials->secret_key ? credentials : config;
	const char *needs = credentials->role[0] ? credentials->role : config->role;
	bool keys = s->access_key || s->secret_key;

	if (!*needs && !keys)
		needs = credentials->process[0] ? credentials->process : config->process;
	if (*needs) {
		err_set(e, ERR_AUTH,
			"profile \"%s\" needs %s, which is not supported here: give it aws_access_key_id and "
			"aws_secret_access_key, or use the environment or an EC2 instance role",
			f->profile, needs);
		return CREDS_FAILED;
	}
	if (keys && !(s->access_key && s->secret_key)) {
		err_set(e, ERR_AUTH, "profile \"%s\" in %s has %s but not %s", f->profile,
			s->config ? f->config_path : f->credentials_path,
			s->access_key ? "aws_access_key_id" : "aws_secret_access_key",
			s->access_key ? "aws_secret_access_key" : "aws_access_key_id");
		return CREDS_FAILED;
	}
	if (keys) {
		*from = s;
		return CREDS_FOUND;
	}
	if (f->named && !credentials->exists && !config->exists) {
		err_set(e, ERR_AUTH, "profile \"%s\" is neither in %s nor in %s", f->profile, f->credentials_path,
			f->config_path);
		return CREDS_FAILED;
	}
	err_set(e, ERR_AUTH, "shared files (no keys of profile \"%s\" in %s or %s)", f->profile, f->credentials_path,
		f->config_path);
	return CREDS_NONE;
}

static void file_fetch(struct creds_provider *p)
{
	struct file_provider *f = (struct file_provider *)p;
	struct section credentials = {.profile = f->profile};
	struct section config = {.profile = f->profile, .config = true};
	const struct section *from = NULL;
	enum creds_outcome outcome = CREDS_FAILED;
	struct creds_keys keys = {0};
	struct err e = {0};

	/* Before reading: a change while we read shows as one afterwards. */
	stamp_take(f->credentials_path, &f->credentials_stamp);
	stamp_take(f->config_path, &f->config_stamp);
	if (read_section(f->credentials_path, "AWS_SHARED_CREDENTIALS_FILE", &credentials, &e) == 0 &&
	    read_section(f->config_path, "AWS_CONFIG_FILE", &config, &e) == 0)
		outcome = judge(f, &credentials, &config, &from, &e);
	if (outcome == CREDS_FOUND && !creds_keys_set(&keys, span_of(from->access_key), span_of(from->secret_key),
						      span_of(from->token), INT64_MAX)) {
		err_set(&e, ERR_SYSTEM, "no memory for credentials");
		outcome = CREDS_FAILED;
	}
	section_fini(&credentials);
	section_fini(&config);
	creds_fetched(p, outcome, &keys, &e);
}

static bool file_changed(struct creds_provider *p)
{
	const struct file_provider *f = (const struct file_provider *)p;

	return stamp_differs(f->credentials_path, &f->credentials_stamp) ||
	       stamp_differs(f->config_path, &f->config_stamp);
}

static const char *file_source(const struct creds_provider *p)
{
	return ((const struct file_provider *)p)->source;
}

static void file_free(struct creds_provider *p)
{
	struct file_provider *f = (struct file_provider *)p;

	free(f->profile);
	free(f->credentials_path);
	free(f->config_path);
	free(f);
}

struct creds_provider *creds_file_new(const char *profile)
{
	static const struct creds_provider_ops ops = {.fetch = file_fetch,
						      .changed = file_changed,
						      .source = file_source,
						      .free = file_free};
	struct file_provider *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->base.ops = &ops;
	f->profile = strdup(profile_name(profile, &f->named));
	f->credentials_path = shared_path("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
	f->config_path = config_path();
	if (!f->profile || !f->credentials_path || !f->config_path) {
		file_free(&f->base);
		return NULL;
	}
	snprintf(f->source, sizeof(f->source), "shared file [%s]", f->profile);
	return &f->base;
}

char *creds_profile_region(const char *profile)
{
	bool named;
	struct section s = {.profile = profile_name(profile, &named), .config = true};
	char *path = config_path();
	char *region = NULL;

	if (path && *path && creds_ini_read(path, on_setting, &s, NULL) == 0) {
		region = s.region;
		s.region = NULL;
	}
	section_fini(&s);
	free(path);
	return region;
}
