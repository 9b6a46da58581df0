/// The LLM pool's work: where each order goes, what is done about failed attempts, who waits. The
/// pool's own; runs in the pool's thread of execution.
///
/// An order is in one of three places: with a client (an attempt), in the queue (no upstream of its
/// group has a place), or at rest (between two attempts). Wherever it is, it can be cancelled.
#pragma once

#include "actors/llm_clients.hpp"
#include "actors/llm_pool.hpp"
#include "actors/order_queue.hpp"
#include "actors/retry_rules.hpp"
#include "actors/upstream_choice.hpp"
#include "messages/protocol.hpp"

#include <caf/system_messages.hpp>

#include <chrono>
#include <string>
#include <unordered_map>
#include <vector>

namespace lang_agent {

/// A probe of an upstream.
struct probe_state {
  bool under_way = false;
  std::chrono::steady_clock::time_point last = {};
};

class dispatcher {
public:
  dispatcher(llm_pool_actor::pointer pool, const llm_pool_options& options,
             llm_client_factory make);

  void on_order(order_ptr order);
  void on_cancelled(const order_cancelled& x);
  void on_begun(const attempt_begun& x);
  void on_idle(const llm_client_idle& x);
  void on_failed(attempt_failed& x);
  void on_retry(turn_id id);
  void on_probed(const upstream_probed& x);
  void on_down(const caf::down_msg& x);
  void on_tick();

private:
  enum class outcome { placed, must_wait, nobody };

  outcome place(order_ptr& order);
  void settle(order_ptr order);
  void line_up(order_ptr order);
  void queue(order_ptr order);
  bool would_wait_too_long(std::size_t group, const queue_share& share) const;
  static void turn_away(const order_ptr& order, failure why);
  void attempt(order_ptr order, std::size_t upstream);
  void give_up(const order_ptr& order);
  static void fail(const order_ptr& order, failure why);

  void handle_failure(order_ptr order, const running_attempt& last, const failure& why);
  bool retry_with_other_key(order_ptr& order, std::size_t upstream);
  bool retry_in_group(order_ptr& order, const running_attempt& last, const retry_rule& rule);
  void report_set_aside(std::size_t upstream, std::size_t key);
  void rest(order_ptr order, std::chrono::milliseconds pause);
  void fall_back(order_ptr order, std::size_t upstream);

  void serve(std::size_t upstream);
  void serve_group(std::size_t group);
  void publish(std::size_t upstream);
  void probe_resting();
  void watch();

  std::chrono::steady_clock::time_point now() const {
    return self_->clock().now();
  }

  /// Whether the time of its turn is over.
  bool is_over(const llm_order& x) const {
    return x.spent.attempts > 0 && now() >= x.spent.ends;
  }

  /// The number of the group that an order asks.
  static std::size_t group_of(const llm_order& x) {
    return x.route->groups[x.progress.group].number;
  }

  const std::string& name_of(std::size_t upstream) const {
    return (*options_.upstreams)[upstream].name;
  }

  upstream_counters& counters(std::size_t upstream) const {
    return options_.counters->upstreams[upstream];
  }

  llm_pool_actor::pointer self_;
  llm_pool_options options_;
  upstream_choice upstreams_;
  llm_clients clients_;
  order_queue waiting_;
  std::unordered_map<turn_id, order_ptr> resting_; ///< between two attempts
  std::vector<retry_budget> budgets_;              ///< of each group
  std::vector<probe_state> probes_;
  std::vector<std::vector<std::size_t>> groups_of_; ///< each upstream
  bool ticking_ = false;
};

} // namespace lang_agent
