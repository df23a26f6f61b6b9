/* ask: makes requests over WebSockets that stay open, each socket one at a time.
 *
 *   --venue IP:PORT
 *   --path PATH         of the WebSocket API
 *   --requests FILE     a line a request, as it is sent; socket k sends the lines k, k + C, ... round and round
 *   --connections C     (64)
 *   --seconds S         (5) after --warm (0.5)
 *   --contains TEXT     every answer has to hold this
 *   --server-pid PID    whose CPU to report
 *
 * A frame without an "id" is an event of the server's own and no answer.
 */
#define _GNU_SOURCE
#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    conn c;
    size_t at; /* the request under way */
    int64_t began;
} asker;

static lines requests;
static asker *askers;
static size_t asker_count;
static uint64_t counted;
static int64_t window_from, window_to;
static int epoll;
static const char *contains;
static samples latency;

static void ask(asker *a)
{
    a->began = now_us();
    ws_send(epoll, &a->c, OP_TEXT, requests.line[a->at], strlen(requests.line[a->at]));
}

static void answered(asker *a, const frame *f)
{
    const char *asked = requests.line[a->at];
    int shown = (int)(f->len < 300 ? f->len : 300);
    if (!memmem(f->payload, f->len, contains, strlen(contains)))
        die("%s was answered without %s: %.*s", asked, contains, shown, f->payload);
    int64_t now = now_us();
    if (a->began >= window_from && now < window_to) {
        counted++;
        samples_add(&latency, now - a->began);
    }
    a->at = a->at + asker_count < requests.count ? a->at + asker_count : a->at % asker_count;
    ask(a);
}

static void readable(asker *a)
{
    char *data;
    size_t n, used;
    frame f;
    int got = conn_read(&a->c, &data, &n);
    if (got < 0) return;
    if (!got) die("the server closed a socket without an answer to %s", requests.line[a->at]);
    for (; (used = ws_frame(data, n, &f)); data += used, n -= used) {
        if (f.op == OP_CLOSE) die_closed("a socket", &f);
        if (f.op == OP_PING) ws_send(epoll, &a->c, OP_PONG, f.payload, f.len);
        if (f.op == OP_TEXT && memmem(f.payload, f.len, "\"id\":", 5)) answered(a, &f);
    }
    conn_keep(&a->c, data, n);
}

int main(int argc, char **argv)
{
    program_starts(argc, argv);
    const char *venue = arg("--venue", NULL), *path = arg("--path", NULL);
    double seconds = arg_double("--seconds", 5), warm = arg_double("--warm", 0.5);
    long pid = arg_long("--server-pid", 0);
    struct sockaddr_in to = address_of(venue);
    contains = arg("--contains", "");
    requests = read_lines(arg("--requests", NULL));
    asker_count = (size_t)arg_long("--connections", 64);
    if (asker_count > requests.count) die("there are fewer requests than connections");
    askers = must(calloc(asker_count, sizeof *askers));
    epoll = epoll_create1(0);
    for (size_t i = 0; i < asker_count; i++) {
        ws_open(&askers[i].c, &to, venue, path, "", 0);
        conn_watch(epoll, &askers[i].c, true);
    }
    window_from = now_us() + (int64_t)(warm * 1e6);
    window_to = window_from + (int64_t)(seconds * 1e6);
    double load = -1, used = 0;
    for (size_t i = 0; i < asker_count; i++) {
        askers[i].at = i;
        ask(&askers[i]);
    }
    for (int64_t now; (now = now_us()) < window_to;) {
        struct epoll_event ready[256];
        if (load < 0 && now >= window_from) {
            load = own_cpu();
            used = process_cpu(pid);
        }
        int n = epoll_wait(epoll, ready, 256, 100);
        for (int i = 0; i < n; i++) {
            asker *a = ready[i].data.ptr;
            if (ready[i].events & EPOLLOUT) conn_flush(epoll, &a->c);
            if (ready[i].events & ~(unsigned)EPOLLOUT) readable(a);
        }
    }
    samples_sort(&latency);
    printf("{\"requests\":%llu,\"seconds\":%.3f,\"requests_per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"load_cpu\":%.2f,\"server_cpu\":%.2f}\n",
           (unsigned long long)counted, seconds, (double)counted / seconds, samples_ms(&latency, 0.5),
           samples_ms(&latency, 0.99), (own_cpu() - load) / seconds, (process_cpu(pid) - used) / seconds);
    return 0;
}
