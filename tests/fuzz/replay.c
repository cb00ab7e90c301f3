/* replay.c: a fuzz target without a fuzzer: feeds it every file of the folders and every file that it is
 * given. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    if (!file || fstat(fileno(file), &status) != 0) {
        perror(path);
        return -1;
    }
    size_t size = (size_t)status.st_size;
    uint8_t *data = malloc(size); /* exactly as long, so that a sanitizer sees a read behind it */
    int code = (data || !size) && fread(data, 1, size, file) == size ? 0 : -1;
    fclose(file);
    if (code == 0)
        LLVMFuzzerTestOneInput(data, size);
    free(data);
    return code;
}

static int replay_folder(const char *folder, unsigned *count)
{
    DIR *directory = opendir(folder);
    int code = 0;
    if (!directory) {
        (*count)++;
        return replay(folder);
    }
    for (struct dirent *entry; code == 0 && (entry = readdir(directory));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        code = replay(path);
        (*count)++;
    }
    closedir(directory);
    return code;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++)
        if (replay_folder(argv[i], &count) != 0)
            return EXIT_FAILURE;
    printf("%u inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE; /* an empty corpus proves nothing */
}
