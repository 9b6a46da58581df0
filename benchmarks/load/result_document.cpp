#include "benchmarks/load/result_document.hpp"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <sys/utsname.h>

#include <cmath>
#include <fstream>
#include <string_view>
#include <thread>

namespace lang_agent::load {

namespace {

/// A writer with short names for what is written most.
class writer {
public:
  writer() : out_(buffer_) {
    out_.SetIndent(' ', 1);
    out_.SetFormatOptions(rapidjson::kFormatSingleLineArray);
  }

  template <class T>
  void member(const char* name, const T& x) {
    out_.Key(name);
    value(x);
  }

  template <class Body>
  void object(const char* name, const Body& body) {
    out_.Key(name);
    object(body);
  }

  template <class Body>
  void object(const Body& body) {
    out_.StartObject();
    body();
    out_.EndObject();
  }

  template <class List, class Each>
  void array(const char* name, const List& list, const Each& each) {
    out_.Key(name);
    out_.StartArray();
    for (const auto& x : list)
      each(x);
    out_.EndArray();
  }

  void value(std::nullptr_t) {
    out_.Null();
  }
  void value(bool x) {
    out_.Bool(x);
  }
  void value(double x) {
    out_.Double(std::isfinite(x) ? std::round(x * 1e6) / 1e6 : 0);
  }
  void value(std::uint64_t x) {
    out_.Uint64(x);
  }
  void value(int x) {
    out_.Int(x);
  }
  void value(unsigned x) {
    out_.Uint(x);
  }
  void value(const char* x) {
    out_.String(x);
  }
  void value(const std::string& x) {
    out_.String(x.data(), static_cast<rapidjson::SizeType>(x.size()));
  }
  template <class T>
  void value(const std::optional<T>& x) {
    if (x)
      value(*x);
    else
      out_.Null();
  }
  void value(const std::pair<double, double>& x) {
    out_.StartArray();
    value(x.first);
    value(x.second);
    out_.EndArray();
  }

