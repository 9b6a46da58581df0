#include "benchmarks/load/campaign.hpp"

#include "benchmarks/load/preflight.hpp"

#include <algorithm>
#include <ctime>

namespace lang_agent::load {

namespace {

std::string utc_now() {
  const auto now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

void set_load(load_plan& plan, bool open_loop, double load) {
  if (open_loop)
    plan.rate = load;
  else
    plan.concurrency = static_cast<std::size_t>(load);
}

sweep_point point_of(const campaign_run& x) {
  const auto& counts = x.result.requests;
  const auto ended = static_cast<double>(counts.completed + counts.failed);
  sweep_point out;
  out.load = x.plan.rate ? *x.plan.rate : static_cast<double>(*x.plan.concurrency);
  out.throughput =
      x.result.seconds > 0 ? static_cast<double>(x.result.came.requests) / x.result.seconds : 0;
  out.p99_ms = x.result.latency.e2e_scheduled.quantile_ms(0.99);
  out.failed_share = ended > 0 ? static_cast<double>(counts.failed) / ended : 0;
  return out;
}

class campaign_in_progress {
public:
  campaign_in_progress(campaign all, const campaign_options& options)
      : all_(std::move(all)), options_(options) {}

  campaign_result run() {
    out_.started = utc_now();
    for (const auto& x : all_.targets)
      places_.push_back(prepare(x));
    if (all_.is_sweep())
      sweep();
    else
      take_turns();
    return std::move(out_);
  }

private:
  bool is_interrupted() const {
    return options_.is_interrupted && options_.is_interrupted();
  }

  place prepare(const target& x) {
    const auto out = find_place(x.where, all_.plan.connect_timeout);
    if (all_.plan.model.empty()) {
      const auto found = first_model(all_.plan, x);
      all_.plan.model = found.empty() ? "default" : found;
      if (options_.note)
        options_.note(
            "model: " + all_.plan.model
            + (found.empty() ? " (the target lists none)" : " (the first that the target lists)"));
    }
    if (all_.check_first)
      check_target(all_.plan, x, out, options_.is_interrupted);
    return out;
  }

  void sweep() {
    std::vector<sweep_point> points;
    for (std::size_t i = 0; i < all_.loads.size() && !is_interrupted(); ++i) {
      measure(0, 1, i + 1);
      points.push_back(point_of(out_.runs.back()));
      if (is_saturated(points) && i + 1 < all_.loads.size()) {
        if (options_.note)
          options_.note("the target is saturated: more load would bring no more");
        break;
      }
    }
    out_.sweep = find_knee(points);
  }

  /// The order of the targets alternates: none is always the first.
  void take_turns() {
    for (std::size_t round = 1; round <= all_.rounds; ++round)
      for (std::size_t i = 0; i < all_.targets.size() && !is_interrupted(); ++i)
        measure(round % 2 == 1 ? i : all_.targets.size() - 1 - i, round, std::nullopt);
  }

  void measure(std::size_t which, std::size_t round, std::optional<std::size_t> step) {
    auto& x = out_.runs.emplace_back();
    x.of = all_.targets[which];
    x.round = round;
    x.step = step;
    x.plan = all_.plan;
    x.plan.seed += round - 1; // in a round all targets have the same schedule
    if (!all_.loads.empty())
      set_load(x.plan, all_.open_loop, all_.loads[step.value_or(1) - 1]);
    run_options how;
    how.show_every = options_.show_every;
    how.is_interrupted = options_.is_interrupted;
    if (options_.show)
      how.show = [this, label = label_of(x)](const snapshot& now) { options_.show(label, now); };
    x.result = run_load(x.plan, x.of, places_[which], how);
    if (options_.on_run)
      options_.on_run(x);
  }

  std::string label_of(const campaign_run& x) const {
    auto out = x.of.name;
    if (all_.rounds > 1)
      out += ", round " + std::to_string(x.round) + " of " + std::to_string(all_.rounds);
    if (x.step)
      out += ", step " + std::to_string(*x.step) + " of " + std::to_string(all_.loads.size());
    return out;
  }

  campaign all_;
  const campaign_options& options_;
  std::vector<place> places_;
  campaign_result out_;
};

} // namespace

campaign_result run_campaign(campaign all, const campaign_options& options) {
  return campaign_in_progress{std::move(all), options}.run();
}

} // namespace lang_agent::load
