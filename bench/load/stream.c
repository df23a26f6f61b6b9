/* stream: publishes events and reads them back on user-data sockets, checking every one.
 *
 *   --venue IP:PORT --admin IP:PORT --token T --stream S
 *   --subscribers FILE  a line a socket: ACCOUNT <tab> PATH; PATH "-" is an account without a socket
 *   --rate R            events a second, open loop: each millisecond its share falls due, and goes out in one POST; an
 *                       event's time counts from then, whether it was posted at once or had to wait
 *   --window W          closed loop instead: at most W events published and not yet read by all their sockets
 *   --batch B           events a POST in the closed loop (100)
 *   --publishers P      keep-alive connections that publish (8); an account belongs to one of them
 *   --events N          stop after N events (closed loop), else after --warm (1) and --seconds (5)
 *   --gzip 1            sockets must get binary frames of one gzip member each
 *   --server-pid PID    whose CPU to report
 *
 * Every socket must get its own account's events, byte for byte, each once and in order; every published line must
 * be answered with an offset that is one more than the account's last. Before the first event of this run a socket may
 * be told again what came in an earlier one; publishing begins when that is over.
 */
#define _GNU_SOURCE
#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <zlib.h>

enum { EVENT = 349, MARK = 36, MAX_LINE = 600, MAX_POST = 1000, IN_A_TICK_US = 1000 };
enum { PUBLISHER, SOCKET, TICK };

/* A futures order update. Its client order id carries run, account, number and time, all of fixed width. */
static const char event_form[] =
    "{\"e\":\"ORDER_TRADE_UPDATE\",\"E\":1732180000000,\"T\":1732179999999,\"o\":{\"s\":\"BTCUSDT\",\"c\":\"%s\","
    "\"S\":\"SELL\",\"o\":\"LIMIT\",\"f\":\"GTC\",\"q\":\"0.001\",\"p\":\"9910\",\"ap\":\"0\",\"sp\":\"0\",\"x\":\"NEW\","
    "\"X\":\"NEW\",\"i\":8886774,\"l\":\"0\",\"z\":\"0\",\"L\":\"0\",\"n\":\"0\",\"N\":\"USDT\",\"t\":0,\"b\":\"0\",\"a\":\"9.91\","
    "\"m\":false,\"R\":false,\"ps\":\"LONG\",\"rp\":\"%.*s\"}}";

typedef struct {
    char name[72];
    char line[MAX_LINE]; /* the NDJSON line to publish, its mark rewritten for each event */
    int line_len, event_at, mark_at;
    uint32_t sent, acked;
    uint64_t offset;
    char epoch[32];
    int sockets;
} account;

typedef struct {
    conn c;
    int account;
    uint32_t expected;
    const char *path;
} subscriber;

typedef struct {
    int account;
    int64_t due;
} due_event;

typedef struct {
    conn c;
    due_event *queue; /* due and not posted (open loop) */
    size_t queued, room;
    int in_flight[MAX_POST], in_flight_len; /* accounts of the POST that is being answered */
    int next_account;
} publisher;

static account *accounts;
static subscriber *subscribers;
static publisher *publishers;
static size_t account_count, subscriber_count, publisher_count, socket_count;
static int epoll, chunk = 1;
static char run_id[16];
static uint64_t repeated;
static bool gzip;
static double rate;
static uint64_t sent, acked, delivered, to_deliver, posts; /* to_deliver: frames that the published events owe */
static int64_t window_from, window_to;
static uint64_t window_frames, window_acked;
static samples latency;
static char post_head[512];
static z_stream inflater;

/* ---- events ---------------------------------------------------------------------------------------------- */

