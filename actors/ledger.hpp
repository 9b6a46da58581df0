/// A tenant's account of what is used and what is held, exact under concurrency.
///
/// A turn reserves before it begins, and its reservation settles when it dies, whatever way that
/// comes: then what it has not used goes back. Both are short and guarded by a lock that nothing
/// else is done under: no message is sent, nothing waits.
#pragma once

#include "actors/allowance.hpp"
#include "messages/accounts.hpp"
#include "messages/error.hpp"
#include "messages/limits.hpp"
#include "messages/usage_meter.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>

namespace lang_agent {

class ledger;

/// Who is charged, and for what.
struct charge {
  std::string key;   ///< id of the API key
  std::string model; ///< as the client named it
  token_price price = {};
  bool stream = false;
  std::uint64_t tokens = 0; ///< of the prompt as far as it is known, and of the answer at most
};

/// How many tokens an answer may have; where the request says nothing, what few answers exceed.
std::uint64_t answer_limit(const chat_parameters& x);

/// What a turn holds of its tenant's limits. Thread-safe.
class reservation {
public:
  reservation(std::shared_ptr<ledger> from, charge what, demand held, rates_left left);
  ~reservation(); ///< settles

  reservation(const reservation&) = delete;
  reservation& operator=(const reservation&) = delete;

  /// The whole prompt is known now: holds so many tokens, or says which limit stands in the way.
  std::optional<failure> hold_tokens(std::uint64_t tokens);

  /// For the records, when the turn was answered with this.
  usage_row row_of(const token_usage& x) const;

  /// They have it: with the turn, in one transaction.
  void recorded() {
    recorded_ = true;
  }

  usage_meter& meter() {
    return meter_;
  }

  const charge& what() const {
    return what_;
  }

  /// Of the limits by the minute, when the turn had its part.
  const rates_left& left() const {
    return left_;
  }

private:
  friend class ledger;

  std::shared_ptr<ledger> ledger_;
  charge what_;
  demand held_;
  rates_left left_;
  usage_meter meter_;
  std::atomic<bool> recorded_{false};
};

using reservation_ptr = std::shared_ptr<reservation>;

using limits_by_key = std::unordered_map<std::string, usage_limits>;

/// An open connection of a tenant.
class connection_place {
public:
  explicit connection_place(std::shared_ptr<ledger> of);
  ~connection_place();

  connection_place(const connection_place&) = delete;
  connection_place& operator=(const connection_place&) = delete;

  const std::shared_ptr<ledger> account;
};

/// One tenant's. It outlives every version of the tenant's settings.
class ledger : public std::enable_shared_from_this<ledger> {
public:
  using clock = std::function<moment()>;
  using recorder = std::function<void(usage_row)>;

  /// `record` hears of each turn that asked an upstream and was not recorded otherwise.
  /// `all`: counts the turns in flight of all tenants together; may be null.
  explicit ledger(std::string tenant, recorder record = {}, clock now = {},
                  std::shared_ptr<std::atomic<std::size_t>> all = {});

  /// `of_keys`: of those that have limits of their own, by id.
  void set_limits(const usage_limits& own, const usage_limits& of_each_key,
                  const limits_by_key& of_keys = {});

  /// Before the first turn: what had been used of the day and month of `at`.
  void restore(const std::string& key, const past_use& x, unix_ms at);

  /// A place among the turns, or the limit that is in the way.
  std::variant<reservation_ptr, failure> reserve(charge what);

  /// A place among the tenant's open connections while it lives; null: there is none left.
  std::shared_ptr<connection_place> take_connection();

  std::size_t connections() const {
    return connections_.load(std::memory_order_relaxed);
  }

  /// What is left for a key: of its own limits or of the tenant's, whichever is less.
  rates_left rates(const std::string& key);

  /// Turns in flight.
  std::size_t turns() const {
    return turns_.load(std::memory_order_relaxed);
  }

  /// Those of them that wait for a place at an upstream; counted by the queue that they wait in.
  const std::shared_ptr<std::atomic<std::size_t>>& waiting() const {
    return waiting_;
  }

private:
  friend class reservation;
  friend class connection_place;

  const usage_limits& limits_of(const std::string& key) const;
  allowance& of_key(const std::string& key, const moment& now);
  rates_left rates_now(allowance& key, const moment& now) const;
  std::optional<failure> hold_more(reservation& x, std::uint64_t tokens);
  void settle(reservation& x);
  usage_row row_of(const charge& what, const metered_tokens& tokens, turn_outcome outcome,
                   unix_ms at) const;

  const std::string tenant_;
  const recorder record_;
  const clock now_;
  std::atomic<std::size_t> turns_{0};
  const std::shared_ptr<std::atomic<std::size_t>> all_turns_;
  const std::shared_ptr<std::atomic<std::size_t>> waiting_ =
      std::make_shared<std::atomic<std::size_t>>(0);
  std::atomic<std::size_t> connections_{0};
  std::atomic<std::size_t> max_connections_{0};

  std::mutex mutex_; ///< guards what follows
  usage_limits key_limits_;
  limits_by_key limits_of_keys_;
  allowance own_;
  std::unordered_map<std::string, allowance> keys_;
};

} // namespace lang_agent
