/* See net.h. */
#define _GNU_SOURCE
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- failing, arguments, time ---------------------------------------------------------------------------- */

static int arg_count;
static char **arg_values;

void die(const char *format, ...)
{
    va_list list;
    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    exit(1);
}

static void out_of_time(int signal)
{
    static const char text[] = "load program: time limit reached (--limit)\n";
    (void)signal;
    if (write(2, text, sizeof text - 1) < 0) _exit(2);
    _exit(1);
}

void program_starts(int argc, char **argv)
{
    arg_count = argc;
    arg_values = argv;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, out_of_time);
    alarm((unsigned)arg_long("--limit", 120));
    raise_fd_limit();
}

const char *arg(const char *name, const char *fallback)
{
    for (int i = 1; i + 1 < arg_count; i++)
        if (!strcmp(arg_values[i], name)) return arg_values[i + 1];
    if (!fallback) die("%s is missing", name);
    return fallback;
}

long arg_long(const char *name, long fallback)
{
    const char *text = arg(name, "");
    return *text ? strtol(text, NULL, 10) : fallback;
}

double arg_double(const char *name, double fallback)
{
    const char *text = arg(name, "");
    return *text ? strtod(text, NULL) : fallback;
}

int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

double own_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double process_cpu(long pid)
{
    char path[64], text[1024];
    unsigned long user = 0, kernel = 0;
    if (!pid) return 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) die("process %ld is gone", pid);
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    char *after = strrchr(text, ')');
    if (!after || sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
        die("cannot read %s", path);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

void *must(void *allocated)
{
    if (!allocated) die("out of memory");
    return allocated;
}

void raise_fd_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) die("getrlimit: %s", strerror(errno));
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit)) die("setrlimit: %s", strerror(errno));
}

/* ---- percentiles ----------------------------------------------------------------------------------------- */

void samples_add(samples *s, int64_t us)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 65536;
        s->us = must(realloc(s->us, s->cap * sizeof *s->us));
    }
    s->us[s->count++] = us < 0 ? 0 : (uint32_t)us;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void samples_sort(samples *s)
{
    qsort(s->us, s->count, sizeof *s->us, by_size);
}

double samples_ms(const samples *s, double quantile)
{
    if (!s->count) return 0;
    size_t at = (size_t)(quantile * (double)s->count);
    return s->us[at < s->count ? at : s->count - 1] / 1000.0;
}

/* ---- text files ------------------------------------------------------------------------------------------ */

lines read_lines(const char *path)
{
    lines all = {0};
    size_t cap = 0, room = 0;
    char *text = NULL;
    ssize_t n;
    FILE *file = fopen(path, "r");
    if (!file) die("%s: %s", path, strerror(errno));
    while ((n = getline(&text, &room, file)) >= 0) {
        if (n && text[n - 1] == '\n') text[n - 1] = 0;
        if (all.count == cap) {
            cap = cap ? cap * 2 : 1024;
            all.line = must(realloc(all.line, cap * sizeof *all.line));
        }
        all.line[all.count++] = must(strdup(text));
    }
    free(text);
    fclose(file);
    if (!all.count) die("%s is empty", path);
    return all;
}

char *next_field(char **rest)
{
    return strsep(rest, "\t");
}

/* ---- connections ----------------------------------------------------------------------------------------- */

enum { SCRATCH = 4 << 20, READ_ONCE = 256 << 10 };
static char scratch[SCRATCH];
bool send_errors_are_fatal = true;

struct sockaddr_in address_of(const char *host_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    char host[64];
    int port;
    if (sscanf(host_port, "%63[0-9.]:%d", host, &port) != 2 || !inet_aton(host, &a.sin_addr))
        die("not IP:PORT: %s", host_port);
    if ((ntohl(a.sin_addr.s_addr) >> 24) != 127) die("only loopback is allowed: %s", host_port);
    a.sin_port = htons((uint16_t)port);
    return a;
}

void conn_connect(conn *c, const struct sockaddr_in *to, bool block, int source)
{
    int one = 1;
    *c = (conn){.fd = socket(AF_INET, SOCK_STREAM | (block ? 0 : SOCK_NONBLOCK), 0), .kind = c->kind};
    if (c->fd < 0) die("socket: %s", strerror(errno));
    if (source) {
        struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000u + (unsigned)source)};
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(c->fd, (struct sockaddr *)&from, sizeof from)) die("bind: %s", strerror(errno));
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (const struct sockaddr *)to, sizeof *to) && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
}

