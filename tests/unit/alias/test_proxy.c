/* test_proxy.c: who may enrol on behalf of devices. */
#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alias/proxy.h"
#include "unit/alias/made.h"

static struct made ca, stranger, proxy;
static char file[] = "/tmp/proxy.XXXXXX";

static void set_up(void)
{
    ca = make((struct made_order){.name = "Proxy CA", .ca = true});
    stranger = make((struct made_order){.name = "Proxy CA", .ca = true}); /* the same name, another key */
    proxy = make((struct made_order){.name = "proxy", .issuer = &ca});
    close(mkstemp(file));
    made_write(file, &ca, false);
}

static void tear_down(void)
{
    unlink(file);
    made_free(&ca);
    made_free(&stranger);
    made_free(&proxy);
}

TestSuite(proxy, .init = set_up, .fini = tear_down);

static int64_t now(void)
{
    return (int64_t)time(NULL) * 1000;
}

static struct proxy_signers *by_issuer(void)
{
    char *files[] = {file};
    struct proxy_signer_settings s = {.issuers = {files, 1}};
    struct proxy_signers *p = NULL;
    struct error e = {0};
    cr_assert_eq(proxy_signers_create(&p, &s, &e), ERR_OK, "%s", e.text);
    return p;
}

Test(proxy, nobody_without_settings)
{
    struct proxy_signer_settings s = {0};
    struct proxy_signers *p = (void *)1;
    cr_assert_eq(proxy_signers_create(&p, &s, NULL), ERR_OK);
    cr_assert_null(p);
    cr_assert_not(proxy_signers_allow(NULL, proxy.certificate, now()));
    proxy_signers_free(NULL);
}

Test(proxy, issued_by_a_named_ca_and_valid)
{
    struct proxy_signers *p = by_issuer();
    cr_assert(proxy_signers_allow(p, proxy.certificate, now()));
    cr_assert_not(proxy_signers_allow(p, proxy.certificate, now() + 2 * 86400000LL));
    cr_assert_not(proxy_signers_allow(p, proxy.certificate, now() - 2 * 86400000LL));
    struct made forged = make((struct made_order){.name = "proxy", .issuer = &stranger});
    cr_assert_not(proxy_signers_allow(p, forged.certificate, now()));
    struct made below = make((struct made_order){.name = "below", .issuer = &proxy});
    cr_assert_not(proxy_signers_allow(p, below.certificate, now())); /* directly, not through others */
    made_free(&forged);
    made_free(&below);
    proxy_signers_free(p);
}

Test(proxy, named_by_fingerprint)
{
    uint8_t hash[32];
    char text[65 + 32];
    X509_digest(proxy.certificate, EVP_sha256(), hash, NULL);
    for (int i = 0; i < 32; i++)
        snprintf(text + 3 * i, 4, "%02X%s", hash[i], i < 31 ? ":" : "");
    char *texts[] = {text};
    struct proxy_signer_settings s = {.fingerprints = {texts, 1}};
    struct proxy_signers *p;
    struct error e = {0};
    cr_assert_eq(proxy_signers_create(&p, &s, &e), ERR_OK, "%s", e.text);
    cr_assert(proxy_signers_allow(p, proxy.certificate, now()));
    cr_assert_not(proxy_signers_allow(p, ca.certificate, now()));
    proxy_signers_free(p);
}

Test(proxy, faults_are_named)
{
    struct error e = {0};
    struct proxy_signers *p;
    char *texts[] = {(char *)(uintptr_t) "abcd"}, *missing[] = {(char *)(uintptr_t) "/nowhere/ca.pem"},
         *files[] = {file};
    struct proxy_signer_settings s = {.fingerprints = {texts, 1}};
    cr_assert_eq(proxy_signers_create(&p, &s, &e), ERR_SETTINGS_INVALID);
    cr_assert(strstr(e.text, "abcd") && !p);
    s = (struct proxy_signer_settings){.issuers = {missing, 1}};
    cr_assert_eq(proxy_signers_create(&p, &s, &e), ERR_FILE_UNREADABLE);
    cr_assert(strstr(e.text, "/nowhere/ca.pem"));
    FILE *f = fopen(file, "w");
    fputs("no certificate here", f);
    fclose(f);
    s = (struct proxy_signer_settings){.issuers = {files, 1}};
    cr_assert_eq(proxy_signers_create(&p, &s, &e), ERR_KEY_UNUSABLE);
    cr_assert(strstr(e.text, file));
}