static void account_init(account *a, const char *name, int number, const char *stream)
{
    char mark[64], event[EVENT + 64];
    static const char zeros[] = "00000000000000000000000000000000";
    snprintf(a->name, sizeof a->name, "%s", name);
    snprintf(mark, sizeof mark, "%4s-%05d-%08d-%016d", run_id, number, 0, 0);
    if (strlen(mark) != MARK) die("the mark has %zu bytes", strlen(mark));
    int bare = snprintf(event, sizeof event, event_form, mark, 0, zeros);
    if (bare > EVENT || EVENT - bare > (int)sizeof zeros - 1) die("the event form has %d bytes", bare);
    snprintf(event, sizeof event, event_form, mark, EVENT - bare, zeros);
    a->event_at = snprintf(NULL, 0, "{\"account\":\"%s\",\"stream\":\"%s\",\"event\":", name, stream);
    a->line_len = snprintf(a->line, MAX_LINE, "{\"account\":\"%s\",\"stream\":\"%s\",\"event\":%s}\n", name, stream, event);
    if (a->line_len >= MAX_LINE) die("account name too long");
    a->mark_at = (int)(strstr(a->line, mark) - a->line);
}

static void digits(char *to, int width, uint64_t value)
{
    for (int i = width - 1; i >= 0; i--, value /= 10) to[i] = (char)('0' + value % 10);
}

static uint64_t number(const char *text, int width)
{
    uint64_t value = 0;
    for (int i = 0; i < width; i++) value = value * 10 + (uint64_t)(text[i] - '0');
    return value;
}

static void check_event(subscriber *s, const char *event, size_t n, int64_t now)
{
    const account *a = &accounts[s->account];
    const char *wanted = a->line + a->event_at, *mark;
    int at = a->mark_at - a->event_at;
    if (n != EVENT || memcmp(event, wanted, (size_t)at))
        die("socket of %s: not the event that was published: %.*s", a->name, (int)(n < 200 ? n : 200), event);
    mark = event + at;
    if ((int)number(mark + 5, 5) != s->account) die("socket of %s: an event of account %.5s", a->name, mark + 5);
    if (memcmp(mark, run_id, 4)) {
        if (s->expected) die("socket of %s: an event of an earlier run", a->name);
        repeated++;
        return;
    }
    uint32_t got = (uint32_t)number(mark + 11, 8);
    if (got != s->expected) die("socket of %s: event %u where %u was due", a->name, got, s->expected);
    if (memcmp(mark + MARK, wanted + at + MARK, (size_t)(EVENT - at - MARK))) die("socket of %s: altered event", a->name);
    s->expected++;
    delivered++;
    int64_t due = (int64_t)number(mark + 20, 16);
    if (rate > 0 ? due >= window_from && due < window_to : now >= window_from && now < window_to) {
        window_frames++;
        samples_add(&latency, now - due);
    }
}

/* ---- publishing ------------------------------------------------------------------------------------------ */

static int stamp(account *a, int64_t when)
{
    digits(a->line + a->mark_at + 11, 8, a->sent++);
    digits(a->line + a->mark_at + 20, 16, (uint64_t)when);
    sent++;
    to_deliver += (uint64_t)a->sockets;
    return a->line_len;
}

static void post(publisher *p, const due_event *events, size_t n)
{
    static char body[MAX_POST * MAX_LINE + 512];
    size_t head, len = 0;
    for (size_t i = 0; i < n; i++) len += (size_t)accounts[events[i].account].line_len;
    head = (size_t)snprintf(body, sizeof body, "%sContent-Length: %zu\r\n\r\n", post_head, len);
    for (size_t i = 0, at = head; i < n; i++) {
        account *a = &accounts[events[i].account];
        stamp(a, events[i].due);
        memcpy(body + at, a->line, (size_t)a->line_len);
        at += (size_t)a->line_len;
        p->in_flight[i] = events[i].account;
    }
    p->in_flight_len = (int)n;
    posts++;
    conn_send(epoll, &p->c, body, head + len);
}

static void post_what_is_due(publisher *p)
{
    if (p->in_flight_len || !p->queued) return;
    size_t n = p->queued < MAX_POST ? p->queued : MAX_POST;
    post(p, p->queue, n);
    p->queued -= n;
    memmove(p->queue, p->queue + n, p->queued * sizeof *p->queue);
}

static publisher *publisher_of(size_t account)
{
    return &publishers[account / (size_t)chunk % publisher_count];
}

