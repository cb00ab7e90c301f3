/* manual.c: a gate at which people decide: which requests are held, and how people hear of them. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/backend.h"
#include "backends/manual/command.h"
#include "backends/manual/patterns.h"
#include "backends/manual/post.h"

#define SECOND       1000LL
#define DAY          (86400 * SECOND)
#define PROBLEM_SIZE 320
#define REASON_SIZE  160

struct manual {
    struct backend_host *host;
    const struct backend_services *services;
    bool all, no_challenge, match, over_quota, renewal; /* `when` */
    bool renewals_pass;
    struct patterns *subjects, *names; /* NULL: none */
    int approvals;
    int64_t quota, quota_period;
    char quota_reason[REASON_SIZE];
    char **command; /* ended by NULL; NULL: none. Its texts are the host's */
    struct post post;
    int64_t deadline;
};

static const struct backend_setting settings[] = {
    {"then", BACKEND_SETTING_BACKEND, 1, 64, .required = true,
     .help = "The backend that gets what passes or was approved. Its CA is what GetCACert shows, and it "
             "certifies the RA."},
    {"when", BACKEND_SETTING_CHOICES, 1, 5, "[all]", "all no_challenge match over_quota renewal",
     .help =
         "Which requests are held; one reason suffices. all: every one. no_challenge: those without a "
         "challenge, which are refused otherwise, and all of an alias that asks for none. match: those "
         "with a "
         "subject or name of `match`. over_quota: those beyond `quota`. renewal: those that are signed with "
         "the certificate that they renew."},
    {"renewals_pass", BACKEND_SETTING_BOOL, .initial = "false",
     .help = "Such renewals are not held, whatever else `when` says, and do not count for `quota`."},
    {"match.subject", BACKEND_SETTING_LIST, 0, 256,
     .help = "Regular expressions (PCRE2); one must match the whole subject, written as in RFC 2253."},
    {"match.san", BACKEND_SETTING_LIST, 0, 256,
     .help = "Regular expressions; one must match a whole subject alternative name, written with its kind: "
             "dns:host.example, email:, ip:, uri:, upn:, directory:, other:."},
    {"quota", BACKEND_SETTING_INT, 1, 1000000,
     .help = "How many requests of an alias pass within `quota_period` before further ones are held."},
    {"quota_period", BACKEND_SETTING_DURATION, 60 * SECOND, 7 * DAY, "1d", .help = "The period of `quota`."},
    {"approvals", BACKEND_SETTING_INT, 1, 4, "1",
     .help = "How many different people have to approve a request: 2 for four eyes. One denial ends it. "
             "`admin.approvers` says who may, beside root and the gateway's own user."},
    {"notify.command", BACKEND_SETTING_LIST, 0, 64,
     .help =
         "A program, by its path, and its arguments; it gets a JSON object on its standard input for every "
         "request that is held, and must end with status 0. No shell is involved."},
    {"notify.url", BACKEND_SETTING_TEXT, 8, 2048,
     .help = "Where the JSON object is posted to, by http or https; the answer must have a status from 200 "
             "to 299."},
    {"notify.token", BACKEND_SETTING_SECRET, .help = "Sent to `notify.url` as a bearer token."},
    {"notify.ca", BACKEND_SETTING_PATH,
     .help = "PEM file of the CA that `notify.url` is trusted by, instead of the system's."},
    {"notify.deadline", BACKEND_SETTING_DURATION, SECOND, 30 * SECOND, "10s",
     .help = "After this time a notification has failed. What failed is repeated, with growing pauses, while "
             "the request waits."},
};

static const char *text_of(const struct manual *m, const char *path)
{
    return m->services->setting_text(m->host, path);
}

static int64_t number_of(const struct manual *m, const char *path)
{
    return m->services->setting_number(m->host, path);
}

/* ---- open and close ------------------------------------------------------------------------------------ */

