/* The C anchor: the least work that the same wire can be served with, and so a floor for this machine.
 *
 *   plain [--journal FILE]     prints "ready venue=http://HOST:PORT admin=http://HOST:PORT"; ends with its standard input
 *
 * admin:  POST /v1/accounts {"name"} · POST /v1/accounts/NAME/api-keys {"key"} · POST /v1/publish NDJSON
 * venue:  POST | PUT | DELETE /fapi/v1/listenKey with X-MBX-APIKEY · GET /ws/KEY
 *
 * With a journal, all lines that arrived in one turn of the loop are appended and synced (fdatasync) before any of them
 * is answered or delivered: the floor of a durable publish. Nothing is validated, nothing expires, nothing survives a
 * restart, and the proof of a handshake is right for the load programs' one nonce only.
 */
#define _GNU_SOURCE
#include "../load/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { VENUE, ADMIN, PEER, SUBSCRIBER, GONE, INPUT, SLOTS = 1 << 20, LISTEN_KEY = 64 };

typedef struct {
    char *name;
    struct peer **subscribers;
    size_t count, room;
    uint64_t offset;
} account;

typedef struct peer {
    conn c;
    account *account; /* of a subscriber */
    struct peer *next_gone;
} peer;

typedef struct {
    peer *from;
    char *body;
    size_t len;
} publish;

static struct {
    char *key;
    void *value;
} table[SLOTS];

static int epoll, journal = -1;
static peer *gone;
static publish *pending;
static size_t pending_count, pending_room;

/* ---- names ----------------------------------------------------------------------------------------------- */

/* One table for all: "a NAME" -> account, "k API-KEY" -> account, "h API-KEY" -> listen key, "l KEY" -> account. */
static void **slot(char kind, const char *text, size_t n)
{
    uint64_t hash = 14695981039346656037ull ^ (unsigned char)kind;
    for (size_t i = 0; i < n; i++) hash = (hash ^ (unsigned char)text[i]) * 1099511628211ull;
    for (size_t at = (hash ^ hash >> 29) % SLOTS, tries = 0; tries < SLOTS; at = (at + 1) % SLOTS, tries++) {
        if (!table[at].key) {
            table[at].key = must(malloc(n + 2));
            table[at].key[0] = kind;
            memcpy(table[at].key + 1, text, n);
            table[at].key[n + 1] = 0;
            return &table[at].value;
        }
        if (table[at].key[0] == kind && !strncmp(table[at].key + 1, text, n) && !table[at].key[n + 1])
            return &table[at].value;
    }
    die("too many names");
}

static account *account_named(const char *name, size_t n)
{
    void **at = slot('a', name, n);
    if (!*at) {
        account *a = must(calloc(1, sizeof *a));
        a->name = must(strndup(name, n));
        *at = a;
    }
    return *at;
}

/* The string value after `key` in a line of JSON without spaces. */
static const char *string_after(const char *text, size_t n, const char *key, size_t *len)
{
    const char *at = memmem(text, n, key, strlen(key));
    if (!at) return NULL;
    at += strlen(key);
    const char *end = memchr(at, '"', (size_t)(text + n - at));
    *len = end ? (size_t)(end - at) : 0;
    return at;
}

/* ---- answers --------------------------------------------------------------------------------------------- */

static void answer(peer *p, int status, const char *body, size_t n)
{
    char head[128];
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status, n);
    char *whole = must(malloc((size_t)len + n));
    memcpy(whole, head, (size_t)len);
    memcpy(whole + len, body, n);
    conn_send(epoll, &p->c, whole, (size_t)len + n);
    free(whole);
}

