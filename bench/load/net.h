/* What the load programs share: time, buffers, sockets, HTTP replies, WebSocket frames, percentiles.
 *
 * The programs are closed worlds: one thread, one epoll loop, loopback only. Each prints one JSON object on
 * standard output and exits 0, or says on standard error what was wrong and exits 1. A figure is never printed
 * for a run in which an event was lost, doubled, reordered or altered.
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

/* ---- failing, arguments, time ---------------------------------------------------------------------------- */

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void program_starts(int argc, char **argv); /* remembers the arguments, ignores SIGPIPE, arms the --limit alarm */
const char *arg(const char *name, const char *fallback); /* --name VALUE; dies when absent and fallback is NULL */
long arg_long(const char *name, long fallback);
double arg_double(const char *name, double fallback);
int64_t now_us(void);              /* monotonic */
double own_cpu(void);              /* seconds of CPU used by this process so far */
double process_cpu(long pid);      /* the same of another one, all threads; 0 when pid is 0 */
void *must(void *allocated);       /* dies on NULL */
void raise_fd_limit(void);

/* ---- percentiles ----------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t *us;
    size_t count, cap;
} samples;

void samples_add(samples *s, int64_t us);
void samples_sort(samples *s);
double samples_ms(const samples *s, double quantile); /* after samples_sort */

/* ---- text files ------------------------------------------------------------------------------------------ */

typedef struct {
    char **line; /* without the newline */
    size_t count;
} lines;

lines read_lines(const char *path);
char *next_field(char **rest); /* cuts at the next tab; NULL at the end */

/* ---- connections ----------------------------------------------------------------------------------------- */

typedef struct conn {
    int fd;
    char *in; /* received, not consumed */
    size_t in_len;
    char *out; /* accepted for sending, not taken by the kernel yet */
    size_t out_at, out_len, out_cap;
    bool armed; /* waiting for EPOLLOUT */
    int kind;   /* of the program's own choosing */
} conn;

extern bool send_errors_are_fatal; /* true; a server turns it off and learns of a lost peer by reading */

struct sockaddr_in address_of(const char *host_port);
void conn_connect(conn *c, const struct sockaddr_in *to, bool block, int source); /* source: 0 any, n: 127.0.0.n */
void conn_watch(int epoll, conn *c, bool first);
void conn_send(int epoll, conn *c, const void *data, size_t n);
void conn_flush(int epoll, conn *c);
/* Reads once. 1: *data and *n are all unconsumed bytes (valid until the next call on any connection);
 * 0: the peer closed; -1: nothing there. What is not consumed has to be given back with conn_keep. */
int conn_read(conn *c, char **data, size_t *n);
void conn_keep(conn *c, const char *rest, size_t n);
void conn_close(conn *c, bool reset);

/* ---- HTTP ------------------------------------------------------------------------------------------------ */

typedef struct {
    int status;
    char *body;
    size_t len;
    bool closes;
} reply;

/* Bytes consumed by one whole reply, 0 while it is incomplete. Chunked bodies are joined in place. */
size_t reply_read(char *data, size_t n, reply *r);

/* ---- WebSocket ------------------------------------------------------------------------------------------- */

enum { OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

typedef struct {
    int op;
    const char *payload;
    size_t len;
} frame;

_Noreturn void die_closed(const char *whose, const frame *close);
size_t ws_request(char *to, size_t cap, const char *host, const char *path, const char *header);
/* Consumed bytes of an accepted handshake, 0 while incomplete; dies when it is refused and `fatal`, else -1. */
long ws_accepted(const char *data, size_t n, bool fatal, int *status);
size_t ws_frame(char *data, size_t n, frame *f); /* one unfragmented server frame; 0 while incomplete */
void ws_send(int epoll, conn *c, int op, const void *payload, size_t n); /* masked */
void ws_open(conn *c, const struct sockaddr_in *to, const char *host, const char *path, const char *header, int source);

#endif
