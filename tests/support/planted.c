/* planted.c: four defects on purpose. The test driver runs them as it runs every test program and must call
 * each run red.
 *
 * They happen in a child whose end nobody looks at, as in a test framework that forks:
 * the report that the sanitizer leaves is then the only evidence.
 */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile lost;
static volatile size_t beyond = 16;
static volatile int most = INT_MAX;
static int raced;

static void leak(void)
{
    lost = malloc(100);
    lost = NULL;
}

static void overflow(void)
{
    volatile char *room = malloc(16);
    volatile char *end = room + beyond;

    if (room != NULL)
        *end = 1;
    free((void *)room);
}

static void undefined(void)
{
    most += (int)beyond;
}

static void *count(void *unused)
{
    for (int i = 0; i < 1000; i++)
        raced++;
    return unused;
}

static void race(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, count, NULL) != 0)
        exit(1);
    count(NULL);
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    const char *defect = argc == 2 ? argv[1] : "";
    void (*plant)(void) = strcmp(defect, "leak") == 0        ? leak
                          : strcmp(defect, "overflow") == 0  ? overflow
                          : strcmp(defect, "undefined") == 0 ? undefined
                          : strcmp(defect, "race") == 0      ? race
                                                             : NULL;
    int status;

    if (plant == NULL) {
        fprintf(stderr, "usage: planted leak|overflow|undefined|race\n");
        return 2;
    }
    pid_t child = fork();
    if (child == 0) {
        plant();
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 1;
    return 0;
}