static void make_due(int64_t from, int64_t until)
{
    static uint64_t next;
    for (;; next++) {
        int64_t due = from + (int64_t)((double)next * 1e6 / rate) / IN_A_TICK_US * IN_A_TICK_US;
        if (due > until) break;
        size_t a = next % account_count;
        publisher *p = publisher_of(a);
        if (p->queued == p->room) {
            p->room = p->room ? p->room * 2 : 256;
            p->queue = must(realloc(p->queue, p->room * sizeof *p->queue));
        }
        p->queue[p->queued++] = (due_event){(int)a, due};
    }
    for (size_t i = 0; i < publisher_count; i++) post_what_is_due(&publishers[i]);
}

static void keep_window_full(long window, long batch, uint64_t limit)
{
    static due_event events[MAX_POST];
    double fan = account_count ? (double)socket_count / (double)account_count : 0;
    int64_t now = now_us();
    for (size_t i = 0; i < publisher_count; i++) {
        publisher *p = &publishers[i];
        double open = fan > 0 ? (double)(to_deliver - delivered) / fan : (double)(sent - acked);
        if (p->in_flight_len || open + (double)batch > (double)window || sent >= limit) continue;
        for (long k = 0; k < batch; k++) {
            events[k] = (due_event){p->next_account, now};
            p->next_account += (int)publisher_count;
            if ((size_t)p->next_account >= account_count) p->next_account %= (int)publisher_count;
        }
        post(p, events, (size_t)batch);
    }
}

static void check_answer(account *a, char *line)
{
    char *at = strstr(line, "\"offset\":"), *epoch = strstr(line, "\"epoch\":\"");
    if (!at || !epoch) die("publish for %s answered %.200s", a->name, line);
    uint64_t offset = strtoull(at + 9, NULL, 10);
    size_t n = strcspn(epoch + 9, "\"");
    if (n >= sizeof a->epoch) die("epoch too long: %s", line);
    if (a->acked && (offset != a->offset + 1 || strncmp(a->epoch, epoch + 9, n) || a->epoch[n]))
        die("%s: offset %s:%llu was followed by %s", a->name, a->epoch, (unsigned long long)a->offset, line);
    memcpy(a->epoch, epoch + 9, n);
    a->epoch[n] = 0;
    a->offset = offset;
    a->acked++;
    acked++;
}

static void read_answers(publisher *p)
{
    char *data;
    size_t n, used;
    reply r;
    int got = conn_read(&p->c, &data, &n);
    if (got < 0) return;
    if (!got) die("the server closed a publishing connection");
    if (!(used = reply_read(data, n, &r))) {
        conn_keep(&p->c, data, n);
        return;
    }
    if (r.status != 200 || r.closes || used != n) die("publish was answered %.400s", data);
    int lines = 0;
    for (char *line = r.body, *end; line < r.body + r.len; line = end + 1) {
        end = memchr(line, '\n', (size_t)(r.body + r.len - line));
        if (!end) end = r.body + r.len;
        *end = 0;
        if (end == line) continue;
        if (lines == p->in_flight_len) die("more answers than events");
        check_answer(&accounts[p->in_flight[lines++]], line);
    }
    if (lines != p->in_flight_len) die("%d answers for %d events", lines, p->in_flight_len);
    int64_t now = now_us();
    if (now >= window_from && now < window_to) window_acked += (uint64_t)lines;
    p->in_flight_len = 0;
    if (rate > 0) post_what_is_due(p);
}

/* ---- sockets --------------------------------------------------------------------------------------------- */

static void take_frame(subscriber *s, const frame *f, int64_t now)
{
    static char plain[MAX_LINE];
    if (f->op == OP_PING) {
        ws_send(epoll, &s->c, OP_PONG, f->payload, f->len);
    } else if (f->op == OP_CLOSE) {
        die_closed(accounts[s->account].name, f);
    } else if (f->op != (gzip ? OP_BINARY : OP_TEXT)) {
        die("socket of %s: frame of kind %d", accounts[s->account].name, f->op);
    } else if (!gzip) {
        check_event(s, f->payload, f->len, now);
    } else {
        inflateReset(&inflater);
        inflater.next_in = (Bytef *)(uintptr_t)f->payload;
        inflater.avail_in = (unsigned)f->len;
        inflater.next_out = (Bytef *)plain;
        inflater.avail_out = sizeof plain;
        if (inflate(&inflater, Z_FINISH) != Z_STREAM_END || inflater.avail_in) die("not one gzip member");
        size_t n = sizeof plain - inflater.avail_out;
        if (n == 4 && !memcmp(plain, "Ping", 4))
            ws_send(epoll, &s->c, OP_TEXT, "Pong", 4);
        else
            check_event(s, plain, n, now);
    }
}

