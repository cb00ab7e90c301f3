/* pages.h: what is published, over HTTP: PATH/NAME.crl and PATH/NAME.cer, where NAME is a backend's name (its current
 * CA) or the subjectKeyIdentifier of any of its CAs in hex. RFC 5280 section 4.2.1.13, RFC 2585, caches by RFC 9111.
 *
 * Loop thread.
 */
#pragma once

#include "http/listener.h"
#include "publication/publisher.h"

struct pages;

/* The parts outlive it; NULL when out of memory. */
struct pages *pages_create(const struct publisher *publisher, struct metrics *metrics,
                           const struct clock *clock);
void pages_settings(struct pages *p,
                    const struct publish_settings *settings); /* copied; after each reload again */
/* Answers what is for it. False, and nothing done, for anything else: unknown names too, which are nobody's here. */
bool pages_handle(struct pages *p, struct http_exchange *x);
void pages_free(struct pages *p); /* accepts NULL */
