/* dial: opens WebSockets, many at a time, as fast as the server lets it.
 *
 *   --venue IP:PORT
 *   --paths FILE     request paths, used in turn
 *   --count N        sockets a round (as many as there are paths)
 *   --parallel K     handshakes under way at once (256)
 *   --rounds R       after each round all sockets are reset at once and dialled again: a reconnect storm (2)
 *   --expect STATUS  101; 401 measures refusals
 *   --sources S      spread over the addresses 127.0.0.1 to 127.0.0.S (1)
 *   --hold 1         one round; then print "held" and keep the sockets open, answering pings, until standard input
 *                    ends; a socket that the server closed meanwhile is an error
 *   --server-pid PID whose CPU to report
 *
 * A handshake counts when its 101 has arrived with the right proof.
 */
#define _GNU_SOURCE
#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIALLING, OPEN, OVER, INPUT };

typedef struct {
    conn c;
    int64_t began;
} dialled;

static dialled *sockets;
static long count, parallel, sources, next_path, under_way, done;
static int epoll, expected;
static const char *venue;
static struct sockaddr_in to;
static lines paths;
static samples latency;

static void dial(long i)
{
    static char request[4096];
    dialled *s = &sockets[i];
    size_t n = ws_request(request, sizeof request, venue, paths.line[next_path++ % (long)paths.count], "");
    s->began = now_us();
    s->c.kind = DIALLING;
    conn_connect(&s->c, &to, false, sources > 1 ? 1 + (int)(i % sources) : 0);
    s->c.out = must(malloc(n));
    memcpy(s->c.out, request, n);
    s->c.out_len = s->c.out_cap = n;
    s->c.armed = true; /* sent when the connection is there */
    conn_watch(epoll, &s->c, true);
    under_way++;
}

static void finished(dialled *s, int kind)
{
    samples_add(&latency, now_us() - s->began);
    s->c.kind = kind;
    under_way--;
    done++;
}

static void take_frames(dialled *s, char *data, size_t n)
{
    frame f;
    for (size_t used; (used = ws_frame(data, n, &f)); data += used, n -= used) {
        if (f.op == OP_CLOSE) die_closed("an open socket", &f);
        if (f.op == OP_PING) ws_send(epoll, &s->c, OP_PONG, f.payload, f.len);
        if (f.op == OP_BINARY) ws_send(epoll, &s->c, OP_TEXT, "Pong", 4); /* a BingX heartbeat */
    }
    conn_keep(&s->c, data, n);
}

static void readable(dialled *s)
{
    char *data;
    size_t n;
    int status = 0, got = conn_read(&s->c, &data, &n);
    if (got < 0) return;
    if (s->c.kind == OVER) {
        if (!got) conn_close(&s->c, true);
        return;
    }
    if (!got) die(s->c.kind == OPEN ? "the server closed an open socket" : "the server closed during a handshake");
    if (s->c.kind == OPEN) {
        take_frames(s, data, n);
        return;
    }
    long used = ws_accepted(data, n, expected == 101, &status);
    if (!used) {
        conn_keep(&s->c, data, n);
        return;
    }
    if (status != expected) die("handshake answered %d, not %d", status, expected);
    finished(s, status == 101 ? OPEN : OVER);
    if (status == 101) {
        free(s->c.out);
        s->c.out = NULL;
        s->c.out_cap = 0;
        take_frames(s, data + used, n - (size_t)used);
    } else {
        conn_close(&s->c, false);
    }
}

static bool serve_ready(int wait_ms)
{
    struct epoll_event ready[256];
    int n = epoll_wait(epoll, ready, 256, wait_ms);
    for (int i = 0; i < n; i++) {
        dialled *s = ready[i].data.ptr;
        if (s->c.kind == INPUT) {
            char byte;
            if (read(0, &byte, 1) <= 0) return false;
            continue;
        }
        if (ready[i].events & EPOLLOUT) conn_flush(epoll, &s->c);
        if (ready[i].events & ~(unsigned)EPOLLOUT) readable(s);
    }
    return true;
}

static double dial_all(void)
{
    int64_t start = now_us();
    done = 0;
    for (long i = 0; done < count;) {
        while (under_way < parallel && i < count) dial(i++);
        serve_ready(1000);
    }
    return (double)(now_us() - start) / 1e6;
}

static void hold(void)
{
    static dialled input = {.c = {.fd = 0, .kind = INPUT}};
    printf("{\"held\":%ld}\n", count);
    fflush(stdout);
    conn_watch(epoll, &input.c, true);
    while (serve_ready(1000)) {}
}

int main(int argc, char **argv)
{
    program_starts(argc, argv);
    venue = arg("--venue", NULL);
    to = address_of(venue);
    paths = read_lines(arg("--paths", NULL));
    count = arg_long("--count", (long)paths.count);
    parallel = arg_long("--parallel", 256);
    sources = arg_long("--sources", 1);
    expected = (int)arg_long("--expect", 101);
    long rounds = arg_long("--rounds", 2), pid = arg_long("--server-pid", 0);
    bool holding = arg_long("--hold", 0);
    sockets = must(calloc((size_t)count, sizeof *sockets));
    epoll = epoll_create1(0);
    if (holding) {
        dial_all();
        hold();
        return 0;
    }
    printf("{\"rounds\":[");
    for (long r = 0; r < rounds; r++) {
        double load = own_cpu(), server = process_cpu(pid), seconds;
        latency.count = 0;
        for (long i = 0; r && i < count; i++)
            if (sockets[i].c.fd > 0) conn_close(&sockets[i].c, true);
        seconds = dial_all();
        samples_sort(&latency);
        printf("%s{\"handshakes_per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"load_cpu\":%.2f,\"server_cpu\":%.2f}",
               r ? "," : "", (double)count / seconds, samples_ms(&latency, 0.5), samples_ms(&latency, 0.99),
               (own_cpu() - load) / seconds, (process_cpu(pid) - server) / seconds);
    }
    printf("],\"count\":%ld}\n", count);
    return 0;
}
