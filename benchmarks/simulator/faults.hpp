/// What may go wrong, and the rules that say when.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lang_agent::simulator {

enum class fault_kind : std::uint8_t {
  // The request is refused.
  rate_limit,
  server_error,
  expired_key,
  forbidden,
  not_found_model,
  context_too_long,
  bad_request,
  // The answer is late.
  slow,
  slow_head,
  stall,
  // The answer is wrong, or ends wrongly.
  cut,
  malformed,
  wrong_type,
  error_in_stream,
  no_done,
  empty,
  // There is no connection.
  tls_failure,
};

/// Its name in configs and logs.
std::string_view name_of(fault_kind kind);

struct fault_rule {
  std::string name; ///< in the log
  fault_kind kind = fault_kind::server_error;
  double share = 1;                    ///< of the requests that come to this rule
  std::optional<std::string> key = {}; ///< only requests with this key
  std::optional<std::string> model = {};
  std::uint64_t limit = 0; ///< hits; 0 = any number
  int status = 500;
  std::optional<std::chrono::milliseconds> retry_after = {};
  std::optional<std::uint64_t> after = {}; ///< deltas before it happens
  std::chrono::milliseconds delay{0};
  double factor = 10;
  bool reset = false; ///< the connection ends with RST instead of FIN

  std::uint64_t deltas_before() const {
    return after.value_or(0);
  }
};

/// Finds the fault of a request: that of the first rule that hits. Whether rule i hits request n
/// follows from (seed, i, n) alone. Not thread-safe.
class fault_chooser {
public:
  fault_chooser(std::uint64_t seed, std::vector<fault_rule> rules);

  /// Nothing: the request is answered well.
  std::shared_ptr<const fault_rule> for_request(std::uint64_t n, std::string_view key,
                                                std::string_view model);

  /// The same for connections, which only `tls_failure` is about.
  std::shared_ptr<const fault_rule> for_connection(std::uint64_t n);

  /// The rules with how often each was asked and hit, as JSON.
  std::string json() const;

private:
  struct entry {
    std::shared_ptr<const fault_rule> rule;
    std::uint64_t seen = 0;
    std::uint64_t hits = 0;
  };

  bool hits(std::size_t index, std::uint64_t n);

  std::uint64_t seed_;
  std::vector<entry> rules_;
};

} // namespace lang_agent::simulator
