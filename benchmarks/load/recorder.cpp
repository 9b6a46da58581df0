#include "benchmarks/load/recorder.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace lang_agent::load {

namespace {

double own_cpu_seconds() {
  rusage x{};
  getrusage(RUSAGE_SELF, &x);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(x.ru_utime) + seconds(x.ru_stime);
}

double to_ms(time_point::duration x) {
  return std::chrono::duration<double, std::milli>{x}.count();
}

/// Mean time from token to token, without the first. Nothing when there is none.
std::optional<time_point::duration> time_per_token(const exchange& x) {
  const auto tokens = x.reply.output_tokens();
  if (!x.asked.stream || x.reply.chunks() < 2 || tokens < 2)
    return std::nullopt;
  return (x.last - x.first) / static_cast<std::int64_t>(tokens - 1);
}

std::optional<double> quantile(const histogram& x, double q) {
  return x.count() == 0 ? std::nullopt : std::optional{x.quantile_ms(q)};
}

} // namespace

recorder::recorder(const load_plan& plan, std::vector<int> server)
    : plan_(plan), server_(std::move(server)) {
  for (const auto& who : plan.tenants)
    out_.tenants.push_back({who.name});
}

void recorder::open(time_point now) {
  is_open_ = true;
  opened_ = now;
  client_cpu_at_start_ = own_cpu_seconds();
  if (server_.empty())
    return;
  usage_.emplace(server_);
  const auto resident = usage_->resident_bytes();
  out_.server = server_usage{server_, 0, resident, resident, resident};
}

void recorder::close(time_point now) {
  if (!is_open_)
    return;
  is_open_ = false;
  out_.seconds = std::chrono::duration<double>{now - opened_}.count();
  out_.client_cpu_seconds = own_cpu_seconds() - client_cpu_at_start_;
  if (!usage_)
    return;
  if (!usage_->is_complete()) {
    out_.server.reset();
    out_.server_ended = true;
    return;
  }
  out_.server->cpu_seconds = usage_->cpu_seconds();
  out_.server->rss_end = usage_->resident_bytes();
  out_.server->rss_peak = std::max(out_.server->rss_peak, out_.server->rss_end);
}

void recorder::on_scheduled(const exchange& x) {
  if (x.measured)
    ++out_.requests.scheduled;
}

void recorder::on_sent(const exchange& x) {
  if (x.measured)
    ++out_.requests.started;
}

void recorder::on_content(const exchange& x, std::uint32_t chunks, time_point now) {
  const bool is_first = x.first == time_point{};
  if (is_open_) {
    interval_.output_tokens += chunks;
    out_.came.stream_chunks += chunks;
    if (is_first)
      interval_ttft_.record(now - x.sent);
  }
  if (!x.measured)
    return;
  // Chunks that came together have no time between them.
  if (!is_first)
    out_.latency.itl.record(now - x.last);
  for (std::uint32_t i = 1; i < chunks; ++i)
    out_.latency.itl.record({});
}

void recorder::on_completed(const exchange& x, time_point now) {
  const bool streamed = x.asked.stream;
  if (is_open_) {
    ++interval_.completed;
    ++out_.came.requests;
    out_.came.input_tokens += x.reply.input_tokens();
    interval_e2e_.record(now - x.sent);
    if (!streamed) {
      interval_.output_tokens += x.reply.output_tokens();
      out_.came.plain_tokens += x.reply.output_tokens();
    }
  }
  if (streamed) {
    out_.streamed_tokens += x.reply.output_tokens();
    out_.streamed_chunks += x.reply.chunks();
  }
  if (!x.measured)
    return;
  ++out_.requests.completed;
  ++out_.tenants[x.from->tenant].completed;
  out_.tenants[x.from->tenant].e2e.record(now - x.sent);
  auto& latency = out_.latency;
  latency.e2e.record(now - x.sent);
  latency.e2e_scheduled.record(now - x.scheduled);
  latency.queue_wait.record(x.sent - x.scheduled);
  if (streamed) {
    latency.ttft.record(x.first - x.sent);
    latency.ttft_scheduled.record(x.first - x.scheduled);
  }
  if (const auto each = time_per_token(x))
    latency.tpot.record(*each);
  if (keeps_service_level(x, now))
    ++out_.good;
}

void recorder::on_failed(const exchange& x, const std::string& kind) {
  if (is_open_)
    ++interval_.failed;
  if (!x.measured)
    return;
  ++out_.requests.failed;
  ++out_.tenants[x.from->tenant].failed;
  ++out_.errors[kind];
  if (!x.reply.complaint().empty())
    out_.complaints.emplace(kind, x.reply.complaint());
}

void recorder::on_abandoned(const exchange& x) {
  if (!x.measured)
    return;
  ++out_.requests.abandoned;
  ++out_.tenants[x.from->tenant].abandoned;
}

void recorder::on_late(time_point::duration by) {
  if (is_open_)
    out_.lateness.record(by);
}

void recorder::end_interval(std::uint64_t in_flight) {
  interval_.in_flight = in_flight;
  interval_.ttft_p50 = quantile(interval_ttft_, 0.5);
  interval_.e2e_p50 = quantile(interval_e2e_, 0.5);
  interval_.e2e_p99 = quantile(interval_e2e_, 0.99);
  out_.timeline.push_back(interval_);
  interval_ = {};
  interval_ttft_.clear();
  interval_e2e_.clear();
  if (out_.server && is_open_)
    out_.server->rss_peak = std::max(out_.server->rss_peak, usage_->resident_bytes());
}

/// From schedule, as a user would feel it.
bool recorder::keeps_service_level(const exchange& x, time_point now) const {
  const auto within = [](const std::optional<double>& limit, time_point::duration took) {
    return !limit || to_ms(took) <= *limit;
  };
  const auto& slo = plan_.slo;
  return within(slo.e2e_ms, now - x.scheduled)
         && (!x.asked.stream || within(slo.ttft_ms, x.first - x.scheduled))
         && within(slo.tpot_ms, time_per_token(x).value_or(time_point::duration{}));
}

} // namespace lang_agent::load
