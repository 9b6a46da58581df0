/// The API between the HTTP server and the actors.
///
/// From a request's head alone it decides what needs no turn: unknown paths, missing keys, wrong
/// content types, and the documents. Requests for a turn go to an acceptor.
#pragma once

#include "actors/acceptor.hpp"
#include "actors/published.hpp"
#include "actors/tenants.hpp"
#include "http/responder.hpp"
#include "http/routes.hpp"

#include <atomic>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lang_agent {

/// What a listener serves of the admin API.
struct admin_access {
  admin_keys keys;   ///< none: nothing
  bool only = false; ///< ... and nothing else
};

class api_service final : public http::service {
public:
  api_service(std::shared_ptr<const published<tenant_table>> tenants,
              std::shared_ptr<const routing_table> routes, std::vector<acceptor_actor> acceptors,
              admin_access admin);

  std::optional<http::response> admit(http::request_head& head) override;
  void answered(const http::request_head& head, http::response& x) override;
  void serve(http::request x, std::unique_ptr<http::responder> out) override;

  /// Shows figures under /metrics; without this there is no such path. Before the server starts.
  void show_metrics(std::function<std::string()> metrics) {
    metrics_ = std::move(metrics);
  }

  /// From now on /health says 503 and no turn is taken. Thread-safe.
  void drain() {
    draining_ = true;
  }

private:
  std::optional<failure> authenticate(http::access who, http::request_head& head) const;
  http::response document(const http::route& route, const http::request_head& head) const;

  std::shared_ptr<const published<tenant_table>> tenants_;
  std::shared_ptr<const routing_table> routes_;
  std::vector<acceptor_actor> acceptors_;
  const admin_access admin_;
  const http::offered_access offered_;
  std::function<std::string()> metrics_;
  std::atomic<std::size_t> next_acceptor_{0};
  std::atomic<bool> draining_{false};
  std::time_t created_ = std::time(nullptr);
};

} // namespace lang_agent
