/* keyformat: how an item's primary key becomes the name of its S3 object; the rules are in codec/itemkey.h. */
#ifndef DDB_BASE_KEYFORMAT_H
#define DDB_BASE_KEYFORMAT_H

enum key_format { KEY_FORMAT_PATH, KEY_FORMAT_MD5, KEY_FORMAT_SHA256, KEY_FORMAT_PLAIN };

/* "path", "md5", "sha256", "plain": as in the configuration. */
static inline const char *key_format_name(enum key_format f)
{
	static const char *const names[] = {"path", "md5", "sha256", "plain"};
	return names[f];
}

#endif
