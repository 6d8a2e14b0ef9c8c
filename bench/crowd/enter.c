/* How the crowd comes in, and leaves. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crowd.h"

#define CONNECT_AT_ONCE 64
#define CONNECT_WITHIN_NS (60 * SECOND_NS)
#define SPEAKER_BUFFER (1 << 20)
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

/* One address has some 28,000 ports; several have as many each. */
static int bound(const struct conn *conn, int number) {
  if (crowd.sources == 1) return 1;
  int on = 1;
  setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  struct sockaddr_in from = {.sin_family = AF_INET};
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(number % crowd.sources));
  return bind(conn->fd, (struct sockaddr *)&from, sizeof from) == 0;
}

static int opened(struct conn *conn, int number) {
  int on = 1, much = SPEAKER_BUFFER;
  conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (conn->fd < 0) return 0;
  conn->state = CONNECTING;
  conn->knocked_ns = now_ns();
  setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (crowd.receive_buffer)
    setsockopt(conn->fd, SOL_SOCKET, SO_RCVBUF, &crowd.receive_buffer,
               sizeof crowd.receive_buffer);
  if (conn->only_speaks || (crowd.speaker < 0 && number % crowd.members == 0))
    setsockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, &much, sizeof much);
  if (!bound(conn, number)) return 0;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)crowd.port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(conn->fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS;
}

void begin(int number) {
  struct conn *conn = &crowd.conns[number];
  conn->only_speaks = crowd.speaker >= 0 && number >= crowd.speaker;
  conn->room = conn->only_speaks ? 0 : number / crowd.members;
  if (!opened(conn, number)) {
    fail("cannot connect: %s", strerror(errno));
    return;
  }
  struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (uint32_t)number};
  epoll_ctl(crowd.epoll_fd, EPOLL_CTL_ADD, conn->fd, &event);
}

/* Close by a reset: nothing stays behind in TIME_WAIT to trouble who comes next. */
void hang_up(struct conn *conn) {
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  if (conn->state == CLOSED) return;
  if (conn->state == READY) crowd.ready_count--;
  setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(conn->fd);
  conn->state = CLOSED;
  conn->step = 0;
  conn->rest_bytes = 0;
}

void begin_again(struct conn *conn) {
  hang_up(conn);
  retried++;
  begin((int)(conn - crowd.conns));
}

void gather(void) {
  int begun = 0, wanted = crowd.rooms * crowd.members;
  crowd.speaker = crowd.speaker_path[0] ? wanted : -1;
  if (crowd.speaker_path[0]) wanted += crowd.speakers;
  crowd.returning = 0;
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

void part(void) {
  for (int i = 0; i < crowd.conn_count; i++) {
    hang_up(&crowd.conns[i]);
    free(crowd.conns[i].rest);
  }
  free(crowd.conns);
  crowd.conns = NULL;
  crowd.conn_count = 0;
  crowd.failure[0] = 0;
  printf("ok\n");
}
