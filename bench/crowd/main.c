/* The load generator: many subscribers that count what they are told, and publishers.
 *
 * One thread and one epoll, so that it takes less of its core than any server takes of
 * its own; every answer says how much CPU it used itself, which is the proof. Commands
 * are lines on stdin; the last three are answered by one line on stdout each, "ok
 * name=number ..." or "error why".
 *
 *   port N                 the server, on 127.0.0.1
 *   path /ws/%s            what a subscriber of a room asks for; %s is the room's name
 *   stream 0|1             1: what comes is a stream of text (SSE), no WebSocket
 *   step EXPECT<tab>SAY    a step of the way in: a frame that begins with EXPECT (in a
 *                          stream: text that holds it) is answered with SAY, where there
 *                          is one
 *   answer PROMPT<tab>SAY  a frame that is just PROMPT is answered, at any time
 *   publish TEXT~TEXT      a publication; %s is the room, ~ stands before the stamp
 *   speaker /ws            a WebSocket that speaks for all; without it the first of
 *                          each room speaks
 *   pad N                  so many bytes follow the ~ of a publication (at least 16)
 *   receive_buffer N       SO_RCVBUF of new connections; 0: the kernel's choice
 *
 *   connect NAME ROOMS MEMBERS   open ROOMS x MEMBERS connections, 64 at a time
 *   run WINDOW MS LIMIT    WINDOW publications at once; when all have reached everybody,
 *                          the next so many, for MS milliseconds. A window that takes
 *                          LIMIT ms is an error.
 *   close                  hang up, all of them
 *
 * A publication's stamp is the time (CLOCK_MONOTONIC, ns, 16 hex digits) at which it was
 * said: it gives the latency of each delivery, and the order. A delivery whose stamp is
 * not newer than the one before on its connection is counted as disorder.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crowd.h"

#define CONNECT_AT_ONCE 64
#define CONNECT_WITHIN_NS (60 * SECOND_NS)
#define LOOK_MS 100
#define MILLISECOND_NS 1000000ull

struct crowd crowd = {.pad = STAMP, .speaker = -1};

void fail(const char *format, ...) {
  if (crowd.failure[0]) return; /* the first one is the cause */
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(crowd.failure, sizeof crowd.failure, format, arguments);
  va_end(arguments);
}

static int opened(struct conn *conn) {
  int on = 1;
  conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (conn->fd < 0) return 0;
  conn->state = CONNECTING;
  setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (crowd.receive_buffer)
    setsockopt(conn->fd, SOL_SOCKET, SO_RCVBUF, &crowd.receive_buffer,
               sizeof crowd.receive_buffer);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)crowd.port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(conn->fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS;
}

static void begin(int number) {
  struct conn *conn = &crowd.conns[number];
  conn->only_speaks = number == crowd.speaker;
  conn->room = conn->only_speaks ? 0 : number / crowd.members;
  if (!opened(conn)) {
    fail("cannot connect: %s", strerror(errno));
    return;
  }
  struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (uint32_t)number};
  epoll_ctl(crowd.epoll_fd, EPOLL_CTL_ADD, conn->fd, &event);
}

static void gather(void) {
  int wanted = crowd.rooms * crowd.members + (crowd.speaker_path[0] != 0), begun = 0;
  crowd.speaker = crowd.speaker_path[0] ? wanted - 1 : -1;
  crowd.conns = calloc((size_t)wanted, sizeof *crowd.conns);
  if (crowd.conns == NULL) abort();
  crowd.conn_count = wanted;
  crowd.ready_count = 0;
  uint64_t began_ns = now_ns(), own_ns = cpu_ns();
  while (crowd.ready_count < wanted && !crowd.failure[0]) {
    while (begun < wanted && begun - crowd.ready_count < CONNECT_AT_ONCE &&
           !crowd.failure[0])
      begin(begun++);
    turn(LOOK_MS);
    if (now_ns() - began_ns > CONNECT_WITHIN_NS)
      fail("only %d of %d were let in", crowd.ready_count, wanted);
  }
  if (!crowd.failure[0])
    printf("ok connections=%d wall_ns=%llu cpu_ns=%llu\n", wanted,
           (unsigned long long)(now_ns() - began_ns),
           (unsigned long long)(cpu_ns() - own_ns));
}

