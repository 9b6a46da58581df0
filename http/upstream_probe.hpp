/// Asks an upstream whether it is there, without asking for an answer. Private to the upstream
/// side.
#pragma once

#include "http/link_pool.hpp"

#include <functional>
#include <memory>

namespace lang_agent::http {

/// GET {base URL}/models over a new connection. Healthy is what answers in time and neither fails
/// nor refuses us. `done` is called once, on a thread of the pool.
void start_probe(const std::shared_ptr<link_pool>& pool, std::function<void(bool healthy)> done);

} // namespace lang_agent::http