static void listen_key_call(peer *p, const char *method, const char *api_key, size_t n)
{
    static const char unknown[] = "{\"code\":-2015,\"msg\":\"Invalid API-key, IP, or permissions for action.\"}";
    static const char none[] = "{\"code\":-1125,\"msg\":\"This listenKey does not exist.\"}";
    static unsigned long made;
    char body[128], fresh[LISTEN_KEY + 1];
    account *a = api_key ? *slot('k', api_key, n) : NULL;
    if (!a) {
        answer(p, 401, unknown, sizeof unknown - 1);
        return;
    }
    void **key = slot('h', api_key, n);
    if (*method == 'P' && method[1] == 'O' && !*key) {
        snprintf(fresh, sizeof fresh, "%064lx", ++made);
        *key = must(strdup(fresh));
        *slot('l', fresh, LISTEN_KEY) = a;
    }
    if (!*key) {
        answer(p, 400, none, sizeof none - 1);
    } else if (*method == 'D') {
        *slot('l', *key, LISTEN_KEY) = NULL;
        free(*key);
        *key = NULL;
        answer(p, 200, "{}", 2);
    } else {
        answer(p, 200, body, (size_t)snprintf(body, sizeof body, "{\"listenKey\":\"%s\"}", (char *)*key));
    }
}

static void handshake(peer *p, const char *key)
{
    static const char accepted[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    account *a = *slot('l', key, strcspn(key, " "));
    if (!a) {
        answer(p, 401, "", 0);
        return;
    }
    if (a->count == a->room) {
        a->room = a->room ? a->room * 2 : 1;
        a->subscribers = must(realloc(a->subscribers, a->room * sizeof *a->subscribers));
    }
    a->subscribers[a->count++] = p;
    p->account = a;
    p->c.kind = SUBSCRIBER;
    conn_send(epoll, &p->c, accepted, sizeof accepted - 1);
}

/* ---- publishing ------------------------------------------------------------------------------------------ */

static void deliver(account *a, const char *event, size_t n)
{
    static char bytes[1 << 16];
    size_t head = n < 126 ? 2 : 4;
    if (n + 4 > sizeof bytes) die("event of %zu bytes", n);
    bytes[0] = (char)0x81;
    bytes[1] = (char)(n < 126 ? n : 126);
    if (head == 4) {
        bytes[2] = (char)(n >> 8);
        bytes[3] = (char)n;
    }
    memcpy(bytes + head, event, n);
    for (size_t i = 0; i < a->count; i++) conn_send(epoll, &a->subscribers[i]->c, bytes, head + n);
}

static void publish_now(const publish *one)
{
    static char answers[1 << 17];
    size_t len = 0, n;
    for (char *line = one->body, *end; line < one->body + one->len; line = end + 1) {
        end = memchr(line, '\n', (size_t)(one->body + one->len - line));
        if (!end) end = one->body + one->len;
        const char *name = string_after(line, (size_t)(end - line), "\"account\":\"", &n);
        const char *event = memmem(line, (size_t)(end - line), "\"event\":", 8);
        if (!name || !event) die("not an event: %.*s", (int)(end - line), line);
        account *a = account_named(name, n);
        deliver(a, event + 8, (size_t)(end - event) - 9);
        len += (size_t)snprintf(answers + len, sizeof answers - len, "{\"epoch\":\"c\",\"offset\":%llu}\n",
                                (unsigned long long)++a->offset);
        if (sizeof answers - len < 100) die("too many events in a POST");
    }
    answer(one->from, 200, answers, len);
}

static void publish_pending(void)
{
    if (!pending_count) return;
    for (size_t i = 0; journal >= 0 && i < pending_count; i++)
        if (write(journal, pending[i].body, pending[i].len) < 0) die("journal: %s", strerror(errno));
    if (journal >= 0 && fdatasync(journal)) die("journal: %s", strerror(errno));
    for (size_t i = 0; i < pending_count; i++) {
        publish_now(&pending[i]);
        free(pending[i].body);
    }
    pending_count = 0;
}

/* ---- connections ----------------------------------------------------------------------------------------- */

static void request(peer *p, char *head, char *body, size_t len)
{
    size_t n;
    char *path = strchr(head, ' ') + 1;
    const char *api_key = strcasestr(head, "\r\nX-MBX-APIKEY: "), *name;
    if (!strncmp(path, "/v1/publish ", 12)) {
        if (pending_count == pending_room) {
            pending_room = pending_room ? pending_room * 2 : 64;
            pending = must(realloc(pending, pending_room * sizeof *pending));
        }
        pending[pending_count] = (publish){p, must(malloc(len)), len};
        memcpy(pending[pending_count++].body, body, len);
    } else if (!strncmp(path, "/v1/accounts/", 13)) {
        if (!(name = string_after(body, len, "\"key\":\"", &n))) die("an API key without a key");
        *slot('k', name, n) = account_named(path + 13, strcspn(path + 13, "/"));
        answer(p, 201, body, len);
    } else if (!strncmp(path, "/v1/accounts ", 13)) {
        answer(p, 201, body, len);
    } else if (!strncmp(path, "/ws/", 4)) {
        handshake(p, path + 4);
    } else {
        if (api_key) api_key += 16;
        listen_key_call(p, head, api_key, api_key ? strcspn(api_key, "\r") : 0);
    }
}

static void lost(peer *p)
{
    account *a = p->account;
    for (size_t i = 0; a && i < a->count; i++)
        if (a->subscribers[i] == p) {
            a->subscribers[i] = a->subscribers[--a->count];
            break;
        }
    conn_close(&p->c, false);
    p->c.kind = GONE;
    p->next_gone = gone;
    gone = p;
}

static void readable(peer *p)
{
    char *data, *blank;
    size_t n;
    int got = conn_read(&p->c, &data, &n);
    if (got < 0) return;
    if (!got) {
        lost(p);
        return;
    }
    if (p->c.kind == SUBSCRIBER) return; /* pongs */
    while ((blank = memmem(data, n, "\r\n\r\n", 4))) {
        *blank = 0;
        char *length = strcasestr(data, "\r\nContent-Length: "), *body = blank + 4;
        size_t head = (size_t)(body - data), len = length ? strtoul(length + 18, NULL, 10) : 0;
        if (head + len > n) {
            *blank = '\r';
            break;
        }
        request(p, data, body, len);
        data += head + len;
        n -= head + len;
    }
    conn_keep(&p->c, data, n);
}

static void accept_all(int listener)
{
    int one = 1;
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        peer *p = must(calloc(1, sizeof *p));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        p->c.fd = fd;
        p->c.kind = PEER;
        conn_watch(epoll, &p->c, true);
    }
}

