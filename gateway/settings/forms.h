/* forms.h: what texts must look like: the `check` functions of rows (see block.h). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

bool form_address(char *text, char *why, size_t size);       /* HOST:PORT */
bool form_loopback(char *text, char *why, size_t size);      /* HOST:PORT of this machine only */
bool form_redis_address(char *text, char *why, size_t size); /* HOST:PORT or the path of a socket */
bool form_key_prefix(char *text, char *why, size_t size);    /* of the keys in Redis */
bool form_host(char *text, char *why, size_t size);          /* made lower case */
bool form_url_path(char *text, char *why, size_t size);      /* without slash at its end */
bool form_web_url(char *text, char *why, size_t size);       /* http:// or https:// */
bool form_user(char *text, char *why, size_t size);          /* of the system: a name or a number */
bool form_name(char *text, char *why, size_t size);          /* of an alias, a tenant, a backend */
bool form_pattern(char *text, char *why, size_t size);       /* PCRE2 */
bool form_subject_field(char *text, char *why, size_t size); /* a name that OpenSSL knows, or a dotted OID */
bool form_curve(char *text, char *why, size_t size);         /* NIST's name, or OpenSSL's short one */
bool form_fingerprint(char *text, char *why, size_t size);   /* SHA-256; made 64 lower-case digits */
bool form_subject(char *text, char *why, size_t size);       /* RFC 2253, roughly: "CN=…" */
