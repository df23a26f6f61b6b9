/* calls: makes HTTP requests over keep-alive connections, each connection one at a time.
 *
 *   --server IP:PORT
 *   --requests FILE     a line a request: STATUS <tab> METHOD <tab> PATH <tab> HEADER <tab> BODY ("-" for none);
 *                       STATUS is what the answer has to begin with: 200, or 2 for any of 2xx
 *   --header LINE       one more header, for every request
 *   --connections C     (64)
 *   --seconds S         go round and round for S seconds, connection k with the lines k, k + C, …; after --warm (0.5)
 *                       without it: each request once, in the file's order
 *   --out FILE          (once) the answers, a line each: STATUS <tab> BODY
 *   --contains TEXT     every body has to hold this
 *   --server-pid PID    whose CPU to report
 */
#define _GNU_SOURCE
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *bytes;
    size_t len;
    const char *status, *what;
    char *answer;
} request;

typedef struct {
    conn c;
    size_t at; /* the request under way */
    bool busy;
    int64_t began;
} client;

static request *requests;
static client *clients;
static size_t request_count, client_count, next_once, answered;
static uint64_t reconnects, counted;
static bool once;
static int64_t window_from, window_to;
static int epoll;
static struct sockaddr_in to;
static const char *contains;
static samples latency;

static void load_requests(const char *path, const char *host)
{
    lines all = read_lines(path);
    const char *common = arg("--header", "");
    requests = must(calloc(all.count, sizeof *requests));
    for (size_t i = 0; i < all.count; i++) {
        char *rest = all.line[i], length[64] = "";
        request *r = &requests[i];
        r->status = next_field(&rest);
        const char *method = next_field(&rest), *target = next_field(&rest), *header = next_field(&rest), *body = rest;
        if (!body) die("line %zu of %s has not five fields", i + 1, path);
        if (!strcmp(body, "-")) body = "";
        if (*body || strcmp(method, "GET")) snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
        bool has_header = strcmp(header, "-");
        int n = asprintf(&r->bytes, "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s%s%s%s\r\n%s", method, target, host, common,
                         *common ? "\r\n" : "", has_header ? header : "", has_header ? "\r\n" : "", length, body);
        if (n < 0) die("out of memory");
        r->len = (size_t)n;
        r->what = target;
    }
    request_count = all.count;
}

static void start(client *k)
{
    if (once && next_once == request_count) {
        k->busy = false;
        return;
    }
    if (once) k->at = next_once++;
    k->busy = true;
    k->began = now_us();
    conn_send(epoll, &k->c, requests[k->at].bytes, requests[k->at].len);
}

static void open_client(client *k)
{
    conn_connect(&k->c, &to, true, 0);
    conn_watch(epoll, &k->c, true);
}

static void check(request *q, const reply *r)
{
    char status[8];
    snprintf(status, sizeof status, "%d", r->status);
    if (strncmp(status, q->status, strlen(q->status)))
        die("%s answered %d, not %s: %.*s", q->what, r->status, q->status, (int)(r->len < 300 ? r->len : 300), r->body);
    if (*contains && !memmem(r->body, r->len, contains, strlen(contains)))
        die("%s answered without %s: %.*s", q->what, contains, (int)(r->len < 300 ? r->len : 300), r->body);
    if (!once) return;
    if (asprintf(&q->answer, "%d\t%.*s", r->status, (int)r->len, r->body) < 0) die("out of memory");
    for (char *at = q->answer; (at = strchr(at, '\n'));) *at = ' ';
}

static void readable(client *k)
{
    char *data;
    size_t n, used;
    reply r;
    int got = conn_read(&k->c, &data, &n);
    if (got < 0) return;
    if (!got) die("the server closed a connection without an answer to %s", requests[k->at].what);
    if (!(used = reply_read(data, n, &r))) {
        conn_keep(&k->c, data, n);
        return;
    }
    if (used != n) die("more than one answer to %s", requests[k->at].what);
    int64_t now = now_us();
    check(&requests[k->at], &r);
    answered++;
    if (once || (k->began >= window_from && now < window_to)) {
        counted++;
        samples_add(&latency, now - k->began);
    }
    if (r.closes) {
        reconnects++;
        conn_close(&k->c, false);
        open_client(k);
    }
    if (!once) k->at = k->at + client_count < request_count ? k->at + client_count : k->at % client_count;
    start(k);
}

static void write_answers(const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file) die("%s: %s", path, strerror(errno));
    for (size_t i = 0; i < request_count; i++) fprintf(file, "%s\n", requests[i].answer);
    if (fclose(file)) die("%s: %s", path, strerror(errno));
}

int main(int argc, char **argv)
{
    program_starts(argc, argv);
    const char *server = arg("--server", NULL), *out = arg("--out", "");
    double seconds = arg_double("--seconds", 0), warm = arg_double("--warm", 0.5);
    long pid = arg_long("--server-pid", 0);
    to = address_of(server);
    contains = arg("--contains", "");
    load_requests(arg("--requests", NULL), server);
    once = seconds <= 0;
    client_count = (size_t)arg_long("--connections", 64);
    if (client_count > request_count) client_count = request_count;
    clients = must(calloc(client_count, sizeof *clients));
    epoll = epoll_create1(0);
    for (size_t i = 0; i < client_count; i++) open_client(&clients[i]);

    int64_t began = now_us();
    window_from = began + (once ? 0 : (int64_t)(warm * 1e6));
    window_to = window_from + (int64_t)(seconds * 1e6);
    double load = once ? own_cpu() : -1, used = once ? process_cpu(pid) : 0;
    for (size_t i = 0; i < client_count; i++) {
        clients[i].at = i;
        start(&clients[i]);
    }
    for (int64_t now; (now = now_us()), once ? answered < request_count : now < window_to;) {
        struct epoll_event ready[256];
        if (load < 0 && now >= window_from) {
            load = own_cpu();
            used = process_cpu(pid);
        }
        int n = epoll_wait(epoll, ready, 256, 100);
        for (int i = 0; i < n; i++) {
            client *k = ready[i].data.ptr;
            if (ready[i].events & EPOLLOUT) conn_flush(epoll, &k->c);
            if (ready[i].events & ~(unsigned)EPOLLOUT) readable(k);
        }
    }
    if (once) seconds = (double)(now_us() - began) / 1e6;
    if (*out) write_answers(out);
    samples_sort(&latency);
    printf("{\"requests\":%llu,\"seconds\":%.3f,\"requests_per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"reconnects\":%llu,\"load_cpu\":%.2f,\"server_cpu\":%.2f}\n",
           (unsigned long long)counted, seconds, (double)counted / seconds, samples_ms(&latency, 0.5),
           samples_ms(&latency, 0.99), (unsigned long long)reconnects, (own_cpu() - load) / seconds,
           (process_cpu(pid) - used) / seconds);
    return 0;
}
