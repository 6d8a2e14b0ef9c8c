/* What the parts of the load generator share: see main.c. */
#ifndef CROWD_H
#define CROWD_H

#include <stddef.h>
#include <stdint.h>

#define BUFFER_BYTES (1 << 20)
#define STEPS 8
#define TEXT 4096
#define STAMP 16
#define POSITION 64
#define MISSED 64 /* at most so many are said while the crowd is away */
#define LOOK_MS 100
#define SECOND_NS 1000000000ull

enum state { CLOSED, CONNECTING, UPGRADING, STEPPING, READY };

struct conn {
  int fd, room, step;
  enum state state;
  int only_speaks;
  uint64_t last_stamp, offset, knocked_ns;
  char position[POSITION]; /* the newest that it was told, as it was written */
  int caught_up;           /* how many of the missed it has been told */
  int waiting;             /* publications that are not acknowledged */
  uint64_t rests_until_ns; /* it was told that these are too many */
  uint8_t *rest; /* the beginning of a frame that has not come whole */
  size_t rest_bytes, rest_room;
};

struct pair {
  char first[TEXT], second[TEXT];
};

/* One program is one crowd. */
struct crowd {
  /* as it was told */
  int port, stream, receive_buffer, pad, step_count, sources, speakers, positions;
  char mark; /* stands before a stamp, as it is said and heard */
  char path[TEXT], speaker_path[TEXT], publication[TEXT], room_name[TEXT], value[TEXT];
  struct pair steps[STEPS], answer;
  /* who is here */
  struct conn *conns;
  int conn_count, members, rooms, ready_count;
  int speaker; /* the first of those who only speak; -1: the first of each room speaks */
  int returning; /* they come back: who is turned away tries again */
  int epoll_fd;
  char failure[TEXT]; /* what went wrong first; empty: nothing */
};

extern struct crowd crowd;

void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* latency.c */
struct tally;
extern struct tally heard, answers; /* deliveries, acknowledgements */
uint64_t now_ns(void);
uint64_t cpu_ns(void);
uint64_t wall_ms(void);
void count_from_zero(struct tally *tally);
void count(struct tally *tally, uint64_t latency_ns);
uint64_t counted(const struct tally *tally);
void print_latency(const struct tally *tally);

/* enter.c */
void begin(int number);
void begin_again(struct conn *conn);
void hang_up(struct conn *conn);
void gather(void);
void part(void);

/* speak.c */
extern uint64_t said[MISSED]; /* the stamps of the last that `publish` said */
size_t fill(char *into, size_t room, const char *from, int number);
void say(struct conn *conn, uint8_t opcode, const char *text, size_t length);
void ask_in(struct conn *conn);
void publish(int count);
void publish_by(struct conn *conn, int count, uint64_t first_id);

/* hear.c */
extern uint64_t disorder; /* deliveries that came twice or too late */
extern uint64_t heard_at_ns;
const uint8_t *stamp_in(const uint8_t *text, size_t length, uint64_t *stamp);
void turn(int timeout_ms);

/* place.c */
uint64_t note_position(struct conn *conn, const uint8_t *text, size_t length);
void take_value(const uint8_t *text, size_t length);
void listen_for(uint64_t length_ns);

/* storm.c */
extern uint64_t retried;
void leave(int count, uint64_t limit_ns);
void come_back(uint64_t limit_ns);
void catch_up(struct conn *conn, const uint8_t *text, size_t length);

/* answer.c */
void take_answer(struct conn *conn, const uint8_t *text, size_t length);
void press(int window, uint64_t length_ns, uint64_t limit_ns);
void pace(int per_s, uint64_t length_ns, uint64_t limit_ns);

#endif
