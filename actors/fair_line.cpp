#include "actors/fair_line.hpp"

#include "actors/ledger.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace lang_agent {

namespace {

/// A limit may be there to say that there is none: no model has so much to say.
constexpr std::uint64_t longest_answer = 65'536;
constexpr std::uint64_t highest_cost = 262'144;

std::uint64_t quantum_of(const queue_share& x) {
  return fair_line::quantum * std::max(x.weight, 1u);
}

} // namespace

const share_ptr& share_of(const llm_order& x) {
  static const share_ptr nobodys = std::make_shared<const queue_share>();
  return x.share ? x.share : nobodys;
}

std::uint64_t cost_of(const llm_order& x) {
  const auto answers = std::min(answer_limit(x.parameters), longest_answer * x.parameters.choices);
  return std::clamp(x.prompt_tokens + answers, std::uint64_t{1}, highest_cost);
}

fair_line::place fair_line::push(order_ptr x) {
  const auto& share = share_of(*x);
  const auto [found, is_new] = customers_.try_emplace(share->tenant);
  auto& who = found->second;
  if (!who.orders.empty())
    weights_ -= who.share->weight;
  weights_ += share->weight;
  who.share = share;
  if (is_new) {
    who.credit = static_cast<std::int64_t>(quantum_of(*share));
    stand(who, now_);
  }
  const auto cost = cost_of(*x);
  who.backlog += cost;
  ++size_;
  return {&who, who.orders.insert(who.orders.end(), {std::move(x), cost})};
}

order_ptr fair_line::remove(const place& x) {
  auto& who = *x.who;
  auto out = take_out(who, x.at);
  const auto round = who.round;
  if (who.orders.empty() && !who.was_served)
    forget(who);
  if (round->second.empty())
    rounds_.erase(round);
  if (size_ == 0)
    clear();
  return out;
}

order_ptr fair_line::take(time_point now, const judge& ask) {
  std::size_t passed = 0;
  order_ptr out;
  for (auto round = rounds_.begin();
       !out && round != rounds_.end() && passed < max_passed_in_all;) {
    if (passed == 0) // nobody waits in the rounds before
      now_ = std::max(now_, round->first);
    out = take_from(round, passed, now, ask);
    round = round->second.empty() ? rounds_.erase(round) : std::next(round);
  }
  if (size_ == 0)
    clear();
  return out;
}

order_ptr fair_line::take_from(round_map::iterator round, std::size_t& passed, time_point now,
                               const judge& ask) {
  auto& standing = round->second;
  for (auto at = standing.begin(); at != standing.end() && passed < max_passed_in_all;) {
    auto& who = **at++;
    if (!who.orders.empty()) {
      if (auto out = look_through(who, passed, now, ask))
        return out;
    } else if (round->first <= now_) {
      // Forgotten within its turn, it could come back to a second one.
      if (who.in_turn)
        end_turn(who);
      else
        forget(who);
    }
  }
  return nullptr;
}

order_ptr fair_line::look_through(customer& who, std::size_t& passed, time_point now,
                                  const judge& ask) {
  const auto most = std::min(passed + max_passed, max_passed_in_all);
  for (auto at = who.orders.begin(); at != who.orders.end(); ++at) {
    const auto answer = ask(*at->order);
    if (answer == verdict::waits) {
      if (passed++ == most)
        return nullptr;
      continue;
    }
    const auto cost = at->cost;
    auto out = take_out(who, at);
    if (answer == verdict::goes)
      charge(who, cost, now);
    else if (who.orders.empty() && !who.was_served)
      forget(who);
    return out;
  }
  return nullptr;
}

order_ptr fair_line::take_out(customer& who, std::list<waiting_order>::iterator at) {
  auto out = std::move(at->order);
  who.backlog -= at->cost;
  who.orders.erase(at);
  --size_;
  if (who.orders.empty()) {
    weights_ -= who.share->weight;
    who.pace.emptied();
  }
  return out;
}

void fair_line::charge(customer& who, std::uint64_t cost, time_point now) {
  pace_.served(now, cost);
  if (!who.orders.empty())
    who.pace.served(now, cost);
  now_ = std::max(now_, who.round->first);
  who.was_served = who.in_turn = true;
  who.credit -= static_cast<std::int64_t>(cost);
  if (who.credit <= 0)
    end_turn(who);
}

/// It stands in the first round in which it has credit again.
void fair_line::end_turn(customer& who) {
  const auto given = static_cast<std::int64_t>(quantum_of(*who.share));
  who.credit = std::min<std::int64_t>(who.credit, 0);
  const auto rounds = -who.credit / given + 1;
  who.credit += rounds * given;
  who.in_turn = false;
  who.round->second.erase(who.at);
  stand(who, now_ + static_cast<std::uint64_t>(rounds));
}

void fair_line::stand(customer& who, std::uint64_t round) {
  who.round = rounds_.try_emplace(round).first;
  who.at = who.round->second.insert(who.round->second.end(), &who);
}

void fair_line::forget(customer& who) {
  who.round->second.erase(who.at);
  const auto name = who.share->tenant; // it dies with it
  customers_.erase(name);
}

void fair_line::clear() {
  customers_.clear();
  rounds_.clear();
  now_ = weights_ = 0;
  pace_.emptied();
}

std::vector<turn_id> fair_line::expired(time_point limit) const {
  std::vector<turn_id> out;
  for (const auto& [name, who] : customers_)
    for (auto at = who.orders.begin(); at != who.orders.end() && at->order->queued <= limit; ++at)
      out.push_back(at->order->id);
  return out;
}

std::optional<fair_line::duration> fair_line::wait_of(const queue_share& x) const {
  const auto found = customers_.find(x.tenant);
  const auto* who = found == customers_.end() ? nullptr : &found->second;
  if (who && !who->orders.empty())
    if (const auto own = who->pace.wait_behind(who->orders.size()))
      return own;
  const auto behind_all = pace_.wait_behind(size_);
  if (!behind_all)
    return std::nullopt;
  const auto first = rounds_.begin();
  const bool is_busy = first != rounds_.end() && first->first <= now_;
  double tokens = 0; // that all are given before its turn after those of its own orders
  if (who) {
    const auto weight = std::max(who->share->weight, 1u);
    const auto weights = weights_ + (who->orders.empty() ? weight : 0);
    const auto round = who->round->first;
    const auto rounds = static_cast<double>(quantum * (round > now_ ? round - now_ : 0));
    tokens = static_cast<double>(weights)
             * (rounds + static_cast<double>(who->backlog) / static_cast<double>(weight));
  }
  return std::min(*behind_all,
                  *pace_.wait_behind(is_busy ? first->second.size() : 0) + *pace_.wait_for(tokens));
}

} // namespace lang_agent