static bool say(char *problem, size_t size, const char *sentence)
{
    snprintf(problem, size, "%s", sentence);
    return false;
}

static void read_when(struct manual *m)
{
    const struct {
        const char *word;
        bool *flag;
    } words[] = {{"all", &m->all},
                 {"no_challenge", &m->no_challenge},
                 {"match", &m->match},
                 {"over_quota", &m->over_quota},
                 {"renewal", &m->renewal}};
    for (size_t i = 0; i < m->services->setting_count(m->host, "when"); i++)
        for (size_t w = 0; w < sizeof words / sizeof *words; w++)
            if (!strcmp(m->services->setting_item(m->host, "when", i), words[w].word))
                *words[w].flag = true;
}

/* The texts of a list, ended by NULL; NULL when there are none, or no memory. */
static char **texts_of(const struct manual *m, const char *path, size_t *count)
{
    *count = m->services->setting_count(m->host, path);
    char **texts = *count ? calloc(*count + 1, sizeof *texts) : NULL;
    for (size_t i = 0; texts && i < *count; i++)
        texts[i] = (char *)m->services->setting_item(m->host, path, i);
    return texts;
}

static bool read_patterns(const struct manual *m, const char *path, struct patterns **out, char *problem,
                          size_t size)
{
    size_t count;
    char **texts = texts_of(m, path, &count);
    bool good =
        count == 0 || (texts && patterns_create(out, (const char *const *)texts, count, problem, size));
    if (count > 0 && !texts)
        say(problem, size, "out of memory");
    free(texts);
    return good;
}

static bool read_rules(struct manual *m, char *problem, size_t size)
{
    read_when(m);
    m->renewals_pass = number_of(m, "renewals_pass") != 0;
    if (m->renewals_pass && m->renewal)
        return say(problem, size, "`when` says renewal, but `renewals_pass` is true");
    m->approvals = (int)number_of(m, "approvals");
    m->quota = number_of(m, "quota");
    m->quota_period = number_of(m, "quota_period");
    if (!read_patterns(m, "match.subject", &m->subjects, problem, size) ||
        !read_patterns(m, "match.san", &m->names, problem, size))
        return false;
    bool patterns = m->subjects || m->names;
    if (m->match && !patterns)
        return say(problem, size, "`when` says match, so `match.subject` or `match.san` must have patterns");
    if (!m->match && patterns)
        return say(problem, size, "`match` has patterns, but `when` does not say match");
    if (m->over_quota && m->quota < 1)
        return say(problem, size, "`when` says over_quota, so `quota` must be set");
    if (!m->over_quota && m->quota > 0)
        return say(problem, size, "`quota` is set, but `when` does not say over_quota");
    snprintf(m->quota_reason, sizeof m->quota_reason, "more than %lld requests passed within %lld minutes",
             (long long)m->quota, (long long)(m->quota_period / (60 * SECOND)));
    return true;
}

static bool read_hook(struct manual *m, char *problem, size_t size)
{
    size_t count;
    m->command = texts_of(m, "notify.command", &count);
    if (count > 0 && !m->command)
        return say(problem, size, "out of memory");
    if (m->command && m->command[0][0] != '/')
        return say(problem, size, "`notify.command` must begin with the whole path of a program");
    m->deadline = number_of(m, "notify.deadline");
    m->post = (struct post){.url = text_of(m, "notify.url"),
                            .token = text_of(m, "notify.token"),
                            .ca = text_of(m, "notify.ca"),
                            .deadline = m->deadline};
    if (!m->post.url)
        return true;
    if (strncmp(m->post.url, "http://", 7) != 0 && strncmp(m->post.url, "https://", 8) != 0)
        return say(problem, size, "`notify.url` must begin with http:// or https://");
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK || say(problem, size, "libcurl cannot be used");
}

static void manual_close(void *instance)
{
    struct manual *m = instance;
    if (!m)
        return;
    patterns_free(m->subjects);
    patterns_free(m->names);
    free(m->command);
    free(m);
}