void conn_watch(int epoll, conn *c, bool first)
{
    struct epoll_event e = {.events = EPOLLIN | (c->armed ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(epoll, first ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &e)) die("epoll_ctl: %s", strerror(errno));
}

void conn_flush(int epoll, conn *c)
{
    while (c->out_at < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, 0);
        if (n < 0 && errno != EAGAIN) {
            if (send_errors_are_fatal) die("send: %s", strerror(errno));
            c->out_at = c->out_len;
        }
        if (n < 0) break;
        c->out_at += (size_t)n;
    }
    if (c->out_at == c->out_len) c->out_at = c->out_len = 0;
    bool arm = c->out_len > 0;
    if (arm != c->armed) {
        c->armed = arm;
        conn_watch(epoll, c, false);
    }
}

void conn_send(int epoll, conn *c, const void *data, size_t n)
{
    if (c->out_len + n > c->out_cap) {
        c->out_cap = (c->out_len + n) * 2;
        c->out = must(realloc(c->out, c->out_cap));
    }
    memcpy(c->out + c->out_len, data, n);
    c->out_len += n;
    conn_flush(epoll, c);
}

int conn_read(conn *c, char **data, size_t *n)
{
    if (c->in_len + READ_ONCE > SCRATCH) die("a message is larger than %d bytes", SCRATCH - READ_ONCE);
    ssize_t got = recv(c->fd, scratch + c->in_len, READ_ONCE, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return -1;
    if (got <= 0) return 0;
    memcpy(scratch, c->in, c->in_len);
    *data = scratch;
    *n = c->in_len + (size_t)got;
    free(c->in);
    c->in = NULL;
    c->in_len = 0;
    return 1;
}

void conn_keep(conn *c, const char *rest, size_t n)
{
    if (!n) return;
    c->in = must(malloc(n));
    memcpy(c->in, rest, n);
    c->in_len = n;
}

void conn_close(conn *c, bool reset)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (reset) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(c->fd);
    free(c->in);
    free(c->out);
    *c = (conn){.fd = -1, .kind = c->kind};
}

/* ---- HTTP ------------------------------------------------------------------------------------------------ */

static const char *header_value(const char *head, size_t n, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = head, *end = head + n; (p = memchr(p, '\n', (size_t)(end - p))) && ++p + len < end;)
        if (!strncasecmp(p, name, len) && p[len] == ':') {
            for (p += len + 1; *p == ' '; p++) {}
            return p;
        }
    return NULL;
}

/* Joins the chunks at `body`; returns the bytes consumed, 0 while the last one is missing. */
static size_t join_chunks(char *body, size_t n, size_t *joined)
{
    size_t at = 0;
    struct { size_t from, len; } piece[256];
    int pieces = 0;
    for (;;) {
        char *line_end = memmem(body + at, n - at, "\r\n", 2);
        if (!line_end) return 0;
        size_t len = strtoul(body + at, NULL, 16);
        at = (size_t)(line_end - body) + 2;
        if (at + len + 2 > n) return 0;
        if (!len) break;
        if (pieces == 256) die("a reply of more than 256 chunks");
        piece[pieces].from = at;
        piece[pieces++].len = len;
        at += len + 2;
    }
    *joined = 0;
    for (int i = 0; i < pieces; i++) {
        memmove(body + *joined, body + piece[i].from, piece[i].len);
        *joined += piece[i].len;
    }
    return at + 2;
}

size_t reply_read(char *data, size_t n, reply *r)
{
    char *blank = memmem(data, n, "\r\n\r\n", 4);
    if (!blank) return 0;
    size_t head = (size_t)(blank - data) + 4;
    if (head < 16 || memcmp(data, "HTTP/1.1 ", 9)) die("not an HTTP/1.1 reply: %.40s", data);
    *r = (reply){.status = atoi(data + 9), .body = data + head};
    const char *value = header_value(data, head, "connection");
    r->closes = value && !strncasecmp(value, "close", 5);
    if ((value = header_value(data, head, "content-length"))) {
        r->len = strtoul(value, NULL, 10);
        return head + r->len <= n ? head + r->len : 0;
    }
    if ((value = header_value(data, head, "transfer-encoding")) && !strncasecmp(value, "chunked", 7)) {
        size_t used = join_chunks(r->body, n - head, &r->len);
        return used ? head + used : 0;
    }
    if (r->status != 204 && r->status != 304) die("a reply %d without length", r->status);
    return head;
}