static int listen_on(peer *p, int kind)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof any;
    p->c = (conn){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .kind = kind};
    if (bind(p->c.fd, (struct sockaddr *)&any, n) || listen(p->c.fd, 4096)) die("listen: %s", strerror(errno));
    getsockname(p->c.fd, (struct sockaddr *)&any, &n);
    conn_watch(epoll, &p->c, true);
    return ntohs(any.sin_port);
}

int main(int argc, char **argv)
{
    static peer venue, admin, input = {.c = {.fd = 0, .kind = INPUT}};
    program_starts(argc, argv);
    alarm(0);
    send_errors_are_fatal = false;
    epoll = epoll_create1(0);
    const char *path = arg("--journal", "");
    if (*path && (journal = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0600)) < 0) die("%s: %s", path, strerror(errno));
    conn_watch(epoll, &input.c, true);
    int venue_port = listen_on(&venue, VENUE), admin_port = listen_on(&admin, ADMIN);
    printf("ready venue=http://127.0.0.1:%d admin=http://127.0.0.1:%d\n", venue_port, admin_port);
    fflush(stdout);
    for (;;) {
        struct epoll_event ready[256];
        int n = epoll_wait(epoll, ready, 256, -1);
        for (int i = 0; i < n; i++) {
            peer *p = ready[i].data.ptr;
            if (p->c.kind == INPUT) return 0;
            if (p->c.kind == GONE) continue;
            if (p->c.kind == VENUE || p->c.kind == ADMIN) {
                accept_all(p->c.fd);
                continue;
            }
            if (ready[i].events & EPOLLOUT) conn_flush(epoll, &p->c);
            if (ready[i].events & ~(unsigned)EPOLLOUT) readable(p);
        }
        publish_pending();
        while (gone) {
            peer *next = gone->next_gone;
            free(gone);
            gone = next;
        }
    }
}
