#include "benchmarks/simulator/simulation.hpp"

#include "http/json.hpp"

namespace lang_agent::simulator {

namespace {

constexpr std::size_t most_kept_lines = 100'000;

double milliseconds(clock::duration x) {
  return std::chrono::duration<double, std::milli>{x}.count();
}

std::string counts_json(const std::map<std::string, std::uint64_t>& counts) {
  std::string out = "{";
  for (const auto& [name, count] : counts) {
    out += out.size() > 1 ? "," : "";
    http::append_json_string(out, name);
    out += ":" + std::to_string(count);
  }
  return out + "}";
}

} // namespace

simulation::simulation(const settings& x, std::function<void(std::string_view)> print)
    : seed_(x.seed),
      print_(std::move(print)),
      model_(std::make_shared<const model_settings>(x.model)),
      faults_(x.seed, x.faults) {}

std::uint64_t simulation::open_connection() {
  const std::lock_guard lock{mutex_};
  ++connections_;
  return ++accepted_;
}

void simulation::close_connection() {
  const std::lock_guard lock{mutex_};
  --connections_;
}

std::shared_ptr<const fault_rule> simulation::connection_fault(std::uint64_t connection) {
  const std::lock_guard lock{mutex_};
  auto out = faults_.for_connection(connection);
  if (out)
    ++by_fault_[out->name];
  return out;
}

call simulation::number_request(const std::unique_lock<std::mutex>&) {
  ++active_;
  return {++requests_, model_, nullptr};
}

call simulation::begin(std::string_view key, std::string_view model) {
  const std::unique_lock lock{mutex_};
  auto out = number_request(lock);
  out.fault = faults_.for_request(out.n, key, model);
  if (out.fault)
    ++by_fault_[out.fault->name];
  return out;
}

call simulation::begin_invalid() {
  const std::unique_lock lock{mutex_};
  return number_request(lock);
}

void simulation::finish(record x, clock::time_point begun) {
  x.position = *x.n;
  add(std::move(x), begun);
}

void simulation::add_connection_event(record x, clock::time_point begun) {
  {
    const std::lock_guard lock{mutex_};
    x.position = requests_ + 1;
  }
  add(std::move(x), begun);
}

void simulation::add(record x, clock::time_point begun) {
  x.at_ms = milliseconds(begun - started_);
  x.ms = milliseconds(clock::now() - begun);
  auto line = to_json(x);
  if (print_)
    print_(line);
  const std::lock_guard lock{mutex_};
  if (x.n) // in the same step: whoever sees that nothing is active finds all lines
    --active_;
  ++by_outcome_[std::string{name_of(x.result)}];
  lines_.push_back({x.position, std::move(line)});
  if (lines_.size() > most_kept_lines)
    lines_.pop_front();
}

double simulation::slowness(const model_settings& model) const {
  if (model.slots == 0)
    return 1;
  return std::max(1.0, static_cast<double>(producing_) / static_cast<double>(model.slots));
}

void simulation::replace_faults(std::vector<fault_rule> rules) {
  const std::lock_guard lock{mutex_};
  faults_ = fault_chooser{seed_, std::move(rules)};
}

void simulation::replace_model(model_settings model) {
  auto next = std::make_shared<const model_settings>(std::move(model));
  const std::lock_guard lock{mutex_};
  model_ = std::move(next);
}

std::shared_ptr<const model_settings> simulation::model() const {
  const std::lock_guard lock{mutex_};
  return model_;
}

std::string simulation::faults_json() const {
  const std::lock_guard lock{mutex_};
  return faults_.json();
}

std::string simulation::state_json() const {
  const std::lock_guard lock{mutex_};
  return R"({"active":)" + std::to_string(active_) + R"(,"connections":)"
         + std::to_string(connections_) + R"(,"accepted":)" + std::to_string(accepted_)
         + R"(,"requests":)" + std::to_string(requests_) + R"(,"by_fault":)"
         + counts_json(by_fault_) + R"(,"by_outcome":)" + counts_json(by_outcome_) + "}";
}

std::string simulation::lines_since(std::uint64_t first) const {
  const std::lock_guard lock{mutex_};
  std::string out;
  for (const auto& line : lines_)
    if (line.position >= first)
      out += line.text;
  return out;
}

} // namespace lang_agent::simulator