static void part(void) {
  /* By a reset: nothing stays behind in TIME_WAIT to trouble the next server. */
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  for (int i = 0; i < crowd.conn_count; i++) {
    struct conn *conn = &crowd.conns[i];
    if (conn->state != CLOSED) {
      setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      close(conn->fd);
    }
    free(conn->rest);
  }
  free(crowd.conns);
  crowd.conns = NULL;
  crowd.conn_count = 0;
  crowd.failure[0] = 0;
  printf("ok\n");
}

/* Say a window of publications and wait until everybody has them all. */
static void window(int size, uint64_t wanted, uint64_t limit_ns) {
  uint64_t began_ns = now_ns();
  publish(size);
  while (counted() < wanted && !crowd.failure[0]) {
    turn(LOOK_MS);
    if (now_ns() - began_ns > limit_ns)
      fail("stalled: %llu of %llu came", (unsigned long long)counted(),
           (unsigned long long)wanted);
  }
}

static void run(int size, uint64_t length_ns, uint64_t limit_ns) {
  uint64_t said = 0, began_ns = now_ns(), own_ns = cpu_ns();
  count_from_zero();
  disorder = 0;
  do {
    said += (uint64_t)size;
    window(size, said * (uint64_t)crowd.members, limit_ns);
  } while (now_ns() - began_ns < length_ns && !crowd.failure[0]);
  uint64_t wall_ns = now_ns() - began_ns;
  own_ns = cpu_ns() - own_ns;
  if (!crowd.failure[0])
    printf("ok publications=%llu deliveries=%llu disorder=%llu wall_ns=%llu cpu_ns=%llu"
           " p50_ns=%llu p99_ns=%llu max_ns=%llu\n",
           (unsigned long long)said, (unsigned long long)counted(),
           (unsigned long long)disorder, (unsigned long long)wall_ns,
           (unsigned long long)own_ns, (unsigned long long)percentile_ns(0.5),
           (unsigned long long)percentile_ns(0.99), (unsigned long long)greatest_ns());
}

static void copy(char *into, const char *from) { snprintf(into, TEXT, "%s", from); }

static void copy_pair(struct pair *into, char *from) {
  char *tab = strchr(from, '\t');
  copy(into->second, tab == NULL ? "" : tab + 1);
  if (tab != NULL) *tab = 0;
  copy(into->first, from);
}

/* Note how the crowd is to be; return whether the word is one of these. */
static int is_noted(const char *word, char *rest) {
  if (strcmp(word, "port") == 0)
    crowd.port = atoi(rest);
  else if (strcmp(word, "path") == 0)
    copy(crowd.path, rest);
  else if (strcmp(word, "stream") == 0)
    crowd.stream = atoi(rest);
  else if (strcmp(word, "step") == 0 && crowd.step_count < STEPS)
    copy_pair(&crowd.steps[crowd.step_count++], rest);
  else if (strcmp(word, "answer") == 0)
    copy_pair(&crowd.answer, rest);
  else if (strcmp(word, "publish") == 0)
    copy(crowd.publication, rest);
  else if (strcmp(word, "speaker") == 0)
    copy(crowd.speaker_path, rest);
  else if (strcmp(word, "pad") == 0 && atoi(rest) >= STAMP && atoi(rest) <= 2 * TEXT)
    crowd.pad = atoi(rest);
  else if (strcmp(word, "receive_buffer") == 0)
    crowd.receive_buffer = atoi(rest);
  else
    return 0;
  return 1;
}

static void carry_out(const char *word, const char *rest) {
  int size;
  unsigned length_ms, limit_ms;
  if (strcmp(word, "close") == 0)
    part();
  else if (strcmp(word, "connect") == 0 && crowd.conn_count == 0 &&
           sscanf(rest, "%63s %d %d", crowd.room_name, &crowd.rooms, &crowd.members) == 3)
    gather();
  else if (strcmp(word, "run") == 0 && crowd.conn_count > 0 &&
           sscanf(rest, "%d %u %u", &size, &length_ms, &limit_ms) == 3)
    run(size, length_ms * MILLISECOND_NS, limit_ms * MILLISECOND_NS);
  else
    fail("cannot %s now", word);
  /* What has failed stays failed until `close`: nothing that follows would count. */
  if (crowd.failure[0]) printf("error %s\n", crowd.failure);
  fflush(stdout);
}

int main(void) {
  static char line[4 * TEXT];
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  crowd.epoll_fd = epoll_create1(0);
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = 0;
    char *rest = strchr(line, ' ');
    if (rest != NULL) *rest++ = 0;
    if (rest == NULL) rest = line + strlen(line);
    if (!is_noted(line, rest)) carry_out(line, rest);
  }
  return 0;
}
