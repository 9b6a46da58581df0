#include "benchmarks/load/session_source.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lang_agent::load {

session_source::session_source(const load_plan& plan, const request_writer& writer)
    : plan_(plan),
      writer_(writer),
      random_(simulator::scatter(plan.seed)),
      weights_(std::accumulate(plan.tenants.begin(), plan.tenants.end(), 0.0,
                               [](double sum, const auto& x) { return sum + x.weight; })) {}

std::shared_ptr<session> session_source::next() {
  const auto number = ++count_;
  const auto& tenants = plan_.tenants;
  auto chosen = random_.next() * weights_;
  std::size_t tenant = 0;
  while (tenant + 1 < tenants.size() && chosen >= tenants[tenant].weight)
    chosen -= tenants[tenant++].weight;
  return std::make_shared<session>(number, tenant, simulator::scatter(plan_.seed, 2, number));
}

std::shared_ptr<session> session_source::of(const trace_entry& x) {
  const auto known = x.thread.empty() ? traced_.end() : traced_.find(x.thread);
  if (known != traced_.end())
    return known->second;
  auto out = next();
  const auto& tenants = plan_.tenants;
  const auto named = std::find_if(tenants.begin(), tenants.end(),
                                  [&](const auto& who) { return who.name == x.tenant; });
  if (named != tenants.end())
    out->tenant = static_cast<std::size_t>(named - tenants.begin());
  if (!x.thread.empty())
    traced_[x.thread] = out;
  return out;
}

turn session_source::next_turn(session& of) const {
  ++of.turns;
  turn out;
  const auto words = std::llround(plan_.prompt_words.sample(of.random));
  out.prompt = writer_.prompt(of, make_words(static_cast<std::uint64_t>(words), of.random));
  if (!plan_.max_tokens.is_zero())
    out.max_tokens = std::max(1LL, std::llround(plan_.max_tokens.sample(of.random)));
  out.stream = plan_.stream;
  return out;
}

turn session_source::next_turn(session& of, const trace_entry& x) const {
  ++of.turns;
  turn out;
  out.prompt =
      writer_.prompt(of, x.prompt.empty() ? make_words(x.prompt_words, of.random) : x.prompt);
  out.max_tokens = x.max_tokens;
  out.stream = x.stream.value_or(plan_.stream);
  return out;
}

bool session_source::is_any_busy() const {
  return std::any_of(traced_.begin(), traced_.end(), [](const auto& x) { return x.second->busy; });
}

} // namespace lang_agent::load