/* ---- WebSocket ------------------------------------------------------------------------------------------- */

/* The nonce of RFC 6455's own example, so that the proof of the handshake is known without SHA-1. */
static const char nonce[] = "dGhlIHNhbXBsZSBub25jZQ==";
static const char proof[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

void die_closed(const char *whose, const frame *close)
{
    const uint8_t *p = (const uint8_t *)close->payload;
    int code = close->len < 2 ? 1005 : p[0] << 8 | p[1], text = close->len < 2 ? 0 : (int)close->len - 2;
    die("%s: closed by the server: %d %.*s", whose, code, text, close->payload + 2);
}

size_t ws_request(char *to, size_t cap, const char *host, const char *path, const char *header)
{
    int n = snprintf(to, cap,
                     "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s%s\r\n",
                     path, host, nonce, header, *header ? "\r\n" : "");
    if (n < 0 || (size_t)n >= cap) die("path too long: %s", path);
    return (size_t)n;
}

long ws_accepted(const char *data, size_t n, bool fatal, int *status)
{
    const char *blank = memmem(data, n, "\r\n\r\n", 4);
    if (!blank) return 0;
    size_t head = (size_t)(blank - data) + 4;
    *status = atoi(data + 9);
    if (*status != 101 && fatal) die("handshake refused: %.*s", (int)(n < 300 ? n : 300), data);
    if (*status != 101) return -1;
    const char *value = header_value(data, head, "sec-websocket-accept");
    if (!value || strncmp(value, proof, sizeof proof - 1)) die("wrong Sec-WebSocket-Accept");
    return (long)head;
}

size_t ws_frame(char *data, size_t n, frame *f)
{
    const uint8_t *p = (const uint8_t *)data;
    size_t head = 2;
    if (n < 2) return 0;
    if (!(p[0] & 0x80) || (p[0] & 0x70)) die("a fragmented frame, or one with reserved bits: %02x", p[0]);
    if (p[1] & 0x80) die("a masked frame from the server");
    f->op = p[0] & 15;
    f->len = p[1];
    if (f->len == 126) {
        if (n < 4) return 0;
        f->len = (size_t)p[2] << 8 | p[3];
        head = 4;
    } else if (f->len == 127) {
        if (n < 10) return 0;
        f->len = 0;
        for (int i = 2; i < 10; i++) f->len = f->len << 8 | p[i];
        head = 10;
    }
    f->payload = data + head;
    return f->len <= n - head ? head + f->len : 0;
}

void ws_send(int epoll, conn *c, int op, const void *payload, size_t n)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    char bytes[2048 + 8];
    size_t head = 2;
    if (n > 2048) die("this client sends short messages only");
    bytes[0] = (char)(0x80 | op);
    bytes[1] = (char)(0x80 | (n > 125 ? 126 : n));
    if (n > 125) {
        bytes[2] = (char)(n >> 8);
        bytes[3] = (char)n;
        head = 4;
    }
    memcpy(bytes + head, mask, 4);
    head += 4;
    for (size_t i = 0; i < n; i++) bytes[head + i] = (char)(((const uint8_t *)payload)[i] ^ mask[i & 3]);
    conn_send(epoll, c, bytes, head + n);
}

void ws_open(conn *c, const struct sockaddr_in *to, const char *host, const char *path, const char *header, int source)
{
    char request[2048], *data;
    int status;
    size_t n;
    conn_connect(c, to, true, source);
    n = ws_request(request, sizeof request, host, path, header);
    if (send(c->fd, request, n, 0) != (ssize_t)n) die("handshake: %s", strerror(errno));
    for (long used = 0; !used;) {
        if (conn_read(c, &data, &n) != 1) die("the server closed during the handshake on %s", path);
        used = ws_accepted(data, n, true, &status);
        conn_keep(c, data + used, n - (size_t)used);
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}
