/* sqlite.c: see sqlite.h. Opens, takes requests to their thread, brings answers back to the loop, closes. */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite_inside.h"

static struct sqlite_store *of(const struct store *s)
{
    return (struct sqlite_store *)s; /* `base` is its first member */
}

/* ---- requests and answers ------------------------------------------------------------------------------ */

static void deliver(struct letter *letter)
{
    struct sqlite_call *c = (struct sqlite_call *)letter; /* its first member */
    c->done(c->context, c->answer);
    free(c);
}

void sqlite_deliver(struct sqlite_store *s, struct sqlite_call *c)
{
    c->answer->now = clock_realtime(s->clock);
    c->letter.deliver = deliver;
    mailbox_post(s->mailbox, &c->letter);
}

static void submit(struct store *base, const struct store_request *request, store_done *done, void *context)
{
    struct sqlite_store *s = of(base);
    struct sqlite_call *c = calloc(1, sizeof *c);
    if (c)
        c->answer = answer_create();
    if (!c || !c->answer) {
        fputs("store: out of memory; there is none left even to refuse a request\n", stderr);
        abort();
    }
    c->request = request;
    c->done = done;
    c->context = context;
    if (s->closing) {
        answer_refuse(c->answer, STORE_UNAVAILABLE, "the store is being closed");
        sqlite_deliver(s, c);
    } else if (sqlite_operation(request->operation)->read) {
        sqlite_queue_put(&s->reader.queue, c);
    } else {
        sqlite_queue_put(&s->writer.queue, c);
    }
}

static bool healthy(struct sqlite_health *h, char *problem, size_t size)
{
    if (!atomic_load_explicit(&h->broken, memory_order_acquire))
        return true;
    if (problem && size > 0) {
        pthread_mutex_lock(&h->lock);
        snprintf(problem, size, "%s", h->problem);
        pthread_mutex_unlock(&h->lock);
    }
    return false;
}

static bool ready(const struct store *base, char *problem, size_t size)
{
    struct sqlite_store *s = of(base);
    return healthy(&s->writer.health, problem, size) && healthy(&s->reader.health, problem, size);
}

/* ---- open and close ------------------------------------------------------------------------------------ */

/* Half-opened ones too. */
static void destroy(struct sqlite_store *s)
{
    s->closing = true;
    sqlite_reader_join(&s->reader);
    sqlite_writer_join(&s->writer);
    mailbox_destroy(s->mailbox);
    link_close(&s->reader.link);
    link_close(&s->writer.link); /* last: it checkpoints, and the log goes */
    sqlite_memory_free(&s->writer.memory);
    sqlite_queue_free(&s->reader.queue);
    sqlite_queue_free(&s->writer.queue);
    pthread_mutex_destroy(&s->reader.health.lock);
    pthread_mutex_destroy(&s->writer.health.lock);
    sqlite_lock_drop(s->lock);
    free(s->path);
    free(s);
}

static void close_store(struct store *base)
{
    destroy(of(base));
}

static const struct store_type type = {.submit = submit, .ready = ready, .close = close_store};

static struct sqlite_store *create(const char *path, const struct clock *clock)
{
    struct sqlite_store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->base.type = &type;
    s->clock = clock;
    s->lock = -1;
    s->writer.store = s;
    s->reader.store = s;
    pthread_mutex_init(&s->writer.health.lock, NULL);
    pthread_mutex_init(&s->reader.health.lock, NULL);
    bool queues = sqlite_queue_init(&s->writer.queue);
    queues = sqlite_queue_init(&s->reader.queue) && queues;
    s->path = strdup(path);
    if (queues && s->path && sqlite_memory_init(&s->writer.memory))
        return s;
    destroy(s);
    return NULL;
}

/* SQLite would make it with the umask's mode; its log and its index take the database's mode. */
static enum error_code make_file(const char *path, struct error *e)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(e, ERR_STORE_BROKEN,
                         "cannot open the store %s: %s; check the folder and its permissions", path,
                         error_errno(errno));
    close(fd);
    return ERR_OK;
}

static enum error_code open_links(struct sqlite_store *s, const struct sqlite_key_checks *keys,
                                  struct error *e)
{
    enum error_code code = make_file(s->path, e);
    if (code == ERR_OK)
        code = link_open(&s->writer.link, s->path, true, e);
    if (code == ERR_OK)
        code = sqlite_schema_apply(&s->writer.link, keys, e);
    if (code == ERR_OK)
        code = link_open(&s->reader.link, s->path, false, e);
    if (code != ERR_OK)
        return code;
    int64_t owner = 0;
    if (secret_random(&owner, sizeof owner) != ERR_OK)
        return error_set(e, ERR_INTERNAL, "no random bytes");
    owner |= 1; /* 0 stands for nobody */
    s->writer.link.owner = owner;
    s->reader.link.owner = owner;
    return ERR_OK;
}

static enum error_code open_all(struct sqlite_store *s, const struct sqlite_key_checks *keys,
                                struct event_base *base, struct error *e)
{
    s->lock = sqlite_lock_take(s->path, e);
    if (s->lock < 0)
        return e && e->code != ERR_OK ? e->code : ERR_STORE_LOCKED;
    enum error_code code = open_links(s, keys, e);
    if (code == ERR_OK)
        code = mailbox_create(&s->mailbox, base, e);
    if (code == ERR_OK && (!sqlite_reader_start(&s->reader) || !sqlite_writer_start(&s->writer)))
        code = error_set(e, ERR_INTERNAL, "cannot start the store's threads");
    return code;
}

/* SQLite counts its memory under a process-wide lock unless told not to, which it accepts before its first
 * use only. */
static void configure_library(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum error_code store_sqlite_open(struct store **out, const char *path, const char *const *key_checks,
                                  size_t key_check_count, struct event_base *base, const struct clock *clock,
                                  struct error *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_library);
    *out = NULL;
    struct error own = {0};
    struct sqlite_key_checks keys = {key_checks, key_check_count};
    e = e ? e : &own; /* the lock's code is in it */
    e->code = ERR_OK;
    struct sqlite_store *s = create(path, clock);
    if (!s)
        return error_set(e, ERR_INTERNAL, "out of memory");
    enum error_code code = open_all(s, &keys, base, e);
    if (code != ERR_OK) {
        destroy(s);
        return code;
    }
    *out = &s->base;
    return ERR_OK;
}