static void read_socket(subscriber *s)
{
    char *data;
    size_t n, used;
    frame f;
    int got = conn_read(&s->c, &data, &n);
    int64_t now = now_us();
    if (got < 0) return;
    if (!got) die("socket of %s: lost", accounts[s->account].name);
    for (; (used = ws_frame(data, n, &f)); data += used, n -= used) take_frame(s, &f, now);
    conn_keep(&s->c, data, n);
}

/* ---- run ------------------------------------------------------------------------------------------------- */

static void serve_ready(int tick, int wait_ms)
{
    struct epoll_event ready[256];
    int n = epoll_wait(epoll, ready, 256, wait_ms);
    for (int i = 0; i < n; i++) {
        conn *c = ready[i].data.ptr;
        uint64_t ticks;
        if (c->kind == TICK) {
            if (read(tick, &ticks, sizeof ticks) < 0) continue;
            continue;
        }
        if (ready[i].events & EPOLLOUT) conn_flush(epoll, c);
        if (!(ready[i].events & ~(unsigned)EPOLLOUT)) continue;
        if (c->kind == PUBLISHER)
            read_answers((publisher *)c);
        else
            read_socket((subscriber *)c);
    }
}

static void load_subscribers(const char *stream)
{
    lines all = read_lines(arg("--subscribers", NULL));
    subscribers = must(calloc(all.count, sizeof *subscribers));
    accounts = must(calloc(all.count, sizeof *accounts));
    for (size_t i = 0; i < all.count; i++) {
        char *rest = all.line[i], *name = next_field(&rest), *path = next_field(&rest);
        size_t a = account_count;
        if (!path) die("a line without a tab in --subscribers");
        if (!a || strcmp(accounts[a - 1].name, name)) { /* the lines of one account stand together */
            if (account_count == 100000) die("too many accounts");
            account_init(&accounts[account_count], name, (int)account_count, stream);
            a = ++account_count;
        }
        if (!strcmp(path, "-")) continue;
        subscribers[subscriber_count++] = (subscriber){.c.kind = SOCKET, .account = (int)a - 1, .path = path};
        accounts[a - 1].sockets++;
        socket_count++;
    }
}

static void connect_all(void)
{
    const char *venue = arg("--venue", NULL), *admin = arg("--admin", NULL);
    struct sockaddr_in to_venue = address_of(venue), to_admin = address_of(admin);
    for (size_t i = 0; i < subscriber_count; i++) {
        ws_open(&subscribers[i].c, &to_venue, venue, subscribers[i].path, "", 0);
        conn_watch(epoll, &subscribers[i].c, true);
    }
    publisher_count = (size_t)arg_long("--publishers", 8);
    if (publisher_count > account_count) publisher_count = account_count;
    publishers = must(calloc(publisher_count, sizeof *publishers));
    for (size_t i = 0; i < publisher_count; i++) {
        publishers[i].c.kind = PUBLISHER;
        publishers[i].next_account = (int)i;
        conn_connect(&publishers[i].c, &to_admin, false, 0);
        conn_watch(epoll, &publishers[i].c, true);
    }
    snprintf(post_head, sizeof post_head,
             "POST /v1/publish HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"
             "Content-Type: application/x-ndjson\r\n", admin, arg("--token", NULL));
}

static int start_ticking(void)
{
    static conn tick = {.kind = TICK};
    struct itimerspec every = {{0, IN_A_TICK_US * 1000}, {0, IN_A_TICK_US * 1000}};
    tick.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    if (tick.fd < 0 || timerfd_settime(tick.fd, 0, &every, NULL)) die("timerfd");
    conn_watch(epoll, &tick, true);
    return tick.fd;
}