static bool manual_open(void **instance, struct backend_host *host, const struct backend_services *services,
                        char *problem, size_t problem_size)
{
    *instance = NULL;
    struct manual *m = calloc(1, sizeof *m);
    if (!m)
        return say(problem, problem_size, "out of memory");
    m->host = host;
    m->services = services;
    if (!read_rules(m, problem, problem_size) || !read_hook(m, problem, problem_size)) {
        manual_close(m);
        return false;
    }
    *instance = m;
    return true;
}

/* ---- admission ----------------------------------------------------------------------------------------- */

static bool has_name(const struct manual *m, const struct backend_facts *facts)
{
    bool found = m->subjects && patterns_match(m->subjects, facts->subject);
    for (size_t i = 0; m->names && !found && i < facts->name_count; i++)
        found = patterns_match(m->names, facts->names[i]);
    return found;
}

static const char *why_held(const struct manual *m, const struct backend_facts *facts)
{
    if (m->no_challenge && facts->challenge != BACKEND_CHALLENGE_GOOD)
        return "it has no challenge";
    if (facts->challenge == BACKEND_CHALLENGE_MISSING)
        return NULL; /* nobody said that such requests may wait: it is refused */
    if (m->renewal && facts->renewal)
        return "it renews a certificate";
    if (m->match && has_name(m, facts))
        return "its subject or a name of it is one that people decide about";
    return m->all ? "every request is held" : NULL;
}

static void manual_admit(void *instance, const struct backend_request *request,
                         const struct backend_facts *facts, struct backend_admission *admission)
{
    const struct manual *m = instance;
    (void)request;
    if (m->renewals_pass && facts->renewal)
        return;
    admission->reason = why_held(m, facts);
    admission->hold = admission->reason != NULL;
    admission->approvals = m->approvals;
    if (admission->hold || !m->over_quota)
        return;
    admission->pass_limit = (int)m->quota;
    admission->pass_period = m->quota_period;
    admission->limit_reason = m->quota_reason;
}

/* ---- announcements ------------------------------------------------------------------------------------- */

struct announcement {
    const struct manual *manual;
    backend_announced *done;
    void *context;
    char *notice;
    bool delivered;
    char problem[PROBLEM_SIZE];
};

static void announcement_free(struct announcement *a)
{
    if (a)
        free(a->notice);
    free(a);
}

static void announcement_run(void *data)
{
    struct announcement *a = data;
    const struct manual *m = a->manual;
    a->delivered =
        (!m->command || command_run(m->command, a->notice, m->deadline, a->problem, sizeof a->problem)) &&
        (!m->post.url || post_json(&m->post, a->notice, a->problem, sizeof a->problem));
}

static void announcement_done(void *data)
{
    struct announcement *a = data;
    a->done(a->context, a->delivered ? NULL : a->problem);
    announcement_free(a);
}

/* "Nobody is told" is delivered by the next turn of the loop, like everything else. */
static bool manual_announce(void *instance, const char *notice, backend_announced *done, void *context)
{
    struct manual *m = instance;
    struct announcement *a = calloc(1, sizeof *a);
    if (!a || !(a->notice = strdup(notice))) {
        announcement_free(a);
        return false;
    }
    a->manual = m;
    a->done = done;
    a->context = context;
    if (m->services->work(m->host, announcement_run, announcement_done, a))
        return true;
    announcement_free(a);
    return false;
}

extern const struct backend_type manual_type;
const struct backend_type manual_type = {
    .abi = BACKEND_ABI,
    .name = "manual",
    .help = "A gate in front of another backend: people approve or deny the requests that it holds.",
    .settings = settings,
    .setting_count = sizeof settings / sizeof *settings,
    .open = manual_open,
    .close = manual_close,
    .admit = manual_admit,
    .announce = manual_announce,
};
