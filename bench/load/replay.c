/* replay: one reader catches up from the start of a journal, checking every event.
 *
 *   --venue IP:PORT --path PATH --header LINE   the request; LINE is the credential's header
 *   --events N         how many the journal holds
 *   --bare 1           a venue's socket: the events alone, without offsets; else the native stream
 *   --pongs 0          answer no Ping, so that nothing is ever confirmed and the next reader is sent the same
 *   --server-pid PID   whose CPU to report
 *
 * Messages must be one JSON object each, offsets 1 to N without a gap, and the events' own numbers ascending by one
 * (the mark that `stream` writes). Timed from sending the request to having read the last event.
 */
#define _GNU_SOURCE
#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t expected_offset = 1, bytes;
static long expected_number = -1, bare, pongs;

static uint64_t number_after(const frame *f, const char *key)
{
    const char *at = memmem(f->payload, f->len, key, strlen(key));
    if (!at) die("no %s in %.*s", key, (int)f->len, f->payload);
    return strtoull(at + strlen(key), NULL, 10);
}

static void take(const frame *f)
{
    if (f->op == OP_CLOSE) die_closed("the native stream", f);
    if (f->op != OP_TEXT) return;
    if (f->len < 12 || f->payload[0] != '{' || f->payload[f->len - 1] != '}') die("not an object");
    if (!memcmp(f->payload, "{\"position\"", 11)) return;
    if (!bare && !memmem(f->payload, f->len, "\"event\":{", 9)) die("a gap, an end or no event: %.*s", (int)f->len, f->payload);
    uint64_t offset = bare ? expected_offset : number_after(f, "\"offset\":");
    if (offset != expected_offset) die("offset %llu after %llu", (unsigned long long)offset, (unsigned long long)expected_offset - 1);
    expected_offset++;
    const char *mark = memmem(f->payload, f->len, "\"c\":\"", 5);
    if (!mark) die("not an event of `stream`");
    long number = strtol(mark + 5 + 11, NULL, 10);
    if (expected_number >= 0 && number != expected_number) die("event %ld where %ld was due", number, expected_number);
    expected_number = number + 1;
    bytes += f->len;
}

int main(int argc, char **argv)
{
    program_starts(argc, argv);
    const char *venue = arg("--venue", NULL);
    struct sockaddr_in to = address_of(venue);
    uint64_t events = (uint64_t)arg_long("--events", 200000);
    long pid = arg_long("--server-pid", 0);
    bare = arg_long("--bare", 0);
    pongs = arg_long("--pongs", 1);
    int epoll = epoll_create1(0), got;
    conn c = {0};
    char *data;
    size_t n, used;
    frame f;
    int64_t start = now_us(), first = 0;
    double load = own_cpu(), server = process_cpu(pid);
    ws_open(&c, &to, venue, arg("--path", NULL), arg("--header", ""), 0);
    conn_watch(epoll, &c, true);
    while (expected_offset <= events) {
        struct epoll_event ready;
        if (epoll_wait(epoll, &ready, 1, 10000) < 1) die("silence after %llu events", (unsigned long long)expected_offset - 1);
        if ((got = conn_read(&c, &data, &n)) < 0) continue;
        if (!got) die("closed after %llu events", (unsigned long long)expected_offset - 1);
        for (; (used = ws_frame(data, n, &f)); data += used, n -= used) {
            if (f.op == OP_PING && pongs) ws_send(epoll, &c, OP_PONG, f.payload, f.len);
            take(&f);
        }
        if (!first && expected_offset > 1) first = now_us();
        conn_keep(&c, data, n);
    }
    double seconds = (double)(now_us() - start) / 1e6;
    printf("{\"events\":%llu,\"seconds\":%.3f,\"events_per_s\":%.0f,\"mb_per_s\":%.1f,\"first_ms\":%.2f,"
           "\"load_cpu\":%.2f,\"server_cpu\":%.2f}\n",
           (unsigned long long)events, seconds, (double)events / seconds, (double)bytes / seconds / 1e6,
           (double)(first - start) / 1e3, (own_cpu() - load) / seconds, (process_cpu(pid) - server) / seconds);
    return 0;
}
