/* Clocks, and how long after it was said a delivery came. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "crowd.h"

/* 64 buckets for each power of two, so that a percentile is off by 1.6 % at most. */
#define SUB_BITS 6
#define BUCKETS (64 << SUB_BITS)

struct tally {
  uint64_t buckets[BUCKETS], total, greatest;
};

struct tally heard, answers;

static uint64_t read_clock(clockid_t which) {
  struct timespec at;
  clock_gettime(which, &at);
  return (uint64_t)at.tv_sec * SECOND_NS + (uint64_t)at.tv_nsec;
}

uint64_t now_ns(void) { return read_clock(CLOCK_MONOTONIC); }

uint64_t cpu_ns(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

/* Since 1970, as servers write it. */
uint64_t wall_ms(void) { return read_clock(CLOCK_REALTIME) / (SECOND_NS / 1000); }

static int bucket_of(uint64_t ns) {
  if (ns < 1u << SUB_BITS) return (int)ns;
  int shift = 63 - __builtin_clzll(ns) - SUB_BITS;
  return (int)(((uint64_t)shift << SUB_BITS) + (ns >> shift));
}

static uint64_t least_of(int bucket) {
  int shift = (bucket >> SUB_BITS) - 1;
  if (shift < 0) return (uint64_t)bucket;
  return (uint64_t)((bucket & ((1 << SUB_BITS) - 1)) + (1 << SUB_BITS)) << shift;
}

void count_from_zero(struct tally *tally) { memset(tally, 0, sizeof *tally); }

void count(struct tally *tally, uint64_t latency_ns) {
  tally->buckets[bucket_of(latency_ns)]++;
  tally->total++;
  if (latency_ns > tally->greatest) tally->greatest = latency_ns;
}

uint64_t counted(const struct tally *tally) { return tally->total; }

static uint64_t percentile_ns(const struct tally *tally, double share) {
  uint64_t wanted = (uint64_t)((double)tally->total * share), seen = 0;
  for (int bucket = 0; bucket < BUCKETS; bucket++)
    if ((seen += tally->buckets[bucket]) > wanted) return least_of(bucket);
  return tally->greatest;
}

void print_latency(const struct tally *tally) {
  printf(" p50_ns=%llu p99_ns=%llu max_ns=%llu\n",
         (unsigned long long)percentile_ns(tally, 0.5),
         (unsigned long long)percentile_ns(tally, 0.99),
         (unsigned long long)tally->greatest);
}