  std::string text() const {
    return {buffer_.GetString(), buffer_.GetSize()};
  }

private:
  rapidjson::StringBuffer buffer_;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> out_;
};

std::string cpu_model() {
  std::ifstream in{"/proc/cpuinfo"};
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name"))
      return line.substr(std::min(line.find(": ") + 2, line.size()));
  return "unknown";
}

void write_machine(writer& out) {
  utsname system{};
  uname(&system);
  out.object("machine", [&] {
    out.member("cpus", std::thread::hardware_concurrency());
    out.member("cpu_model", cpu_model());
    out.member("kernel", static_cast<const char*>(system.release));
  });
}

void write_latency(writer& out, const char* name, const histogram& x) {
  if (x.count() == 0)
    return;
  out.object(name, [&] {
    out.member("n", x.count());
    out.member("mean", x.mean_ms());
    out.member("min", x.min_ms());
    out.member("p50", x.quantile_ms(0.5));
    out.member("p90", x.quantile_ms(0.9));
    out.member("p95", x.quantile_ms(0.95));
    out.member("p99", x.quantile_ms(0.99));
    out.member("p999", x.quantile_ms(0.999));
    out.member("max", x.max_ms());
    out.array("cdf", x.curve(), [&](const auto& point) { out.value(point); });
  });
}

void write_load(writer& out, const load_plan& x) {
  const bool closed = x.concurrency.has_value();
  out.member("loop", closed ? "closed" : "open");
  if (closed)
    out.member("arrivals", nullptr);
  else if (x.trace)
    out.member("arrivals", "trace");
  else
    out.member("arrivals", x.arrival == arrival_kind::poisson ? "poisson" : "constant");
  out.member("rate", x.rate);
  out.member("concurrency", x.concurrency);
  out.member("stream", x.stream);
  out.member("turns", x.turns);
  out.member("history", x.history == history_kind::server ? "server" : "client");
}

void write_counts(writer& out, const run_result& x) {
  out.object("requests", [&] {
    out.member("scheduled", x.requests.scheduled);
    out.member("started", x.requests.started);
    out.member("completed", x.requests.completed);
    out.member("failed", x.requests.failed);
    out.member("abandoned", x.requests.abandoned);
    out.member("unfinished", x.requests.unfinished());
  });
  out.object("errors", [&] {
    for (const auto& [kind, count] : x.errors)
      out.member(kind.c_str(), count);
  });
}

void write_throughput(writer& out, const run_result& x, const service_level& slo) {
  const auto per_second = [&](std::uint64_t count) {
    return x.seconds > 0 ? static_cast<double>(count) / x.seconds : 0.0;
  };
  out.object("throughput", [&] {
    out.member("requests_per_s", per_second(x.came.requests));
    out.member("output_tokens_per_s", x.output_tokens_per_second());
    out.member("input_tokens_per_s", per_second(x.came.input_tokens));
  });
  if (!slo.is_set()) {
    out.member("goodput", nullptr);
    return;
  }
  out.object("goodput", [&] {
    out.object("slo", [&] {
      out.member("ttft_ms", slo.ttft_ms);
      out.member("tpot_ms", slo.tpot_ms);
      out.member("e2e_ms", slo.e2e_ms);
    });
    out.member("requests_per_s", per_second(x.good));
    const auto judged = x.requests.scheduled - x.requests.abandoned;
    out.member("share",
               judged > 0 ? static_cast<double>(x.good) / static_cast<double>(judged) : 0.0);
  });
}

void write_latencies(writer& out, const latencies& x) {
  out.object("latency_ms", [&] {
    write_latency(out, "ttft", x.ttft);
    write_latency(out, "ttft_scheduled", x.ttft_scheduled);
    write_latency(out, "itl", x.itl);
    write_latency(out, "tpot", x.tpot);
    write_latency(out, "e2e", x.e2e);
    write_latency(out, "e2e_scheduled", x.e2e_scheduled);
    write_latency(out, "queue_wait", x.queue_wait);
  });
}

void write_timeline(writer& out, const run_result& x) {
  const auto column = [&](const char* name, auto field) {
    out.array(name, x.timeline, [&](const interval& i) { out.value(i.*field); });
  };
  out.object("timeline", [&] {
    out.member("interval_s", x.interval_seconds);
    column("completed", &interval::completed);
    column("failed", &interval::failed);
    column("output_tokens", &interval::output_tokens);
    column("in_flight", &interval::in_flight);
    column("ttft_p50_ms", &interval::ttft_p50);
    column("e2e_p50_ms", &interval::e2e_p50);
    column("e2e_p99_ms", &interval::e2e_p99);
  });
}

void write_tenants(writer& out, const run_result& x) {
  out.array("tenants", x.tenants, [&](const tenant_result& who) {
    out.object([&] {
      out.member("name", who.name);
      out.member("completed", who.completed);
      out.member("failed", who.failed);
      out.member("abandoned", who.abandoned);
      out.member("e2e_p50_ms", who.e2e.quantile_ms(0.5));
      out.member("e2e_p99_ms", who.e2e.quantile_ms(0.99));
    });
  });
}

void write_usage(writer& out, const run_result& x) {
  if (!x.server) {
    out.member("server", nullptr);
  } else {
    const auto& server = *x.server;
    const auto us_per = [&](double count) {
      return count > 0 ? std::optional{1e6 * server.cpu_seconds / count} : std::nullopt;
    };
    out.object("server", [&] {
      out.array("pids", server.pids, [&](int pid) { out.value(pid); });
      out.member("cpu_seconds", server.cpu_seconds);
      out.member("cpu_us_per_request", us_per(static_cast<double>(x.came.requests)));
      out.member("cpu_us_per_token", us_per(x.output_tokens_per_second() * x.seconds));
      out.member("rss_start_bytes", server.rss_start);
      out.member("rss_peak_bytes", server.rss_peak);
      out.member("rss_end_bytes", server.rss_end);
    });
  }
  out.object("client", [&] {
    out.member("cpu_seconds", x.client_cpu_seconds);
    out.member("late_p99_ms", x.lateness.quantile_ms(0.99));
  });
}

void write_run(writer& out, const campaign_run& x) {
  out.object([&] {
    out.member("target", x.of.name);
    out.member("url", x.of.url);
    out.member("round", x.round);
    out.member("step", x.step);
    write_load(out, x.plan);
    out.member("seconds", x.result.seconds);
    out.member("interrupted", x.result.interrupted);
    write_counts(out, x.result);
    write_throughput(out, x.result, x.plan.slo);
    write_latencies(out, x.result.latency);
    write_timeline(out, x.result);
    write_tenants(out, x.result);
    write_usage(out, x.result);
    out.array("warnings", x.result.warnings(), [&](const auto& text) { out.value(text); });
  });
}

} // namespace

std::string to_json(const campaign_result& x, const std::string& version,
                    const std::vector<std::string>& command) {
  writer out;
  out.object([&] {
    out.member("schema", "lang-agent-bench/1");
    out.member("version", version);
    out.member("started", x.started);
    write_machine(out);
    out.array("command", command, [&](const auto& argument) { out.value(argument); });
    out.array("runs", x.runs, [&](const auto& run) { write_run(out, run); });
    if (!x.sweep) {
      out.member("sweep", nullptr);
      return;
    }
    out.object("sweep", [&] {
      out.member("knee_step", x.sweep->step);
      out.member("best_step", x.sweep->best);
      out.member("why", x.sweep->why);
    });
  });
  return out.text() + "\n";
}

} // namespace lang_agent::load