static void hear_repeats(int tick)
{
    uint64_t before;
    do {
        before = repeated;
        for (int64_t quiet = now_us() + 200000; now_us() < quiet;) serve_ready(tick, 10);
    } while (repeated != before);
}

static void drain(int tick)
{
    int64_t until = now_us() + 20000000, quiet;
    while (delivered < to_deliver || acked < sent) {
        for (size_t i = 0; rate > 0 && i < publisher_count; i++) post_what_is_due(&publishers[i]);
        if (now_us() > until)
            die("lost: published %llu, acked %llu, frames owed %llu, read %llu", (unsigned long long)sent,
                (unsigned long long)acked, (unsigned long long)to_deliver, (unsigned long long)delivered);
        serve_ready(tick, 100);
    }
    for (quiet = now_us() + 100000; now_us() < quiet;) serve_ready(tick, 10); /* a doubled event would show up now */
    for (size_t i = 0; i < subscriber_count; i++)
        if (subscribers[i].expected != accounts[subscribers[i].account].sent) die("a socket has events missing");
}

static void report(double seconds, double load, double server)
{
    samples_sort(&latency);
    printf("{\"events\":%llu,\"frames\":%llu,\"posts\":%llu,\"seconds\":%.3f,\"acked_per_s\":%.0f,\"frames_per_s\":%.0f,"
           "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f,\"load_cpu\":%.2f,\"server_cpu\":%.2f,"
           "\"epoch\":\"%s\",\"offset\":%llu}\n",
           (unsigned long long)sent, (unsigned long long)delivered, (unsigned long long)posts, seconds,
           (double)window_acked / seconds, (double)window_frames / seconds, samples_ms(&latency, 0.5),
           samples_ms(&latency, 0.99), samples_ms(&latency, 0.999), samples_ms(&latency, 1), load / seconds,
           server / seconds, accounts[0].epoch, (unsigned long long)accounts[0].offset);
}

int main(int argc, char **argv)
{
    program_starts(argc, argv);
    long window = arg_long("--window", 0), batch = arg_long("--batch", 100), pid = arg_long("--server-pid", 0);
    uint64_t limit = (uint64_t)arg_long("--events", 0);
    double warm = arg_double("--warm", limit ? 0 : 1), seconds = arg_double("--seconds", limit ? 100 : 5);
    rate = arg_double("--rate", 0);
    gzip = arg_long("--gzip", 0);
    if ((rate > 0) == (window > 0) || batch < 1 || batch > MAX_POST) die("one of --rate and --window is wanted");
    if (gzip && inflateInit2(&inflater, 15 + 16) != Z_OK) die("zlib");
    snprintf(run_id, sizeof run_id, "%04d", (int)(now_us() / 1000 % 10000));
    epoll = epoll_create1(0);
    load_subscribers(arg("--stream", NULL));
    connect_all();
    if (rate > 0) chunk = (int)(rate * IN_A_TICK_US / 1e6) > 0 ? (int)(rate * IN_A_TICK_US / 1e6) : 1;

    int tick = start_ticking();
    hear_repeats(tick);
    int64_t start = now_us(), stop;
    window_from = start + (int64_t)(warm * 1e6);
    stop = window_to = window_from + (int64_t)(seconds * 1e6);
    double load = -1, server = 0;
    for (int64_t now; (now = now_us()) < stop && !(limit && acked >= limit);) {
        if (load < 0 && now >= window_from) {
            load = own_cpu();
            server = process_cpu(pid);
        }
        if (rate > 0)
            make_due(start, now);
        else
            keep_window_full(window, batch, limit ? limit : UINT64_MAX);
        serve_ready(tick, 10);
    }
    load = own_cpu() - load;
    server = process_cpu(pid) - server;
    if (limit && window_to > now_us()) window_to = now_us();
    double measured = (double)(window_to - window_from) / 1e6;
    drain(tick);
    report(measured, load, server);
    return 0;
}
